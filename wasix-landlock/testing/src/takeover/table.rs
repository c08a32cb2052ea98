//! The table for people.

use std::fmt::Write;

use super::{Call, Landlock, calls};

/// The newest ABI that the entries were measured on.
const MEASURED: u32 = 7;

/// Returns the layers that refuse each call, as Markdown.
#[must_use]
pub fn table() -> String {
    let mut text =
        String::from("| call | what it does | Landlock | second layer |\n|---|---|---|---|\n");
    for call in calls() {
        let second: Vec<String> = [call.second, call.also]
            .iter()
            .flatten()
            .map(|name| format!("`{name}`"))
            .collect();
        let second = match second.as_slice() {
            [] => "–".to_owned(),
            names => names.join(", "),
        };
        let root = if call.only_root { " (root)" } else { "" };
        let _ = writeln!(
            text,
            "| `{}` | {}{root} | {} | {second} |",
            call.name,
            call.does,
            landlock(call.landlock)
        );
    }
    let open = |call: &&Call| call.landlock == Landlock::Nothing && call.second.is_none();
    let names = |which: &dyn Fn(&&'static Call) -> bool| {
        let names: Vec<String> = calls()
            .filter(which)
            .map(|call| format!("`{}`", call.name))
            .collect();
        names.join(", ")
    };
    let _ = write!(
        text,
        "\nRefused by no layer: {}.\n",
        names(&|call| open(call))
    );
    text.push_str("\n| Landlock ABI | allows, and a later ABI refuses |\n|---|---|\n");
    for abi in 1..=10 {
        let later = names(&|call| call.landlock.since().is_some_and(|since| since > abi));
        let later = if later.is_empty() {
            "–".to_owned()
        } else {
            later
        };
        let source = if abi == MEASURED { "" } else { " ¹" };
        let _ = writeln!(text, "| {abi}{source} | {later} |");
    }
    text
}

fn landlock(landlock: Landlock) -> String {
    let Some(abi) = landlock.since() else {
        return "–".to_owned();
    };
    let source = if abi > MEASURED { " ¹" } else { "" };
    let when = match landlock {
        Landlock::Tcp(_) | Landlock::Udp(_) => ", by `network`",
        Landlock::TcpFixed(_) => ", by `network`, in kernels with the fix ²",
        Landlock::Scope(_) => ", by scope",
        Landlock::Files(_) | Landlock::Domain(_) | Landlock::Nothing => "",
    };
    format!("ABI {abi}{when}{source}")
}
