//! The research poster's lines, as they stand.

use std::{error::Error, fs};

use wasix_landlock::{Access, Mode};
use wasix_landlock_testing::{ask, isolated};
use wasmer_wasix::{WasiEnv, landlock::WasiState};

use crate::common::{
    DENIED,
    tree::{Tree, assert_file, assert_refused},
};

/// Fails to compile if cargo passed over the patch.
const _: &str = wasmer_wasix::landlock::FORK;

// The poster borrows the arguments, and these are its lines.
#[allow(clippy::needless_borrows_for_generic_args)]
fn genrsa() -> Result<WasiEnv, Box<dyn Error>> {
    let env = WasiState::new("genrsa-wasi")
        .args(&["genrsa", "-out", "keys/key.pem", "2048"])
        .preopen(|p| p.path("keys/key.pem").read(false).write(true).create(true))?
        .build()?;
    Ok(env)
}

for_both_users! {
    fn the_posters_lines_grant_one_file() {
        assert!(tokio::runtime::Handle::try_current().is_err());
        let tree = Tree::new();
        std::env::set_current_dir(tree.root()).unwrap();
        fs::create_dir("keys").unwrap();
        fs::write("keys/neighbour.pem", "somebody else's").unwrap();
        assert_eq!(ask::open_read("keys/neighbour.pem"), Ok(()));

        let env = genrsa().unwrap();
        let report = env.landlock_report().unwrap();
        assert_eq!((report.mode, report.enforced), (Mode::Enforce, true));
        assert_eq!(report.preopens.len(), 1);
        assert!(report.preopens[0].hosts[0].created);
        assert_file("keys/key.pem".as_ref(), Access::WRITE);
        assert_file("keys/neighbour.pem".as_ref(), Access::NONE);
        assert_eq!(ask::create_new("keys/new.pem"), DENIED);
        assert_eq!(ask::open_read("keys"), DENIED);
        assert_eq!(ask::open_read("/etc/passwd"), DENIED);
        assert_refused(&tree.outside());
    }
}

#[test]
fn the_posters_lines_say_which_directory_is_missing() {
    isolated!(|| {
        let tree = Tree::new();
        std::env::set_current_dir(tree.root()).unwrap();
        let error = genrsa().unwrap_err().to_string();
        assert!(
            error.contains("\"keys\"") && error.contains("first"),
            "{error}"
        );
        assert_eq!(ask::open_read(tree.path("outside/file")), Ok(()));
    });
}

#[test]
fn the_posters_lines_work_within_tokio_as_well() {
    isolated!(|| {
        let tree = Tree::new();
        std::env::set_current_dir(tree.root()).unwrap();
        fs::create_dir("keys").unwrap();
        let _tokio = crate::common::host::tokio().enter();
        assert!(genrsa().is_ok());
        assert_file("keys/key.pem".as_ref(), Access::WRITE);
        assert_refused(&tree.outside());
    });
}
