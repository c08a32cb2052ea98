//! The published schema is that of the code, and has each key of a file.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use serde_json::Value;
use wasix_landlock_profile::{Level, Limit, Limits, Profile, Protection};

const PUBLISHED: &str = include_str!("../schema.json");
const PUBLISHED_CEILING: &str = include_str!("../ceiling.schema.json");

#[test]
fn the_published_schema_is_current() {
    let published: Value = serde_json::from_str(PUBLISHED).unwrap();
    assert_eq!(
        &published,
        wasix_landlock_profile::schema().as_value(),
        "run `cargo run -p wasix-landlock-profile --example schema >profile/schema.json`"
    );
}

#[test]
fn the_published_schema_of_a_ceiling_is_current() {
    let published: Value = serde_json::from_str(PUBLISHED_CEILING).unwrap();
    assert_eq!(
        &published,
        wasix_landlock_profile::ceiling_schema().as_value(),
        "run `cargo run -p wasix-landlock-profile --example schema -- ceiling >profile/ceiling.schema.json`"
    );
    assert!(!PUBLISHED_CEILING.contains("\"default\""));
}

#[test]
fn the_published_schema_of_a_denial_is_current() {
    let published: Value = serde_json::from_str(include_str!("../denial.schema.json")).unwrap();
    assert_eq!(
        &published,
        wasix_landlock_profile::denial_schema().as_value(),
        "run `cargo run -p wasix-landlock-profile --example schema -- denial >profile/denial.schema.json`"
    );
}

/// Follows references, and what is added to them.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// The keys of an object's schema, with those below them, separated by dots.
fn keys(schema: &Value, root: &Value, at: &str, found: &mut BTreeSet<String>) {
    let schema = resolved(schema, root);
    if let Some(items) = schema.get("items") {
        return keys(items, root, at, found);
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        found.insert(at.to_owned());
        return;
    };
    assert_eq!(
        schema.get("additionalProperties"),
        Some(&Value::Bool(false)),
        "`{at}` takes unknown keys"
    );
    for (key, value) in properties {
        keys(value, root, &format!("{at}.{key}"), found);
    }
}

/// The same of a written profile.
fn written(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) if values.iter().any(Value::is_object) => {
            for value in values {
                written(value, at, found);
            }
        }
        // The keys of the environment are the program's own.
        Value::Object(values) if at != ".environment" => {
            for (key, value) in values {
                written(value, &format!("{at}.{key}"), found);
            }
        }
        _ => {
            found.insert(at.to_owned());
        }
    }
}

#[test]
fn the_schema_has_the_keys_that_a_profile_writes_and_no_others() {
    let mut profile = Profile::new()
        .argument("a")
        .environment("A", "1")
        .environment_from_host("B")
        .protect(Protection::Truncate, Level::Strict)
        .protect(Protection::Exec, Level::Degradable)
        .protect(Protection::Udp, Level::Off)
        .preopen(|p| p.path("p").alias("q").read(true))
        .unwrap();
    profile.limits = Limits::none();
    for limit in Limit::ALL {
        profile.limits.set(*limit, 1);
    }
    // It is read and never written.
    let mut of_profile = BTreeSet::from([".extends".to_owned()]);
    written(
        &serde_json::to_value(&profile).unwrap(),
        "",
        &mut of_profile,
    );
    let schema = wasix_landlock_profile::schema().to_value();
    let mut of_schema = BTreeSet::new();
    keys(&schema, &schema, "", &mut of_schema);
    assert_eq!(of_schema, of_profile);
}

#[test]
fn names_in_the_schema_are_those_that_a_file_takes() {
    let text = wasix_landlock_profile::schema().to_value().to_string();
    for protection in Protection::ALL {
        let name = format!("\"{protection}\"");
        assert!(text.contains(&name), "{protection}");
    }
    for name in ["\"null\"", "\"inherit\"", "\"file\"", "\"directory\""] {
        assert!(text.contains(name), "{name}");
    }
    for internal in ["\"either\"", "\"bytes\"", "\"memory\""] {
        assert!(!text.contains(internal), "{internal}");
    }
}
