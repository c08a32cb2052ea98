//! A policy from outside takes from what a program grants, on both layers; the program is one without a builder's call
//! for it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use wasix_landlock::{Access, Network, Protection, Report, Status};
use wasix_landlock_testing::output::{assert_succeeds, stdout};
use wasix_landlock_testing::{
    ORDINARY_USER, ask, is_root, isolated, skip_from_anywhere, with_variable,
};
use wasmer_wasix::WasiEnvBuilder;
use wasmer_wasix::landlock::{BuildError, Cause, Instance, OutsideError, POLICY_VARIABLE};
use wasmer_wasix::runners::{MappedDirectory, wasi::WasiRunner};
use wasmer_wasix::wasmer_wasix_types::wasi::Rights;

use crate::common::{
    DENIED,
    guest::{CREATE_NEW, Guest, READ, WRITE},
    host::{builder, host_builder, tokio, with_data},
    tree::{Tree, assert_granted, assert_refused},
};

/// Runs the body with this policy from outside.
fn under(policy: &str, body: impl FnOnce()) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("policy.toml");
    std::fs::write(&path, policy).unwrap();
    with_variable(POLICY_VARIABLE, Some(path.as_os_str()), body);
}

fn allowing(path: &Path, access: Access) -> String {
    let kind = if path.is_file() { "file" } else { "directory" };
    let Access {
        read,
        write,
        create,
    } = access;
    format!(
        "[[preopen]]\nhost = {path:?}\nkind = \"{kind}\"\nread = {read}\nwrite = {write}\ncreate = {create}\n"
    )
}

/// The name inside of `granted`, to be read, changed and added to.
fn mapped(tree: &Tree) -> WasiEnvBuilder {
    host_builder()
        .preopen_build(|p| {
            p.directory(tree.granted())
                .alias("data")
                .read(true)
                .write(true)
                .create(true)
        })
        .unwrap()
}

fn runner(tree: &Tree) -> WasiRunner {
    let mut runner = WasiRunner::new();
    runner.with_mapped_directories([MappedDirectory {
        host: tree.granted(),
        guest: "/data".to_owned(),
    }]);
    runner
}

/// The module reads, and changes nothing.
fn check_reads_only(mut guest: Guest, directory: &str, prefix: &str) {
    let fd = guest.preopen(directory);
    let at = |name: &str| format!("{prefix}{name}");
    assert_eq!(guest.read(fd, &at("file")).unwrap(), b"content");
    assert_eq!(guest.read(fd, &at("sub/file")).unwrap(), b"content");
    assert!(guest.can_open(fd, &at("file"), WRITE).is_err());
    assert!(guest.can_open(fd, &at("new"), CREATE_NEW).is_err());
    assert!(guest.unlink(fd, &at("file")).is_err());
    assert!(guest.create_directory(fd, &at("made")).is_err());
    let denials = guest.denials();
    assert!(
        denials.iter().all(|denial| denial.cause == Cause::Outside),
        "{denials}"
    );
    assert!(denials.len() >= 3 && denials.iter().all(|denial| denial.remedy().is_none()));
    let report = guest.report();
    let outside = report.outside.as_ref().unwrap();
    assert!(!outside.refused && outside.files[0].ends_with("policy.toml"));
    assert!(
        outside
            .taken
            .iter()
            .any(|taken| taken.ends_with(": write+create")),
        "{report}"
    );
}

/// The module changes files.
fn check_writes(mut guest: Guest, directory: &str, prefix: &str) {
    let fd = guest.preopen(directory);
    guest
        .write(fd, &format!("{prefix}new"), CREATE_NEW, b"x")
        .unwrap();
    guest.unlink(fd, &format!("{prefix}new")).unwrap();
    assert_eq!(guest.report().outside, None);
}

/// A grant of `granted`: its directory's name inside, and the beginning of paths in it.
type Program = (fn(&Tree) -> Guest, &'static str, &'static str);

const PROGRAMS: [Program; 4] = [
    (|tree| Guest::new(mapped(tree)), "data", ""),
    (
        |tree| Guest::new(with_data(builder(), tree, true)),
        "data",
        "",
    ),
    (|tree| Guest::of(&runner(tree)), "/", "data/"),
    (
        |tree| Guest::new(host_builder().preopen_dir(tree.granted()).unwrap()),
        "GRANTED",
        "",
    ),
];

/// A program with files of its own to grant.
struct Case {
    tree: Tree,
    make: fn(&Tree) -> Guest,
    name: String,
    prefix: &'static str,
}

impl Case {
    fn new(place: usize) -> Self {
        let tree = Tree::new();
        let (make, name, prefix) = PROGRAMS[place];
        let name = name.replace("GRANTED", tree.granted().to_str().unwrap());
        Self {
            tree,
            make,
            name,
            prefix,
        }
    }
}

