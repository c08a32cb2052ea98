//! The work with upstream: the series on another version, as mails, and as the tables in UPSTREAM.md.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use wasix_landlock_fork::{Patch, SOURCE_VARIABLE, Series, materialize, source_digest};

mod common;
use common::{
    Folder, fails, forks, forks_program, git, git_difference, git_is_missing, has, repository,
    succeeds,
};

/// Twenty lines that can be told from each other, then a brace in company, as ends of files have it.
fn published_text() -> String {
    let lines = (1..=20).map(|number| format!("// line {number}\n"));
    lines.chain(["}\n".to_owned()]).collect()
}

fn in_the_middle() -> &'static str {
    "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -12,2 +12,3 @@\n // line 12\n+// ours\n // line 13\n"
}

fn at_the_end() -> &'static str {
    "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -20,2 +20,3 @@\n // line 20\n+// last\n }\n"
}

/// As [`at_the_end`], after [`in_the_middle`].
fn at_the_end_of_one_more_line() -> &'static str {
    "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -21,2 +21,3 @@\n // line 20\n+// last\n }\n"
}

/// A fork of the made-up crate `sample` 1.0.0, and a directory that holds the sources.
struct Sample(Folder);

impl Sample {
    fn new() -> Self {
        let sample = Self(Folder::new());
        sample.publish("1.0.0", &published_text());
        let digest = source_digest(&sample.0.path("sources/sample-1.0.0")).unwrap();
        sample.0.write(
            "fork/fork.toml",
            format!(
                "name = \"sample\"\nversion = \"1.0.0\"\ncrate-sha256 = \"\"\nsource-sha256 = \"{digest}\"\n\
                 upstream-commit = \"abc\"\nupstream-path = \"lib/sample\"\nrust-version = \"1.0\"\n\
                 license = \"MIT\"\n"
            ),
        );
        sample
    }

    fn publish(&self, version: &str, text: &str) {
        let folder = format!("sources/sample-{version}");
        let cargo = format!("[package]\nname = \"sample\"\nversion = \"{version}\"\n");
        self.0.write(&format!("{folder}/Cargo.toml"), &cargo);
        self.0.write(&format!("{folder}/src/lib.rs"), text);
    }

    /// Adds a patch at the end of the series, and returns its name.
    fn patch(&self, subject: &str, forwarded: &str, diff: &str) -> String {
        let series = std::fs::read_to_string(self.0.path("fork/series")).unwrap_or_default();
        let name = format!("{:04}-{subject}.patch", series.lines().count() + 1);
        let text = format!(
            "Subject: {subject}\nDescription: Why, and\n how.\nOrigin: vendor\nForwarded: {forwarded}\n\
             Last-Update: 2026-01-02\nDrop-When: never | ever\n---\n{diff}"
        );
        self.0.write(&format!("fork/{name}"), &text);
        self.0.write("fork/series", format!("{series}{name}\n"));
        name
    }

    fn forks(&self, what: &str, argument: &Path) -> Command {
        let mut command = forks_program();
        command.env(SOURCE_VARIABLE, self.0.path("sources"));
        command.arg(what).arg(self.0.path("fork")).arg(argument);
        command
    }

    fn try_on(&self, text: &str) -> Command {
        self.publish("1.1.0", text);
        self.forks("try", Path::new("1.1.0"))
    }
}

#[test]
fn a_series_fits_its_own_version_exactly() {
    for fork in forks() {
        let series = Series::load(&fork).unwrap();
        let version = materialize(
            &fork,
            &tempfile::tempdir().unwrap().path().join("source"),
            0,
        );
        let version = version.unwrap().version;
        let said = succeeds(forks_program().arg("try").arg(&fork).arg(version));
        assert!(!said.contains("is not pinned"), "{said}");
        for patch in series.patches {
            has(&said, &[&format!("{}: applies exactly\n", patch.name)]);
        }
    }
}

