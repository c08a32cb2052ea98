//! Prints the JSON schema of a profile's file: `cargo run -p wasix-landlock-profile --example schema >profile/schema.json`,
//! with `-- ceiling` that of a ceiling's, `profile/ceiling.schema.json`, and with `-- denial` that of a denial in a log,
//! `profile/denial.schema.json`.
#![forbid(unsafe_code)]

fn main() {
    let schema = match std::env::args().nth(1).as_deref() {
        Some("ceiling") => wasix_landlock_profile::ceiling_schema(),
        Some("denial") => wasix_landlock_profile::denial_schema(),
        _ => wasix_landlock_profile::schema(),
    };
    println!("{:#}", schema.as_value());
}