macro_rules! for_each_program {
    ($($name:ident = $place:literal;)*) => { $(
        mod $name {
            use super::*;

            #[test]
            fn reads_what_the_policy_lets_it_read() {
                isolated!(|| {
                    let _tokio = tokio().enter();
                    let Case { tree, make, name, prefix } = Case::new($place);
                    under(&allowing(&tree.granted(), Access::READ), || {
                        let guest = make(&tree);
                        tree.assert_only_granted(Access::READ);
                        check_reads_only(guest, &name, prefix);
                    });
                });
            }

            #[test]
            fn writes_without_the_policy() {
                isolated!(|| {
                    let _tokio = tokio().enter();
                    let Case { tree, make, name, prefix } = Case::new($place);
                    let guest = make(&tree);
                    tree.assert_only_granted(Access::ALL);
                    check_writes(guest, &name, prefix);
                });
            }

            #[test]
            fn has_nothing_of_a_path_that_the_policy_does_not_name() {
                isolated!(|| {
                    let _tokio = tokio().enter();
                    let Case { tree, make, prefix, .. } = Case::new($place);
                    under(&allowing(&tree.also(), Access::ALL), || {
                        let mut guest = make(&tree);
                        assert_refused(&tree.granted());
                        // Nobody granted it.
                        assert_refused(&tree.also());
                        for fd in 3..6 {
                            assert!(guest.can_open(fd, &format!("{prefix}file"), READ).is_err());
                        }
                        let report = guest.report();
                        assert!(report.to_string().contains("taken away: `"), "{report}");
                    });
                });
            }

            #[test]
            fn has_the_part_that_the_policy_names() {
                isolated!(|| {
                    let _tokio = tokio().enter();
                    let Case { tree, make, name, prefix } = Case::new($place);
                    let granted = tree.granted();
                    under(&allowing(&granted.join("sub"), Access::READ), || {
                        let mut guest = make(&tree);
                        assert_eq!(ask::open_read(granted.join("sub/file")), Ok(()));
                        assert_eq!(ask::open_write(granted.join("sub/file")), DENIED);
                        assert_eq!(ask::open_read(granted.join("file")), DENIED);
                        assert_refused(&tree.also());
                        // A host preopen shows the part as a preopen of its own.
                        let (fd, path) = if $place == 1 {
                            (guest.preopen("data/sub"), "file".to_owned())
                        } else {
                            (guest.preopen(&name), format!("{prefix}sub/file"))
                        };
                        assert_eq!(guest.read(fd, &path).unwrap(), b"content");
                        assert!(guest.can_open(fd, &path, WRITE).is_err());
                    });
                });
            }
        }
    )* };
}

for_each_program! {
    a_mapped_directory = 0;
    a_host_preopen = 1;
    a_runner = 2;
    a_preopened_directory = 3;
}

#[test]
fn the_module_sees_a_preopen_without_the_rights_that_were_taken() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        under(&allowing(&tree.granted(), Access::READ), || {
            let mut guest = Guest::new(mapped(&tree));
            let fd = guest.preopen("data");
            let rights = guest.rights_of_fd(fd);
            assert!(rights.contains(Rights::PATH_OPEN | Rights::FD_READDIR));
            assert!(
                !rights.intersects(Rights::PATH_CREATE_FILE | Rights::PATH_UNLINK_FILE),
                "{rights:?}"
            );
        });
    });
}

#[test]
fn a_policy_that_allows_more_changes_nothing() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        under(&allowing(tree.root(), Access::ALL), || {
            let mut guest = Guest::new(with_data(builder(), &tree, false));
            tree.assert_only_granted(Access::READ);
            let fd = guest.preopen("data");
            assert_eq!(guest.read(fd, "file").unwrap(), b"content");
            let report = guest.report();
            assert_eq!(report.outside.as_ref().unwrap().taken, [""; 0]);
            assert!(
                report
                    .preopens
                    .iter()
                    .all(|p| p.status != Status::NotGranted)
            );
            assert!(
                report
                    .to_string()
                    .contains("allows all that the program grants"),
                "{report}"
            );
        });
    });
}