#[test]
fn lines_put_in_before_a_patch_shift_it_and_the_checksum_is_not_compared() {
    let sample = Sample::new();
    let first = sample.patch("middle", "not-yet", in_the_middle());
    let text = published_text();
    has(
        &succeeds(&mut sample.try_on(&text.replace("// line 1\n", "// line one\n"))),
        &[
            "sample-1.1.0 is not pinned",
            &format!("{first}: applies exactly\n"),
        ],
    );
    let said = succeeds(&mut sample.try_on(&format!("// new\n// new\n// new\n{text}")));
    has(
        &said,
        &[&format!("{first}: applies shifted\n  src/lib.rs: +3\n")],
    );
    let said = succeeds(&mut sample.try_on(text.split_once('\n').unwrap().1));
    has(
        &said,
        &[&format!("{first}: applies shifted\n  src/lib.rs: -1\n")],
    );
}

/// The second one sees what the first one has made, in both versions.
#[test]
fn patches_are_tried_one_on_top_of_the_other() {
    let sample = Sample::new();
    sample.patch("middle", "not-yet", in_the_middle());
    let on_top = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -13 +13 @@\n-// ours\n+// ours, still\n";
    let second = sample.patch("again", "not-yet", on_top);
    let said = succeeds(&mut sample.try_on(&published_text()));
    has(&said, &[&format!("{second}: applies exactly\n")]);
}

#[test]
fn a_patch_whose_lines_are_gone_fails_and_says_where() {
    let sample = Sample::new();
    let first = sample.patch("middle", "not-yet", in_the_middle());
    let second = sample.patch(
        "end",
        "not-yet",
        "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -2 +2,2 @@\n // line 2\n+// two\n",
    );
    let text = published_text().replace("// line 13\n", "// another\n");
    let said = fails(&mut sample.try_on(&text));
    has(
        &said,
        &[
            &format!(
                "{first}: fails\n  src/lib.rs, line 13: expected `// line 13`, found `// another`\n"
            ),
            &format!("{second}: applies exactly\n"),
            "1 of 2 patches don't apply to sample-1.1.0",
        ],
    );

    sample.publish("1.1.0", "");
    std::fs::remove_file(sample.0.path("sources/sample-1.1.0/src/lib.rs")).unwrap();
    let said = fails(&mut sample.forks("try", Path::new("1.1.0")));
    has(&said, &["src/lib.rs, line 12: the file is not there"]);
}

/// A brace stands in many places.
#[test]
fn a_patchs_own_lines_in_another_company_are_not_its_place() {
    let sample = Sample::new();
    let diff = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -21 +21,2 @@\n+// before the end\n }\n";
    let patch = sample.patch("end", "not-yet", diff);
    let fit = succeeds(&mut sample.try_on(&format!("{}{}", "{\n}\n".repeat(4), published_text())));
    has(
        &fit,
        &[&format!("{patch}: applies shifted\n  src/lib.rs: +8\n")],
    );
    let said = fails(&mut sample.try_on("a\n}\nb\n"));
    has(
        &said,
        &["src/lib.rs, line 2: the changed lines are here, but the lines around them differ"],
    );
    let said = fails(&mut sample.try_on(&"a\n}\nb\n".repeat(3)));
    has(
        &said,
        &["src/lib.rs, line 2: it fits here and at 2 more places"],
    );
}

/// Only the lines around it say where a hunk without context belongs.
#[test]
fn a_place_is_told_by_the_lines_before_and_after_it() {
    let sample = Sample::new();
    let diff = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -12,0 +13 @@\n+// ours\n";
    let patch = sample.patch("alone", "not-yet", diff);
    let text = published_text();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let other = "other\n".to_owned();
    for (more_before, all_but_it, place) in [
        // Five alike before the wrong place, but none after it.
        (
            lines[7..12].concat() + &other,
            11,
            " shifted\n  src/lib.rs: -5\n",
        ),
        // One alike on each side of the wrong place, many around the right one.
        (
            lines[11..13].concat() + &other,
            0,
            " shifted\n  src/lib.rs: +3\n",
        ),
    ] {
        let said = succeeds(&mut sample.try_on(&(more_before + &lines[all_but_it..].concat())));
        has(&said, &[&format!("{patch}: applies{place}")]);
    }
    // None alike before the wrong place, but five after it.
    let more_after = lines[..13].concat() + &other + &lines[12..17].concat() + &other;
    let said = succeeds(&mut sample.try_on(&more_after));
    has(&said, &[&format!("{patch}: applies exactly\n")]);
}

