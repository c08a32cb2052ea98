//! The result of learning as a profile, with comments for what needs a person.

use super::rounds::Learned;

/// The profile as TOML, and everything else as its comments.
///
/// # Errors
/// A profile without a form in TOML.
pub fn result(learned: &Learned) -> anyhow::Result<String> {
    let mut text = String::new();
    let runs = learned.rounds.len();
    text += &match learned.works {
        true => format!("# The module works with this, after {runs} runs under enforcement.\n"),
        false => {
            format!("# The module does NOT work with this, after {runs} runs under enforcement.\n")
        }
    };
    if !learned.options.is_empty() {
        text += "# As options of `run`:\n";
        text += &lines(&learned.options);
    }
    for (title, list) in [
        (
            "SENSITIVE, and not granted; think before you allow it (--allow-sensitive PATH)",
            &learned.sensitive,
        ),
        ("Outside of --within, and not granted", &learned.outside),
    ] {
        if !list.is_empty() {
            text += &format!("# {title}:\n");
            let list: Vec<String> = list
                .iter()
                .map(|one| format!("{} ({})", one.option, one.why))
                .collect();
            text += &lines(&list);
        }
    }
    for (title, list) in [
        ("Refused, and no grant would allow it", &learned.refused),
        ("Granted, and never used", &learned.never_used),
        (
            "Granted with more rights than were used",
            &learned.wider_than_used,
        ),
    ] {
        if !list.is_empty() {
            text += &format!("# {title}:\n");
            text += &lines(list);
        }
    }
    if !learned.works && !learned.withheld.is_empty() {
        let groups = learned.withheld.join(", ");
        text += &format!(
            "# The module imports from groups that it may not call (--allow GROUP): {groups}\n"
        );
    }
    if !learned.works {
        text += "# `--show-output` shows the module's own messages.\n";
    }
    text.push('\n');
    text += &learned.profile.to_toml()?;
    Ok(text)
}

fn lines(list: &[String]) -> String {
    list.iter().map(|text| format!("#   {text}\n")).collect()
}
