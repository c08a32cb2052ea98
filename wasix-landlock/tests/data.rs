//! Access, protections and reports as data: nothing is enforced here.
#![allow(clippy::unwrap_used)]

use wasix_landlock::{
    Access, DenialReport, Level, Object, Policy, Protection, Report, Right, Verdict,
};

const README: &str = include_str!("../README.md");

#[test]
fn intersection_union_and_contains_agree() {
    let rw = Access::READ_WRITE;
    assert_eq!(rw.intersection(Access::READ), Access::READ);
    assert_eq!(rw.union(Access::CREATE), Access::ALL);
    assert!(Access::ALL.contains(rw));
    assert!(!rw.contains(Access::CREATE));
    assert!(rw.intersection(Access::CREATE).is_empty());
    assert!(rw.contains(Access::NONE));
}

#[test]
fn what_is_never_granted_is_in_no_access() {
    let never = [
        Right::Execute,
        Right::IoctlDev,
        Right::MakeChar,
        Right::MakeBlock,
        Right::MakeSock,
        Right::MakeFifo,
        Right::ResolveUnix,
    ];
    for object in [Object::File, Object::Directory] {
        let rights = Access::ALL.rights_on(object);
        assert!(never.iter().all(|right| !rights.contains(right)));
    }
}

#[test]
fn a_files_access_carries_no_directory_right() {
    let rights = Access::ALL.rights_on(Object::File);
    assert!(rights.into_iter().all(Right::applies_to_files));
    assert_eq!(Access::CREATE.rights_on(Object::File), []);
}

#[test]
fn the_readme_holds_the_table_of_rights() {
    let table = Policy::table();
    assert!(README.contains(&table), "put this in it:\n{table}");
}

#[test]
fn the_readme_names_every_protection() {
    for protection in Protection::ALL {
        assert!(
            README.contains(&format!("| `{protection}` |")),
            "{protection}"
        );
    }
}

#[test]
fn a_policy_that_says_nothing_asks_for_files_and_threads_alone() {
    let policy = Policy::default();
    for protection in Protection::ALL {
        let on = *protection <= Protection::AllThreads;
        assert_eq!(policy.level(*protection) != Level::Off, on, "{protection}");
    }
}

#[test]
fn what_is_named_goes_before_what_hardening_asks_for() {
    use Protection::{Exec, IoUring, Keys, Metadata, Udp};

    let policy = Policy::default()
        .without(Exec)
        .harden()
        .optional(Keys)
        .without(Udp);
    assert_eq!(policy.level(Exec), Level::Off);
    assert_eq!(policy.level(Keys), Level::Degradable);
    assert_eq!(policy.level(Udp), Level::Off);
    assert_eq!(policy.level(Metadata), Level::Strict);
    let one = Policy::default().optional(Metadata);
    assert_eq!(one.level(IoUring), Level::Strict);
    assert_eq!(one.without(IoUring).level(IoUring), Level::Off);
}

#[test]
fn a_grant_of_a_report_holds_for_all_beneath_it_and_for_its_rights() {
    let mut report = Report::default();
    report.handled = Right::ALL.to_vec();
    let preopen = serde_json::json!({
        "guest": "tmp", "origin": "preopen", "asked": Access::READ, "status": "granted",
        "hosts": [{
            "path": "tmp", "resolved": "/tmp", "kind": "directory", "found": "directory",
            "access": Access::READ, "granted": ["read_file", "read_dir"], "not_granted": [], "created": false,
        }],
    });
    report
        .preopens
        .push(serde_json::from_value(preopen).unwrap());
    for (path, access, denied) in [
        ("/tmp", Access::READ, false),
        ("/tmp/some/file", Access::READ, false),
        ("/tmp/some/file", Access::WRITE, true),
        ("/tmp/some/file", Access::CREATE, true),
        ("/tmpother", Access::READ, true),
        ("/", Access::READ, true),
    ] {
        let explained = report.explain(path, access);
        assert_eq!(explained.is_denied(), denied, "{explained}");
    }
    let explained = report.explain("/tmp/some/file", Access::WRITE).to_string();
    assert!(
        explained.contains("the nearest grant is preopen `tmp` (tmp/…: read)"),
        "{explained}"
    );
}

#[test]
fn nothing_is_denied_where_nothing_would_be_restricted() {
    let explained = Report::default().explain("/etc/shadow", Access::ALL);
    assert_eq!(explained.verdict, Verdict::NotRestricted);
}

#[test]
fn denials_are_in_the_text_of_the_report_and_inert() {
    let mut denial = DenialReport::new("opening", "/a\u{1b}[2J", Access::READ, "because");
    denial.host = Some("/srv/a".into());
    denial.missing = vec![Right::ReadFile];
    denial.line = Some(".preopen(…)?".into());
    let mut report = Report::default();
    report.denials.listed.push(denial);
    report.denials.total = 3;
    let text = report.to_string();
    let line = "  denied: opening \"/a\\u{1b}[2J\" (read; on the host \"/srv/a\"): because; missing: read_file; \
                there is no preopen; `.preopen(…)?` would allow it\n";
    assert!(text.contains(line), "{text}");
    assert!(
        text.contains("  denied: 3 accesses were denied, 1 of them listed\n"),
        "{text}"
    );
}

#[test]
fn a_report_without_denials_says_nothing_of_them() {
    let report = Report::default();
    assert!(!report.to_string().contains("denied"));
    assert_eq!(report.denials.to_string(), "no access was denied\n");
}