#[test]
fn hunks_whose_places_changed_their_order_fail() {
    let sample = Sample::new();
    let diff = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -5 +5,2 @@\n // line 5\n+// ours\n\
                @@ -15 +16,2 @@\n // line 15\n+// ours\n";
    let patch = sample.patch("two", "not-yet", diff);
    let text = published_text();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let said = fails(&mut sample.try_on(&(lines[10..].concat() + &lines[..10].concat())));
    has(
        &said,
        &[&format!(
            "{patch}: fails\n  src/lib.rs, line 26: expected `// line 15`"
        )],
    );
}

#[test]
fn an_archive_that_reaches_outside_is_not_unpacked() {
    let sample = Sample::new();
    sample.patch("middle", "not-yet", in_the_middle());
    let name = b"sample-1.1.0/../evil";
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_size(0);
    header.set_cksum();
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    archive.append(&header, std::io::empty()).unwrap();
    let archive = archive.into_inner().unwrap().finish().unwrap();
    std::fs::write(sample.0.path("sources/sample-1.1.0.crate"), archive).unwrap();
    let said = fails(&mut sample.forks("try", Path::new("1.1.0")));
    has(&said, &["sample-1.1.0/../evil reaches outside the crate"]);
}

#[test]
fn what_is_no_version_is_never_looked_for() {
    let sample = Sample::new();
    for version in ["../1.0.0", "1.0.0/..", "1 --config=a", "latest", ""] {
        let said = fails(&mut sample.forks("try", Path::new(version)));
        has(&said, &["is not a version"]);
    }
}

/// As UPSTREAM.md has it.
#[test]
fn a_shifted_series_is_moved_to_another_version_with_git() {
    if git_is_missing() {
        return;
    }
    let sample = Sample::new();
    let name = sample.patch("middle", "not-yet", in_the_middle());
    succeeds(&mut sample.forks("open", &sample.0.path("opened")));
    let newer = format!("// new\n{}", published_text());
    sample.publish("1.1.0", &newer);
    let opened = sample.0.path("opened");
    let run = |arguments: &[&str]| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@localhost"];
        let output = git(&opened, &[&who[..], arguments].concat());
        assert!(output.status.success(), "{output:?}");
    };
    run(&["checkout", "--quiet", "upstream"]);
    std::fs::write(opened.join("src/lib.rs"), newer).unwrap();
    run(&["add", "--all", "--force"]);
    run(&["commit", "--quiet", "--amend", "--message", "sample-1.1.0"]);
    run(&["tag", "new"]);
    run(&["rebase", "--quiet", "--onto", "new", "upstream", "patches"]);
    run(&["tag", "--force", "upstream", "new"]);
    has(
        &fails(&mut sample.forks("save", &opened)),
        &["forks sample-1.0.0"],
    );

    let manifest = std::fs::read_to_string(sample.0.path("fork/fork.toml")).unwrap();
    let digest = |version: &str| {
        source_digest(&sample.0.path(&format!("sources/sample-{version}"))).unwrap()
    };
    let manifest = manifest
        .replace("\"1.0.0\"", "\"1.1.0\"")
        .replace(&digest("1.0.0"), &digest("1.1.0"));
    sample.0.write("fork/fork.toml", &manifest);
    succeeds(&mut sample.forks("save", &opened));
    let patch = std::fs::read_to_string(sample.0.path(&format!("fork/{name}"))).unwrap();
    has(
        &patch,
        &["@@ -13,2 +13,3 @@\n // line 12\n+// ours\n // line 13\n"],
    );
}

/// Lets git know who sends, and nothing else.
fn sent_by(command: &mut Command, home: &Path, sender: Option<&str>) {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.unwrap_or_else(|| std::env::home_dir().unwrap().join(".cargo"));
    std::fs::create_dir_all(home).unwrap();
    let name = sender.map(|name| format!("[user]\nname = {name}\nemail = a@localhost\n"));
    std::fs::write(home.join(".gitconfig"), name.unwrap_or_default()).unwrap();
    command
        .env("HOME", home)
        .env("CARGO_HOME", cargo_home)
        .env_remove("XDG_CONFIG_HOME")
        .env("GIT_CONFIG_NOSYSTEM", "1");
}

/// The mails in a folder, in their order, as path and text.
fn mails(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut mails: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    mails.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path, text)
    };
    mails.into_iter().map(read).collect()
}

