use crate::{COMPILERS, assert_succeeds, in_directory, stdout};

#[test]
fn the_key_is_made_and_everything_else_refused() {
    for compiler in COMPILERS {
        let work = tempfile::tempdir().unwrap();
        let output = in_directory(work.path(), "genrsa", &["--compiler", compiler]);
        assert_succeeds(&output);
        let said = stdout(&output);
        let attempts: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("done  "))
            .collect();
        assert_eq!(attempts.len(), 4, "{said}");
        assert!(
            attempts
                .iter()
                .all(|line| line.contains("refused: Permission denied")),
            "{said}"
        );
        let key = std::fs::read_to_string(work.path().join("keys/key.pem")).unwrap();
        assert!(
            key.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"),
            "{key}"
        );
        let left: Vec<_> = std::fs::read_dir(work.path().join("keys"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["key.pem"], "nothing else is left behind");
    }
}

#[test]
fn the_hosts_openssl_accepts_the_key() {
    let work = tempfile::tempdir().unwrap();
    let output = in_directory(work.path(), "genrsa", &[]);
    assert_succeeds(&output);
    let said = stdout(&output);
    if said.contains("the host has no `openssl`") {
        wasix_landlock_testing::skipped("the host has no `openssl`");
        return;
    }
    assert!(said.contains("openssl rsa -check: RSA key ok"), "{said}");
}
