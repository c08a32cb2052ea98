//! The JSON schema of a profile's file.

use schemars::{
    Schema,
    transform::{RecursiveTransform, Transform as _},
};

use crate::Profile;

/// The JSON schema of a profile's file, for editors and for checks without this crate. `schema.json` in this crate's
/// folder is the same as text.
///
/// ```
/// let schema = wasix_landlock_profile::schema();
/// assert_eq!(schema.get("additionalProperties"), Some(&false.into()));
/// ```
#[must_use]
pub fn schema() -> Schema {
    let mut schema = schemars::schema_for!(Profile);
    RecursiveTransform(shorten).transform(&mut schema);
    schema
}

/// Leaves the summary of a description: the rest is about the Rust type.
fn shorten(schema: &mut Schema) {
    let description = schema.get("description").and_then(|text| text.as_str());
    if let Some((summary, _)) = description.and_then(|text| text.split_once("\n\n")) {
        let summary = summary.replace('\n', " ");
        schema.insert("description".to_owned(), summary.into());
    }
}
