//! The default seccomp profiles of container engines, and the rules that they come to. The tests of the shim for containerd
//! have this file as well.

use std::env;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Docker's default profile, in Debian's package.
pub const DOCKER: &str =
    "usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json";

/// Finds a file of a Debian package: installed, or where `.ci/tools` has put it.
pub fn find(inside: &str) -> Option<PathBuf> {
    let home = env::var_os("HOME").map_or_else(PathBuf::new, PathBuf::from);
    let kept = home.join(".cache/wasix-landlock/profiles");
    let roots = [Path::new("/"), &kept];
    let files = roots.iter().map(|root| root.join(inside));
    files.into_iter().find(|file| file.exists())
}

/// Returns the rules of a profile for a container with these capabilities, on this architecture.
pub fn rules(profile: &Value, capabilities: &[&str]) -> Option<Vec<Value>> {
    let rules = profile["syscalls"].as_array()?.iter();
    let rules = rules.filter(|rule| applies(rule, capabilities));
    Some(rules.map(plain).collect())
}

/// Decides that a rule is for a container with these capabilities, on this architecture.
fn applies(rule: &Value, capabilities: &[&str]) -> bool {
    let architecture = match env::consts::ARCH {
        "x86_64" => "amd64",
        other => other,
    };
    let has = |side: &str, key: &str, here: &dyn Fn(&str) -> bool| {
        let list = rule[side][key].as_array().filter(|list| !list.is_empty())?;
        Some(list.iter().filter_map(Value::as_str).any(here))
    };
    let capability = |name: &str| capabilities.contains(&name);
    let this = |name: &str| name == architecture;
    has("includes", "caps", &capability) != Some(false)
        && has("includes", "arches", &this) != Some(false)
        && has("excludes", "caps", &capability) != Some(true)
        && has("excludes", "arches", &this) != Some(true)
}

/// A rule with nothing but what the runtime specification has.
fn plain(rule: &Value) -> Value {
    let mut plain = json!({"names": rule["names"], "action": rule["action"]});
    for key in ["args", "errnoRet"] {
        match rule.get(key) {
            Some(value) if !value.is_null() => plain[key] = value.clone(),
            _ => {}
        }
    }
    plain
}
