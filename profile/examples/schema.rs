//! Prints the JSON schema of a profile's file: `cargo run -p wasix-landlock-profile --example schema >profile/schema.json`.
#![forbid(unsafe_code)]

fn main() {
    println!("{:#}", wasix_landlock_profile::schema().as_value());
}
