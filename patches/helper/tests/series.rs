//! A series applies exactly or not at all.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;
use wasix_landlock_fork::{Patch, Series};

mod common;

const A: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

/// A patch that changes `two` and puts a line before `six`.
const GOOD: &str = "\
--- a/src/a.rs
+++ b/src/a.rs
@@ -1,3 +1,3 @@
 one
-two
+TWO
 three
@@ -5,2 +5,3 @@
 five
+and a half
 six
";

fn parse(name: &str, diff: &str) -> Result<Patch, String> {
    Patch::parse(name, &format!("Subject: a test\n---\n{diff}")).map_err(|e| e.to_string())
}

fn source(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// Applies a patch to `text` as `src/a.rs`; a patch that is refused must leave the text as before.
fn applied(text: &str, diff: &str) -> Result<String, String> {
    let patch = parse("0001-a.patch", diff)?;
    let folder = source(&[("src/a.rs", text)]);
    let done = Series {
        patches: vec![patch],
    }
    .apply(folder.path());
    let after = read(folder.path(), "src/a.rs");
    done.map(|()| after.clone()).map_err(|error| {
        assert_eq!(after, text, "a refused patch has written");
        error.to_string()
    })
}

#[track_caller]
fn refused(text: &str, diff: &str, pieces: &[&str]) {
    let error = applied(text, diff).expect_err("the patch was taken");
    for piece in pieces.iter().chain(&["0001-a.patch"]) {
        assert!(error.contains(piece), "no `{piece}` in: {error}");
    }
}

#[test]
fn an_exact_patch_applies() {
    assert_eq!(
        applied(A, GOOD).unwrap(),
        "one\nTWO\nthree\nfour\nfive\nand a half\nsix\nseven\n"
    );
}

#[test]
fn lines_can_be_put_before_the_first_and_after_the_last() {
    let diff = "--- a/src/a.rs\n+++ b/src/a.rs\n@@ -0,0 +1 @@\n+zero\n@@ -7,0 +9 @@\n+eight\n";
    assert_eq!(applied(A, diff).unwrap(), format!("zero\n{A}eight\n"));
}

#[test]
fn a_file_can_be_replaced_whole() {
    let diff = "--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1,2 +1 @@\n-x\n-y\n+z\n";
    assert_eq!(applied("x\ny\n", diff).unwrap(), "z\n");
}

#[test]
fn context_that_is_a_line_further_is_refused() {
    refused(
        &format!("zero\n{A}"),
        GOOD,
        &["src/a.rs, line 1", "expected `one`", "found `zero`"],
    );
}

#[test]
fn a_hunk_past_the_end_is_refused() {
    let diff = "--- a/src/a.rs\n+++ b/src/a.rs\n@@ -9,0 +10 @@\n+ten\n";
    refused(A, diff, &["src/a.rs, line 8", "expected more lines"]);
}

#[test]
fn context_that_differs_in_white_space_is_refused() {
    refused(
        &A.replace("three", "three "),
        GOOD,
        &["src/a.rs, line 3", "expected `three`", "found `three `"],
    );
}

/// Right after the first hunk stands what the second one wants; but the second one names another line.
#[test]
fn a_hunk_does_not_slide_to_a_line_that_fits() {
    let wrong_place = GOOD.replace("@@ -5,2 +5,3 @@", "@@ -4,2 +4,3 @@");
    refused(A, &wrong_place, &["line 4", "expected `five`"]);
    let overlap = "--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n\
                   @@ -2,1 +2,2 @@\n four\n+and a half\n";
    refused(A, overlap, &["line 10", "before the end of the one above"]);
    let new_line_number = GOOD.replace("@@ -5,2 +5,3 @@", "@@ -5,2 +6,3 @@");
    refused(A, &new_line_number, &["line 10", "disagrees"]);
}

#[test]
fn a_hunk_that_is_shorter_or_longer_than_it_says_is_refused() {
    refused(A, &GOOD.replace("-5,2 +5,3", "-5,3 +5,4"), &["shorter"]);
    refused(
        A,
        &GOOD.replace("-1,3 +1,3", "-1,2 +1,2"),
        &["found ` three`"],
    );
    refused(A, &GOOD.replace("-1,3 +1,3", "-1,3 +1,2"), &["longer"]);
}

#[test]
fn a_patch_that_was_cut_off_is_refused() {
    for end in 1.."and a half\n six\n".len() {
        let cut = &GOOD[..GOOD.len() - end];
        refused(A, cut, &[]);
    }
}

#[test]
fn nothing_is_written_if_one_patch_of_a_series_is_refused() {
    let b = "--- a/src/b.rs\n+++ b/src/b.rs\n@@ -1 +1 @@\n-x\n+y\n";
    let folder = source(&[("src/a.rs", A), ("src/b.rs", "other\n")]);
    let series = Series {
        patches: vec![
            parse("0001-a.patch", GOOD).unwrap(),
            parse("0002-b.patch", b).unwrap(),
        ],
    };
    let error = series.apply(folder.path()).unwrap_err().to_string();
    assert_eq!(
        error,
        "0002-b.patch does not apply to src/b.rs, line 1: expected `x`, found `other`"
    );
    assert_eq!(read(folder.path(), "src/a.rs"), A);
    // The same series does apply where it should.
    std::fs::write(folder.path().join("src/b.rs"), "x\n").unwrap();
    series.apply(folder.path()).unwrap();
    assert_ne!(read(folder.path(), "src/a.rs"), A);
    assert_eq!(read(folder.path(), "src/b.rs"), "y\n");
}

#[test]
fn a_patch_sees_what_the_ones_before_it_did() {
    let again = "--- a/src/a.rs\n+++ b/src/a.rs\n@@ -2 +2 @@\n-TWO\n+2\n";
    let folder = source(&[("src/a.rs", A)]);
    let patches = vec![
        parse("1.patch", GOOD).unwrap(),
        parse("2.patch", again).unwrap(),
    ];
    Series {
        patches: patches.clone(),
    }
    .apply(folder.path())
    .unwrap();
    assert!(read(folder.path(), "src/a.rs").starts_with("one\n2\nthree\n"));

    let folder = source(&[("src/a.rs", A)]);
    let backwards = Series {
        patches: patches.into_iter().rev().collect(),
    };
    let error = backwards.apply(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("2.patch") && error.contains("found `two`"),
        "{error}"
    );
}

#[test]
fn a_missing_file_is_named_with_the_patch() {
    let folder = source(&[]);
    let series = Series {
        patches: vec![parse("0001-a.patch", GOOD).unwrap()],
    };
    let error = series.apply(folder.path()).unwrap_err().to_string();
    assert!(
        error.starts_with("0001-a.patch changes src/a.rs, which can't be read"),
        "{error}"
    );
}

#[test]
fn a_path_outside_the_source_is_refused() {
    for path in [
        "../a.rs",
        "src/../../a.rs",
        "/etc/a.rs",
        "/src/a.rs",
        "Cargo.toml",
        "build.rs",
        "",
    ] {
        let diff = GOOD.replace("src/a.rs", path);
        let error = parse("0001-a.patch", &diff).unwrap_err();
        assert!(error.contains("0001-a.patch, line 3"), "{path}: {error}");
        assert!(error.contains("the path"), "{path}: {error}");
    }
}

#[test]
fn what_is_no_change_of_lines_is_refused() {
    let hint = "a new file belongs in the fork's `src`";
    for diff in [
        "--- /dev/null\n+++ b/src/a.rs\n@@ -0,0 +1 @@\n+new\n",
        "diff --git a/src/a.rs b/src/a.rs\nnew file mode 100644\n--- /dev/null\n+++ b/src/a.rs\n",
        "diff --git a/src/a.rs b/src/b.rs\nsimilarity index 100%\nrename from src/a.rs\n",
        "diff --git a/src/a.rs b/src/a.rs\nold mode 100644\nnew mode 100755\n",
        "diff --git a/src/a.rs b/src/a.rs\nBinary files a/src/a.rs and b/src/a.rs differ\n",
    ] {
        refused(A, diff, &[hint]);
    }
    let removed = "--- a/src/a.rs\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n";
    refused("one\n", removed, &["expected `+++ b/src/a.rs`"]);
    refused(A, &format!("{GOOD}-- \n2.47.3\n"), &[hint]);
    refused(A, &format!("{GOOD}{GOOD}"), &["changed above"]);
    refused(
        A,
        "--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1 +1 @@\n one\n",
        &["changes nothing"],
    );
    assert!(
        parse("0001-a.patch", "")
            .unwrap_err()
            .contains("changes nothing")
    );
}

#[test]
fn carriage_returns_are_part_of_the_line() {
    let windows = |text: &str| text.replace('\n', "\r\n");
    let diff = "--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1,2 +1,3 @@\n one\r\n+and a half\r\n two\r\n";
    assert_eq!(
        applied("one\r\ntwo\r\n", diff).unwrap(),
        "one\r\nand a half\r\ntwo\r\n"
    );
    refused(&windows(A), GOOD, &["expected `one`", "found `one\\r`"]);
    refused(A, diff, &["expected `one\\r`", "found `one`"]);
    let error = Patch::parse("0001-a.patch", &windows("Subject: a\n---\n")).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("0001-a.patch, line 1") && error.contains("core.autocrlf"),
        "{error}"
    );
}