#[test]
fn a_file_that_may_not_be_made_is_gone() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        under(&allowing(&tree.also(), Access::READ), || {
            let builder = builder()
                .preopen(|p| p.path(tree.path("also/new")).alias("/out/new").create(true))
                .and_then(|b| {
                    b.preopen(|p| {
                        p.path(tree.path("also/file"))
                            .alias("/out/file")
                            .read(true)
                            .write(true)
                    })
                })
                .unwrap();
            let mut guest = Guest::new(builder);
            assert!(!tree.path("also/new").exists());
            assert_eq!(ask::open_read(tree.path("also/file")), Ok(()));
            assert_eq!(ask::open_write(tree.path("also/file")), DENIED);
            let out = guest.preopen("/out");
            assert_eq!(guest.read(out, "file").unwrap(), b"content");
            assert!(guest.can_open(out, "file", WRITE).is_err());
        });
    });
}

#[test]
fn a_link_out_of_the_policys_paths_is_gone() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        let link = tree.path("also/link");
        std::os::unix::fs::symlink(tree.outside(), &link).unwrap();
        under(&allowing(&tree.also(), Access::ALL), || {
            let builder = builder().preopen(|p| p.directory(&link).alias("data").read(true));
            drop(builder.unwrap().build().unwrap());
            assert_refused(&tree.outside());
            assert_refused(&tree.also());
        });
    });
}

/// Runs the body with the variable at this path, where `build()` fails and restricts nothing.
fn check_fails(path: &OsStr, parts: &[&str]) {
    with_variable(POLICY_VARIABLE, Some(path), || {
        let tree = Tree::new();
        let error = with_data(builder(), &tree, true)
            .build_enforced()
            .unwrap_err();
        assert!(
            matches!(error, BuildError::Outside(OutsideError::File(_))),
            "{error:?}"
        );
        let text = with_data(builder(), &tree, true)
            .build()
            .unwrap_err()
            .to_string();
        for part in parts.iter().chain(&[POLICY_VARIABLE]) {
            assert!(text.contains(part), "{text}");
        }
        assert_granted(&tree.outside(), Access::ALL);
    });
}

#[test]
fn a_policy_that_can_not_be_read_is_an_error_that_names_the_place() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("policy.toml");
        check_fails(path.as_os_str(), &["policy.toml", "can't read"]);
        check_fails(directory.path().as_os_str(), &["no file `*.toml`"]);
        for (text, place) in [
            ("limits.threads = 1\nlimit.threads = 1", "policy.toml:2:1: "),
            ("enforcement.harden = maybe", "policy.toml:1:"),
            ("arguments = []", "policy.toml:1:1: "),
        ] {
            std::fs::write(&path, text).unwrap();
            check_fails(path.as_os_str(), &[place]);
            check_fails(directory.path().as_os_str(), &[place]);
        }
    });
}

#[test]
fn an_empty_variable_is_none() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        with_variable(POLICY_VARIABLE, Some(OsStr::new("")), || {
            check_writes(Guest::new(with_data(builder(), &tree, true)), "data", "");
        });
    });
}

#[test]
fn a_program_can_refuse_it_and_the_report_says_so() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        under(&allowing(&tree.also(), Access::READ), || {
            let builder = with_data(builder(), &tree, true).landlock(|p| p.refuse_outside_policy());
            let report: Report = (*Guest::new(builder).report()).clone();
            tree.assert_only_granted(Access::ALL);
            assert!(report.outside.as_ref().unwrap().refused);
            assert!(report.to_string().contains("IGNORED"), "{report}");
        });
    });
}

#[test]
fn ports_are_those_that_both_name() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        assert_eq!(ask::bind_tcp(0), Ok(()));
        under("network.connect = [443]", || {
            let builder = with_data(builder(), &tree, false)
                .landlock(|p| p.network(Network::none().connect(443).connect(80).bind(0)));
            let report = builder.build().unwrap().landlock_report().unwrap();
            assert_eq!(report.network, Some(Network::none().connect(443)));
            assert_eq!(ask::bind_tcp(0), DENIED);
        });
    });
}

#[test]
fn a_program_that_says_nothing_of_ports_has_those_of_the_policy() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        under("network.connect = [443]", || {
            let builder = with_data(builder(), &tree, false);
            let report = builder.build().unwrap().landlock_report().unwrap();
            assert_eq!(report.network, Some(Network::none().connect(443)));
            assert_eq!(ask::bind_tcp(0), DENIED);
        });
    });
}

#[test]
fn hardening_is_added() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        under("enforcement.harden = true", || {
            let builder =
                with_data(builder(), &tree, true).landlock(|p| p.without(Protection::Metadata));
            let mut guest = Guest::new(builder);
            let report = guest.report();
            assert!(report.protects(Protection::Metadata) && report.protects(Protection::Exec));
            assert_eq!(
                ask::change_mode(tree.path("granted/file")),
                Err(libc::EPERM)
            );
            let taken = &report.outside.as_ref().unwrap().taken;
            assert!(
                taken.contains(&"protection metadata: strict, not off".to_owned()),
                "{report}"
            );
            let fd = guest.preopen("data");
            guest.write(fd, "file", WRITE, b"content").unwrap();
        });
    });
}