/// A repository in `folder` as upstream's is, with the published source at its place, and the mails
/// applied. Returns that place.
fn sent_to_upstream(folder: &Path, fork: &Path, source: Option<&Path>, mails: &Path) -> PathBuf {
    let toml = std::fs::read_to_string(fork.join("fork.toml")).unwrap();
    let toml: toml::Table = toml.parse().unwrap();
    let place = folder.join(toml["upstream-path"].as_str().unwrap());
    match source {
        None => drop(materialize(fork, &place, 0).unwrap()),
        Some(source) => {
            std::fs::create_dir_all(place.join("src")).unwrap();
            std::fs::copy(source.join("src/lib.rs"), place.join("src/lib.rs")).unwrap();
        }
    }
    let run = |arguments: &[&str]| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@localhost"];
        let output = git(folder, &[&who[..], arguments].concat());
        assert!(output.status.success(), "{output:?}");
    };
    run(&["init", "--quiet"]);
    run(&["add", "--all", "--force"]);
    run(&["commit", "--quiet", "--message", "upstream"]);
    for (mail, _) in self::mails(mails) {
        run(&["am", "--quiet", mail.to_str().unwrap()]);
    }
    place
}

#[test]
fn mails_make_of_the_published_source_the_patched_one() {
    if git_is_missing() {
        return;
    }
    for fork in forks() {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name);
        // As if all were for upstream, so that the result is known.
        let copy = path("copy");
        std::fs::create_dir(&copy).unwrap();
        for name in ["fork.toml", "series"] {
            std::fs::copy(fork.join(name), copy.join(name)).unwrap();
        }
        let patches = Series::load(&fork).unwrap().patches;
        for patch in &patches {
            let text = std::fs::read_to_string(fork.join(&patch.name)).unwrap();
            let text = text.replacen("\nForwarded: not-needed\n", "\nForwarded: not-yet\n", 1);
            std::fs::write(copy.join(&patch.name), text).unwrap();
        }
        let mut export = forks_program();
        export.arg("export").arg(&copy).arg(path("mails"));
        sent_by(&mut export, &path("home"), Some("A Sender"));
        succeeds(&mut export);
        assert_eq!(mails(&path("mails")).len(), patches.len());

        materialize(&fork, &path("a"), usize::MAX).unwrap();
        let place = sent_to_upstream(&path("upstream"), &fork, None, &path("mails"));
        std::fs::rename(place, path("b")).unwrap();
        assert_eq!(git_difference(scratch.path(), "-U0"), "");
    }
}

#[test]
fn the_real_series_can_be_sent_as_marked() {
    if git_is_missing() {
        return;
    }
    for fork in forks() {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name);
        let mut export = forks_program();
        export.arg("export").arg(&fork).arg(path("mails"));
        sent_by(&mut export, &path("home"), Some("A Sender"));
        let said = succeeds(&mut export);
        let patches = Series::load(&fork).unwrap().patches;
        let (fork_only, sent): (Vec<&Patch>, Vec<_>) =
            patches.iter().partition(|p| p.is_fork_only());
        assert_eq!(mails(&path("mails")).len(), sent.len());
        for patch in fork_only {
            has(&said, &[&format!("{}: for this fork only", patch.name)]);
        }
        sent_to_upstream(&path("upstream"), &fork, None, &path("mails"));
    }
}