#[test]
fn a_missing_line_break_at_the_end_counts() {
    let head = "--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1,2 +1,2 @@\n x\n";
    let no = "\\ No newline at end of file\n";
    let with_to_with = format!("{head}-y\n+z\n");
    let without_to_without = format!("{head}-y\n{no}+z\n{no}");
    let without_to_with = format!("{head}-y\n{no}+z\n");
    let with_to_without = format!("{head}-y\n+z\n{no}");
    assert_eq!(applied("x\ny\n", &with_to_with).unwrap(), "x\nz\n");
    assert_eq!(applied("x\ny", &without_to_without).unwrap(), "x\nz");
    assert_eq!(applied("x\ny", &without_to_with).unwrap(), "x\nz\n");
    assert_eq!(applied("x\ny\n", &with_to_without).unwrap(), "x\nz");
    refused("x\ny", &with_to_with, &["found `y` without a line break"]);
    refused(
        "x\ny\n",
        &without_to_without,
        &["expected `y` without a line break"],
    );

    let before_the_end = format!("{head}-y\n+z\n{no}");
    refused(
        "x\ny\nw\n",
        &before_the_end,
        &["expected the end of the file", "found `w`"],
    );
    let untouched_end = "--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1 +1 @@\n-x\n+X\n";
    assert_eq!(applied("x\ny", untouched_end).unwrap(), "X\ny");
}