#[test]
fn files_in_memory_have_a_quota() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let bytes = [b'x'; 600];
        let mut text = "limits.disk-bytes = 1000\n".to_owned();
        writeln!(text, "unsaved-writes = \"report\"").unwrap();
        under(&text, || {
            let mut guest = Guest::new(builder().preopen_dir("/").unwrap());
            let root = guest.preopen("/");
            guest.write(root, "tmp-a", CREATE_NEW, &bytes).unwrap();
            let fd = guest.open(root, "tmp-b", CREATE_NEW).unwrap();
            let write = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                guest.write_fd(fd, &bytes)
            }));
            assert!(!matches!(write, Ok(Ok(_))), "beyond the quota");
        });
        let mut guest = Guest::new(builder().preopen_dir("/").unwrap());
        let root = guest.preopen("/");
        for name in ["tmp-a", "tmp-b", "tmp-c"] {
            guest.write(root, name, CREATE_NEW, &bytes).unwrap();
        }
    });
}

#[test]
fn an_instance_is_narrowed_too() {
    isolated!(|| {
        let tree = Tree::new();
        let granted = tree.granted();
        under(&allowing(&granted, Access::READ), || {
            let instance = Instance::new("guest")
                .preopen(|p| p.directory(&granted).alias("data").read(true).write(true))
                .unwrap();
            let file = granted.join("file");
            let running = instance.spawn(move |_| (ask::open_read(&file), ask::open_write(&file)));
            let running = running.unwrap();
            assert!(running.report().outside.is_some());
            assert_eq!(running.join().unwrap().value, (Ok(()), DENIED));
            assert_granted(&granted, Access::ALL);
        });
    });
}

/// The directory of the program that is started with another user's privileges.
const PRIVILEGED: &str = "WASIX_LANDLOCK_TEST_PRIVILEGED";

/// True if the kernel says that this program was executed with more privileges than its caller has.
fn is_secure() -> bool {
    // AT_SECURE in linux/auxvec.h; pairs of words.
    const AT_SECURE: u64 = 23;
    let vector = std::fs::read("/proc/self/auxv").unwrap();
    let words: Vec<u64> = vector
        .chunks_exact(8)
        .map(|word| u64::from_ne_bytes(word.try_into().unwrap()))
        .collect();
    words.chunks_exact(2).any(|pair| pair == [AT_SECURE, 1])
}

/// Grants a directory, and prints whether the program is privileged and whether the policy was applied.
fn grant_as_another_program(directory: &Path) {
    // Nobody grants `/proc`.
    let is_secure = is_secure();
    let granting = host_builder().preopen_build(|p| p.directory(directory).read(true).write(true));
    let guest = Guest::new(granting.unwrap());
    let is_applied = guest.report().outside.is_some();
    let is_writable = ask::open_write(directory.join("file")) == Ok(());
    assert_eq!(is_writable, !is_applied);
    println!("secure: {is_secure}, applied: {is_applied}");
}

#[test]
fn a_set_user_id_program_ignores_the_variable() {
    isolated!(|| {
        if let Some(directory) = std::env::var_os(PRIVILEGED) {
            return grant_as_another_program(Path::new(&directory));
        }
        if !is_root() {
            skip_from_anywhere("only root can make a set-user-ID program of root");
        }
        let tree = Tree::new();
        std::fs::set_permissions(tree.granted(), Permissions::from_mode(0o777)).unwrap();
        let file = tree.granted().join("file");
        std::fs::set_permissions(file, Permissions::from_mode(0o666)).unwrap();
        let program = std::env::temp_dir().join("program");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let policy = std::env::temp_dir().join("policy.toml");
        std::fs::write(&policy, allowing(&tree.granted(), Access::READ)).unwrap();
        for mode in [0o755, 0o4755] {
            std::fs::set_permissions(&program, Permissions::from_mode(mode)).unwrap();
            let output = Command::new(&program)
                .args(std::env::args_os().skip(1))
                .env(PRIVILEGED, tree.granted())
                .env(POLICY_VARIABLE, &policy)
                .uid(ORDINARY_USER)
                .gid(ORDINARY_USER)
                .output()
                .unwrap();
            assert_succeeds(&output);
            let printed = stdout(&output);
            if mode == 0o4755 && printed.contains("secure: false") {
                skip_from_anywhere("set-user-ID has no effect on this file system");
            }
            let expected = match mode {
                0o755 => "secure: false, applied: true",
                _ => "secure: true, applied: false",
            };
            assert!(printed.contains(expected), "{printed}");
        }
    });
}