#[test]
fn a_mail_holds_what_upstream_reads_and_leaves_out_what_is_for_the_fork_only() {
    if git_is_missing() {
        return;
    }
    let sample = Sample::new();
    let fork_only = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1 +1,2 @@\n // line 1\n+// private\n";
    let private = sample.patch("private", "not-needed", fork_only);
    let shifted = in_the_middle().replace("-12,2 +12,3", "-13,2 +13,3");
    sample.patch("middle", "not-yet", &shifted);
    let shifted = at_the_end().replace("-20,2 +20,3", "-22,2 +22,3");
    sample.patch("end", "not-yet", &shifted);
    let mut export = sample.forks("export", &sample.0.path("mails"));
    sent_by(&mut export, &sample.0.path("home"), Some("A Sender"));
    let said = succeeds(&mut export);
    has(
        &said,
        &[&format!("{private}: for this fork only"), "2 patches"],
    );

    let mails = mails(&sample.0.path("mails"));
    assert_eq!(mails.len(), 2);
    has(
        &mails[0].1,
        &[
            "\nFrom: A Sender <a@localhost>\nDate: Fri, 2 Jan 2026 ",
            "\nSubject: [PATCH 1/2] sample: middle\n\nWhy, and\nhow.\n",
            "\n--- a/lib/sample/src/lib.rs\n+++ b/lib/sample/src/lib.rs\n@@ -10,6 +10,7 @@",
            "\n // line 10\n // line 11\n // line 12\n+// ours\n // line 13\n // line 14\n // line 15\n",
        ],
    );
    has(&mails[1].1, &["\nSubject: [PATCH 2/2] sample: end\n"]);
    for field in ["Origin", "Forwarded", "Last-Update", "Drop-When", "private"] {
        assert!(!mails[0].1.contains(field), "{}", mails[0].1);
    }
    let place = sent_to_upstream(
        &sample.0.path("upstream"),
        &sample.0.path("fork"),
        Some(&sample.0.path("sources/sample-1.0.0")),
        &sample.0.path("mails"),
    );
    assert_eq!(
        std::fs::read_to_string(place.join("src/lib.rs")).unwrap(),
        published_text()
            .replace("// line 13\n", "// ours\n// line 13\n")
            .replace("}\n", "// last\n}\n")
    );
}

#[test]
fn a_patch_on_top_of_what_is_for_the_fork_only_is_not_sent() {
    if git_is_missing() {
        return;
    }
    let sample = Sample::new();
    sample.patch("end", "not-needed", at_the_end());
    let private = sample.patch("middle", "not-needed", in_the_middle());
    let on_top = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -13 +13 @@\n-// ours\n+// theirs\n";
    let patch = sample.patch("depends", "not-yet", on_top);
    let mut export = sample.forks("export", &sample.0.path("mails"));
    sent_by(&mut export, &sample.0.path("home"), Some("A Sender"));
    let said = fails(&mut export);
    has(
        &said,
        &[
            &format!("{patch}: fails\n  src/lib.rs, line 13"),
            "depends on",
            &private,
        ],
    );
    assert!(!sample.0.path("mails").exists());
}

#[test]
fn a_mail_brings_along_what_its_patch_calls_of_the_forks_own() {
    if git_is_missing() {
        return;
    }
    let sample = Sample::new();
    let first = sample.patch(
        "call",
        "not-yet",
        &in_the_middle().replace("// ours", "crate::Own;"),
    );
    let last = at_the_end_of_one_more_line().replace("// last", "crate::Other;");
    let last = sample.patch("end", "not-yet", &last);
    for (patch, module) in [(&first, "a"), (&last, "b")] {
        let name = format!("fork/{patch}");
        let text = std::fs::read_to_string(sample.0.path(&name)).unwrap();
        let headed = text.replacen("\n---\n", &format!("\nCalls: {module}\n---\n"), 1);
        assert_ne!(headed, text);
        sample.0.write(&name, &headed);
    }
    sample.0.write(
        "fork/src/lib.rs",
        "#[cfg(unix)]\npub mod a;\npub mod b;\nmod deep;\nmod unused;\npub use a::Own;\npub use b::Other;\n",
    );
    sample
        .0
        .write("fork/src/a.rs", "pub struct Own(crate::deep::Inner);\n");
    sample
        .0
        .write("fork/src/deep.rs", "mod inner;\n// unused\n");
    sample
        .0
        .write("fork/src/deep/inner.rs", "use needed_here::Thing;\n");
    sample.0.write("fork/src/b.rs", "");
    sample.0.write("fork/src/unused.rs", "");
    sample.0.write(
        "fork/Cargo.toml",
        "[target.'cfg(unix)'.dependencies]\nneeded-here = \"1\"\nneeded-elsewhere = \"1\"\n",
    );
    let mut export = sample.forks("export", &sample.0.path("mails"));
    sent_by(&mut export, &sample.0.path("home"), Some("A Sender"));
    let said = succeeds(&mut export);
    has(
        &said,
        &[
            &format!("{first}: the mail adds src/a.rs"),
            &format!("{first}: the mail adds src/deep.rs"),
            &format!("{first}: the mail adds src/deep/inner.rs"),
            &format!("{first}: src/deep.rs needs `needed-here`"),
            &format!("{last}: the mail adds src/b.rs"),
        ],
    );
    for not in ["unused", "needed-elsewhere"] {
        assert!(!said.contains(not), "{said}");
    }

    let source = sample.0.path("sources/sample-1.0.0");
    let place = sent_to_upstream(
        &sample.0.path("upstream"),
        &sample.0.path("fork"),
        Some(&source),
        &sample.0.path("mails"),
    );
    let text = |name: &str| std::fs::read_to_string(place.join("src").join(name)).unwrap();
    assert_eq!(text("a.rs"), "pub struct Own(crate::deep::Inner);\n");
    assert_eq!(text("deep/inner.rs"), "use needed_here::Thing;\n");
    assert!(!place.join("src/unused.rs").exists());
    has(
        &text("lib.rs"),
        &[
            "#[cfg(unix)]\npub mod a;\npub mod b;\nmod deep;\npub use a::Own;\npub use b::Other;\n",
            "crate::Own;",
            "crate::Other;",
        ],
    );
    assert_eq!(text("lib.rs").matches("pub mod a;").count(), 1);
}