#[test]
fn context_is_counted_on_each_side_of_a_change() {
    let context = |lines: &str, head: &str| {
        let diff = format!("--- a/src/a.rs\n+++ b/src/a.rs\n{head}\n{lines}");
        parse("0001-a.patch", &diff).unwrap().widest_context()
    };
    assert_eq!(context("+a\n", "@@ -0,0 +1 @@"), 0);
    assert_eq!(context(" a\n+b\n c\n", "@@ -1,2 +1,3 @@"), 1);
    // What git writes with one line of context for two changes that are two lines apart.
    assert_eq!(context("+a\n b\n c\n+d\n", "@@ -1,2 +1,4 @@"), 1);
    assert_eq!(context(" a\n b\n+c\n", "@@ -1,2 +1,3 @@"), 2);
    assert_eq!(context("+a\n b\n c\n d\n+e\n", "@@ -1,3 +1,5 @@"), 2);
}

/// A fork folder with these patches and this series; only what [`Series::load`] looks at.
fn load(files: &[&str], series: &str) -> Result<Series, String> {
    let folder = tempfile::tempdir().unwrap();
    for name in files {
        std::fs::write(folder.path().join(name), format!("Subject: a\n---\n{GOOD}")).unwrap();
    }
    std::fs::write(folder.path().join("series"), series).unwrap();
    Series::load(folder.path()).map_err(|error| error.to_string())
}

#[test]
fn a_series_names_each_patch_of_its_folder_once() {
    let names: Vec<_> = load(&["2.patch", "1.patch"], "1.patch\n\n2.patch\n")
        .unwrap()
        .patches
        .into_iter()
        .map(|patch| patch.name)
        .collect();
    assert_eq!(names, ["1.patch", "2.patch"]);
    for (series, problem) in [
        (
            "1.patch\n",
            "the patch is not listed in the series: 2.patch",
        ),
        ("", "the patch is not listed in the series: "),
        (
            "1.patch\n2.patch\n1.patch\n",
            "listed twice in the series: 1.patch",
        ),
        ("1.patch\n2.patch\n../3.patch\n", "../3.patch"),
        ("1.patch\n2.patch\n# note\n", "# note"),
        ("1.patch\n2.patch\n3.patch\n", "3.patch"),
    ] {
        let error = load(&["1.patch", "2.patch"], series).expect_err(series);
        assert!(error.contains(problem), "{series:?}: {error}");
    }
}

/// Git made the patch, so this must come to what git had.
#[test]
fn what_git_writes_applies_to_what_git_had() {
    if common::git_is_missing() {
        return;
    }
    let mut random = 1u64;
    let mut next = move |below: u64| {
        random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (random >> 33) % below
    };
    let mut kinds = BTreeMap::new();
    for round in 0..60 {
        let mut old: Vec<String> = (0..next(25))
            .map(|_| format!("line {}\n", next(6)))
            .collect();
        let mut new = old.clone();
        for _ in 0..=next(4) {
            let at = next(new.len() as u64 + 1) as usize;
            match next(3) {
                0 if at < new.len() => drop(new.remove(at)),
                1 if at < new.len() => new[at] = format!("changed {round}\r\n"),
                _ => new.insert(at, format!("added {round}\n")),
            }
        }
        for lines in [&mut old, &mut new] {
            if next(3) == 0
                && let Some(last) = lines.last_mut()
            {
                last.pop();
            }
        }
        let (old, new) = (old.concat(), new.concat());
        let folder = source(&[("a/src/a.rs", &old), ("b/src/a.rs", &new)]);
        let context = format!("--unified={}", next(3));
        let diff = common::git_difference(folder.path(), &context);
        if old == new {
            assert_eq!(diff, "");
            continue;
        }
        let bare: String = diff
            .split_inclusive('\n')
            .filter(|line| !line.starts_with("index "))
            .map(|line| {
                match line
                    .strip_prefix("@@ ")
                    .and_then(|rest| rest.split_once(" @@"))
                {
                    Some((numbers, _)) => format!("@@ {numbers} @@\n"),
                    None => line.to_owned(),
                }
            })
            .collect();
        assert_eq!(applied(&old, &bare).as_ref(), Ok(&new), "{old:?}\n{bare}");
        *kinds.entry(bare.contains("\\ No newline")).or_insert(0) += 1;
    }
    assert!(
        kinds.len() == 2,
        "too few kinds of ends were tried: {kinds:?}"
    );
}
