//! The file with the results.

use std::{fs, io, path::Path};

use crate::daemon::program;

const HEAD: &str = "# Results of the shim\n";

/// Writes a section of the results, and leaves the others as they are.
pub(crate) fn write(title: &str, section: &str) -> io::Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("RESULTS.md");
    let old = fs::read_to_string(&file).unwrap_or_default();
    fs::write(file, replace(&old, title, section))
}

/// Sections are in the order of their titles.
fn replace(old: &str, title: &str, section: &str) -> String {
    let parts = old.split("\n## ").skip(1);
    let mut sections: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('\n')).collect();
    sections.retain(|(other, _)| *other != title);
    sections.push((title, section));
    sections.sort_unstable();
    let texts = sections
        .iter()
        .map(|(title, text)| format!("\n## {title}\n\n{}\n", text.trim()));
    HEAD.to_owned() + &texts.collect::<String>()
}

/// The machine and the day.
pub(crate) fn made_on() -> String {
    let output = |name: &str, arguments: &[&str]| {
        let output = program(name).args(arguments).output();
        output.map_or_else(
            |_| "unknown".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    let containerd = output("containerd", &["--version"]);
    let runc = output("runc", &["--version"]);
    let version = |text: &str, word: usize| {
        let line = text.lines().next().unwrap_or_default();
        line.split_whitespace()
            .nth(word)
            .unwrap_or("unknown")
            .to_owned()
    };
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("", |model| model.trim_start_matches([' ', '\t', ':']));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "Made on {} with Linux {}, containerd {}, runc {}, {} processors ({model}); the load was {} when it began.",
        output("date", &["--iso-8601"]),
        output("uname", &["-r"]),
        version(&containerd, 2),
        version(&runc, 2),
        output("nproc", &[]),
        version(&load, 0),
    )
}