#[test]
fn mails_have_a_sender_or_are_not_made() {
    if git_is_missing() {
        return;
    }
    let sample = Sample::new();
    sample.patch("middle", "not-yet", in_the_middle());
    let mut export = sample.forks("export", &sample.0.path("mails"));
    sent_by(&mut export, &sample.0.path("home"), None);
    has(
        &fails(&mut export),
        &["git has no sender for the mails", "user.name"],
    );
    assert!(!sample.0.path("mails").exists());
    std::fs::create_dir(sample.0.path("mails")).unwrap();
    has(&fails(&mut export), &["exists already"]);
}

#[test]
fn upstream_md_lists_the_patches_as_they_are() {
    let forks = ["virtual-fs", "wasmer-wasix"].map(|name| format!("patches/{name}"));
    let mut check = forks_program();
    check.current_dir(repository());
    succeeds(check.args(["table", "--check", "UPSTREAM.md"]).args(forks));
}

#[test]
fn a_changed_patch_makes_the_tables_stale_until_they_are_written() {
    let sample = Sample::new();
    sample.patch("middle", "not-yet", in_the_middle());
    let file = sample.0.path("UPSTREAM.md");
    let table = |option: &str| {
        let mut command = forks_program();
        command
            .args(["table", option])
            .arg(&file)
            .arg(sample.0.path("fork"));
        command
    };
    std::fs::write(&file, "text\n").unwrap();
    has(
        &fails(&mut table("--write")),
        &["lacks the lines `<!-- pins"],
    );
    let mut text = "before\n".to_owned();
    for piece in ["pins", "patches", "patches for the fork only"] {
        text +=
            &format!("<!-- {piece}: generated, see `forks table` -->\n<!-- end of {piece} -->\n");
    }
    std::fs::write(&file, text + "after\n").unwrap();
    has(
        &fails(&mut table("--check")),
        &["UPSTREAM.md, line 3", "forks table --write"],
    );
    succeeds(&mut table("--write"));
    succeeds(&mut table("--check"));
    let written = std::fs::read_to_string(&file).unwrap();
    has(
        &written,
        &[
            "before\n",
            "| `sample` | 1.0.0 | `` | `abc` | `lib/sample` | 1.0 | MIT |\n",
            "| [1](fork/0001-middle.patch) | middle | `src/lib.rs` | 1 | 0 | not-yet | never \\| ever |\n",
            "No patch is.\n",
            "after\n",
        ],
    );
    std::fs::write(&file, written.replace("| middle |", "| muddle |")).unwrap();
    has(&fails(&mut table("--check")), &["differs from the forks"]);
    succeeds(&mut table("--write"));

    sample.patch(
        "private",
        "not-needed",
        &at_the_end().replace("-20,2 +20,3", "-21,2 +21,3"),
    );
    has(&fails(&mut table("--check")), &["differs from the forks"]);
    succeeds(&mut table("--write"));
    let written = std::fs::read_to_string(&file).unwrap();
    has(&written, &["- `sample`: private. Why, and\n  how.\n"]);
    assert!(!written.contains("No patch is."));

    let printed = succeeds(
        forks_program()
            .current_dir(sample.0.path(""))
            .args(["table", "fork"]),
    );
    for row in written.lines().filter(|line| line.starts_with('|')) {
        has(&printed, &[row]);
    }
}
