//! The JSON schema of a profile's file.

use schemars::{
    Schema,
    transform::{RecursiveTransform, Transform as _},
};

use wasix_landlock::{DENIAL_SCHEMA, DenialEvent};

use crate::{Profile, ceiling::Table};

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

/// The JSON schema of a ceiling's file. `ceiling.schema.json` in this crate's folder is the same as text.
///
/// ```
/// let schema = wasix_landlock_profile::ceiling_schema();
/// assert_eq!(schema.get("additionalProperties"), Some(&false.into()));
/// ```
#[must_use]
pub fn ceiling_schema() -> Schema {
    let mut schema = schemars::schema_for!(Table);
    RecursiveTransform(shorten).transform(&mut schema);
    // The defaults are a profile's: here, what isn't named stays as it is granted.
    RecursiveTransform(|schema: &mut Schema| {
        schema.remove("default");
    })
    .transform(&mut schema);
    schema
}

/// The JSON schema of a denial in a log ([`DenialEvent`]). `denial.schema.json` in this crate's folder is the same as
/// text.
///
/// ```
/// let schema = wasix_landlock_profile::denial_schema();
/// assert!(schema.get("additionalProperties").is_none(), "a later version may have more keys");
/// ```
#[must_use]
pub fn denial_schema() -> Schema {
    let mut schema = schemars::schema_for!(DenialEvent);
    RecursiveTransform(shorten).transform(&mut schema);
    if let Some(property) = schema.pointer_mut("/properties/schema") {
        property["const"] = DENIAL_SCHEMA.into();
    }
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
