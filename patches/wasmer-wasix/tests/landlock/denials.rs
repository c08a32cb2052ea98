//! The messages to a person about a denial.

use std::{
    ffi::OsStr,
    io,
    sync::{Arc, Mutex},
};

use wasix_landlock::{Access, Verdict};
use wasix_landlock_testing::{as_ordinary_user, ask, isolated, with_variable};
use wasmer_wasix::WasiEnvBuilder;
use wasmer_wasix::landlock::{
    Cause, DENIAL_SCHEMA, DENIALS_KEPT, Denial, DenialCounts, DenialEvent, HostKind, Operation,
    Suggestion,
};
use wasmer_wasix::wasmer_wasix_types::wasi::Rights;

use crate::common::{
    DENIED,
    guest::{CREATE, Guest, Outcome, READ, WRITE},
    host::{as_suggested, builder},
    tree::Tree,
};

/// Returns the needs of a module that may read `granted` as `/data`.
pub fn reading(tree: &Tree) -> WasiEnvBuilder {
    let builder = builder().preopen(|p| p.directory(tree.granted()).alias("data").read(true));
    builder.unwrap()
}

/// A module that may read `granted` as `/data`.
fn reader(tree: &Tree) -> Guest {
    Guest::new(reading(tree))
}

/// The one thing that was refused.
#[track_caller]
pub fn only(guest: &Guest) -> Denial {
    let denials = guest.denials();
    let [denial] = &denials[..] else {
        panic!("{denials}")
    };
    denial.clone()
}

#[test]
fn what_is_granted_is_no_denial() {
    isolated!(|| {
        let tree = Tree::new();
        let mut guest = reader(&tree);
        let directory = guest.preopen("data");
        assert_eq!(guest.read(directory, "sub/file").unwrap(), b"content");
        guest.list(directory).unwrap();
        guest.can_open(directory, "missing", READ).unwrap_err();
        guest.stat(directory, "missing/too").unwrap_err();
        assert_eq!(guest.denials()[..], []);
        assert_eq!(guest.refused_accesses(), 0);
        assert_eq!(guest.denials().to_string(), "no access was denied\n");
    });
}

#[test]
fn denials_are_events_and_counters() {
    isolated!(|| {
        let tree = Tree::new();
        let told = Told::default();
        let counts = DenialCounts::default();
        let builder = reading(&tree).write_denials(told.clone());
        let mut guest = Guest::new(builder.count_denials(&counts));
        let directory = guest.preopen("data");
        guest.read(directory, "file").unwrap();
        assert_eq!((told.text(), counts.so_far().len()), (String::new(), 0));
        for _ in 0..3 {
            guest.can_open(directory, "file", WRITE).unwrap_err();
        }
        guest.unlink(directory, "file").unwrap_err();
        let counted = [(("open", "preopen"), 3), (("unlink", "preopen"), 1)];
        assert_eq!(counts.so_far(), counted.into());
        let text = told.text();
        let events: Vec<DenialEvent> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let [open, unlink] = &events[..] else {
            panic!("{text}")
        };
        assert_eq!(open.schema, DENIAL_SCHEMA);
        assert_eq!((&*open.operation, &*open.cause), ("open", "preopen"));
        assert_eq!(open.access, Access::WRITE);
        assert_eq!(
            open.host,
            Some(tree.path("granted/file").display().to_string())
        );
        assert_eq!(unlink.operation, "unlink");
        assert_eq!(
            counts.so_far().values().sum::<u64>(),
            guest.refused_accesses()
        );
    });
}

#[test]
fn the_report_has_what_was_refused_until_it_is_asked_for() {
    isolated!(|| {
        let tree = Tree::new();
        let mut guest = reader(&tree);
        let directory = guest.preopen("data");
        let before = guest.report();
        assert_eq!(before.denials.total, 0);
        for _ in 0..3 {
            guest.can_open(directory, "file", WRITE).unwrap_err();
        }
        let after = guest.report();
        // The one that was asked for earlier stays as it was.
        assert_eq!(before.denials.total, 0);
        assert_eq!((after.denials.total, after.denials.more), (3, false));
        let denial = only(&guest);
        let [told] = &after.denials.listed[..] else {
            panic!("{after}")
        };
        assert_eq!(told.guest, "/data/file");
        assert_eq!(told.host.as_deref(), tree.path("granted/file").to_str());
        assert_eq!(told.access, Access::WRITE);
        assert_eq!(told.line, denial.remedy());
        assert!(denial.to_string().starts_with(&told.to_string()));
        assert!(after.to_string().contains(&format!("  denied: {told}\n")));
        assert_eq!(after.enforced, before.enforced);
    });
}

#[test]
fn what_is_opened_for_more_than_was_asked_first_is_no_denial() {
    isolated!(|| {
        let tree = Tree::new();
        let builder =
            builder().preopen(|p| p.path(tree.path("granted/file")).alias("out").write(true));
        let mut guest = Guest::new(builder.unwrap());
        let directory = guest.preopen(".");
        guest.write(directory, "out", WRITE, b"x").unwrap();
        assert_eq!(guest.denials()[..], []);
        guest.read(directory, "out").unwrap_err();
        assert_eq!(only(&guest).access, Access::READ);
    });
}

#[test]
fn a_denial_says_what_was_missing_and_what_would_grant_it() {
    isolated!(|| {
        let tree = Tree::new();
        let file = tree.path("granted/file");
        assert_eq!(ask::open_write(&file), Ok(()));
        let mut guest = reader(&tree);
        let directory = guest.preopen("data");
        assert_eq!(ask::open_write(&file), DENIED);
        guest.write(directory, "file", WRITE, b"x").unwrap_err();
        let denial = only(&guest);
        assert_eq!(denial.operation, Operation::Open);
        assert_eq!(denial.cause, Cause::Preopen);
        assert!(denial.guest.ends_with("data/file"), "{denial}");
        assert_eq!(denial.explanation.path, file);
        let nearest = denial.nearest.as_ref().unwrap();
        assert_eq!(
            (&nearest.host, nearest.access),
            (&tree.granted(), Access::READ)
        );
        let Verdict::NotGranted { needs, nearest, .. } = &denial.explanation.verdict else {
            panic!("{denial}")
        };
        assert!(needs.contains(Access::WRITE), "{denial}");
        assert_eq!(nearest.as_ref().unwrap().path, tree.granted());
        let remedy = denial.remedy().unwrap();
        let expected =
            format!(".preopen(|p| p.path({file:?}).alias(\"/data/file\").read(true).write(true))?");
        assert_eq!(remedy, expected);
        for part in ["opening", "write_file", &remedy] {
            assert!(denial.to_string().contains(part), "{denial}");
        }
    });
}

/// Does `attempt`, which must fail without the suggestion, and must not with it; it is told which.
fn allowed_by_suggestion(tree: &Tree, attempt: impl Fn(&mut Guest, bool) -> Outcome) -> Suggestion {
    let mut suggestion = None;
    with_variable("WASIX_LANDLOCK", Some(OsStr::new("off")), || {
        let mut guest = reader(tree);
        attempt(&mut guest, false).unwrap_err();
        suggestion = only(&guest).suggestion().cloned();
    });
    let suggestion = suggestion.unwrap();
    let allowed = reading(tree).preopen(|p| as_suggested(p, &suggestion));
    let mut guest = Guest::new(allowed.unwrap());
    attempt(&mut guest, true).unwrap();
    assert_eq!(ask::open_read(tree.outside()), DENIED);
    suggestion
}

/// The preopen and the path in it, as the C library finds it: by the preopen with the longest name.
fn name_of(allowed: bool, name: &str) -> (&'static str, String) {
    if allowed {
        ("/data/sub", name.to_owned())
    } else {
        ("data", format!("sub/{name}"))
    }
}

#[test]
fn what_is_suggested_allows_a_write_and_nothing_beside() {
    isolated!(|| {
        let tree = Tree::new();
        let suggestion = allowed_by_suggestion(&tree, |guest, allowed| {
            let (name, path) = name_of(allowed, "file");
            let directory = guest.preopen(name);
            guest.write(directory, &path, WRITE, b"x")
        });
        assert_eq!(suggestion.kind, HostKind::File);
        assert_eq!(ask::open_write(tree.path("granted/sub/file")), Ok(()));
        assert_eq!(ask::open_write(tree.path("granted/file")), DENIED);
    });
}

#[test]
fn what_is_suggested_allows_to_make_a_directory() {
    isolated!(|| {
        let tree = Tree::new();
        let suggestion = allowed_by_suggestion(&tree, |guest, allowed| {
            // As the C library does it: by the preopen with the longest name.
            let (name, path) = if allowed {
                ("/data/sub", "new")
            } else {
                ("data", "sub/new")
            };
            let directory = guest.preopen(name);
            guest.create_directory(directory, path)
        });
        assert_eq!(suggestion.host, tree.path("granted/sub"));
        assert_eq!(ask::make_directory(tree.path("granted/new")), DENIED);
    });
}

#[test]
fn what_lies_outside_is_told_if_it_is_there() {
    isolated!(|| {
        let tree = Tree::new();
        let mut guest = reader(&tree);
        let directory = guest.preopen("data");
        let outside = tree.path("outside/file");
        guest
            .can_open(directory, "/no/such/file", READ)
            .unwrap_err();
        assert_eq!(guest.denials()[..], []);
        guest
            .can_open(directory, outside.to_str().unwrap(), READ)
            .unwrap_err();
        let denial = only(&guest);
        assert_eq!(denial.cause, Cause::NoPreopen, "{denial}");
        let expected = format!(".preopen(|p| p.path({outside:?}).read(true))?");
        assert_eq!(denial.remedy(), Some(expected));
    });
}

#[test]
fn a_path_that_leads_out_is_told() {
    isolated!(|| {
        let tree = Tree::new();
        std::os::unix::fs::symlink("../outside/file", tree.path("granted/link")).unwrap();
        let mut guest = reader(&tree);
        let directory = guest.preopen("data");
        guest
            .can_open(directory, "../outside/file", READ)
            .unwrap_err();
        let denial = only(&guest);
        assert_eq!(denial.cause, Cause::Escape, "{denial}");
        assert_eq!(denial.explanation.path, tree.path("outside/file"));
        guest.can_open(directory, "link", READ).unwrap_err();
        let denials = guest.denials();
        assert_eq!(denials.len(), 2, "{denials}");
        assert_eq!(denials[1].cause, Cause::Escape, "{denials}");
    });
}

#[test]
fn a_descriptor_without_the_right_is_told_apart_from_its_preopen() {
    isolated!(|| {
        let tree = Tree::new();
        let builder = reading(&tree).preopen(|p| {
            p.directory(tree.also())
                .alias("also")
                .read(true)
                .write(true)
        });
        let mut guest = Guest::new(builder.unwrap());
        let (data, also) = (guest.preopen("data"), guest.preopen("also"));
        for (directory, cause) in [(data, Cause::Preopen), (also, Cause::Descriptor)] {
            let fd = guest.open_with(directory, "file", Rights::FD_READ).unwrap();
            guest.write_fd(fd, b"x").unwrap_err();
            let denials = guest.denials();
            let denial = denials.last().unwrap();
            assert_eq!(denial.operation, Operation::Write);
            assert_eq!(denial.cause, cause, "{denial}");
            assert_eq!(
                denial.remedy().is_some(),
                cause == Cause::Preopen,
                "{denial}"
            );
        }
    });
}

#[test]
fn a_granted_file_that_was_replaced_is_told() {
    isolated!(|| {
        let tree = Tree::new();
        let (file, other) = (tree.path("granted/file"), tree.path("granted/other"));
        let builder = builder()
            .preopen(|p| p.path(&file).alias("file").read(true))
            .unwrap()
            // For this program, so that it can replace the file.
            .landlock(|l| {
                l.runtime_path(tree.granted(), Access::WRITE.union(Access::CREATE), "test")
            });
        let mut guest = Guest::new(builder);
        let directory = guest.preopen(".");
        assert_eq!(guest.read(directory, "file").unwrap(), b"content");
        std::fs::write(&other, "other").unwrap();
        std::fs::rename(&other, &file).unwrap();
        guest.stat(directory, "file").unwrap();
        guest.read(directory, "file").unwrap_err();
        let denial = only(&guest);
        assert_eq!(denial.cause, Cause::Replaced, "{denial}");
        assert!(denial.to_string().contains("was replaced"), "{denial}");
        let suggestion = denial.suggestion().unwrap();
        assert_eq!(
            (suggestion.kind, &suggestion.host),
            (HostKind::Directory, &tree.granted())
        );
    });
}

#[test]
fn a_files_own_permissions_are_not_blamed_on_the_preopen() {
    isolated!(|| {
        as_ordinary_user(|| {
            let tree = Tree::new();
            let file = tree.path("granted/file");
            let secret = std::os::unix::fs::PermissionsExt::from_mode(0o000);
            let mut guest = reader(&tree);
            let directory = guest.preopen("data");
            std::fs::set_permissions(&file, secret).unwrap();
            guest.read(directory, "file").unwrap_err();
            let denial = only(&guest);
            assert_eq!(denial.cause, Cause::Host, "{denial}");
            assert_eq!(denial.remedy(), None);
        });
    });
}

#[test]
fn a_path_is_told_without_what_a_terminal_obeys() {
    isolated!(|| {
        let tree = Tree::new();
        let mut guest = reader(&tree);
        let directory = guest.preopen("data");
        guest
            .can_open(directory, "a\x1b[2Jb\u{202e}\n", CREATE)
            .unwrap_err();
        let told = guest.denials().to_string();
        assert!(told.contains("2Jb"), "{told}");
        assert!(!told.contains(['\x1b', '\u{202e}']), "{told:?}");
        assert_eq!(told.lines().count(), 2, "{told:?}");
    });
}

#[test]
fn it_is_explained_before_it_is_tried() {
    isolated!(|| {
        let tree = Tree::new();
        let guest = reader(&tree);
        let explain = |path: &str, access| guest.explain(path, access);
        assert_eq!(explain("/data/file", Access::READ), None);
        let denial = explain("/data/file", Access::WRITE).unwrap();
        assert_eq!(denial.cause, Cause::Preopen);
        assert!(denial.remedy().unwrap().contains(".write(true)"));
        let outside = tree.path("outside/file");
        let denial = explain(outside.to_str().unwrap(), Access::READ).unwrap();
        assert_eq!(denial.cause, Cause::NoPreopen);
        assert_eq!(guest.denials()[..], []);
    });
}

/// The receiver of the events.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u8>>>);

impl Told {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_flood_is_counted_and_not_told() {
    isolated!(|| {
        const REFUSED: u64 = 100_000;
        let told = Told::default();
        let writer = told.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_writer(move || writer.clone())
            .init();
        let tree = Tree::new();
        let mut guest = reader(&tree);
        let directory = guest.preopen("data");
        let before = told.0.lock().unwrap().len();
        for number in 0..REFUSED {
            let name = format!("file{}", number % 1000);
            guest.can_open(directory, &name, CREATE).unwrap_err();
        }
        let denials = guest.denials();
        assert_eq!(denials.len(), DENIALS_KEPT);
        assert_eq!(denials.refused, REFUSED);
        assert!(denials.more);
        drop(guest);
        let told = told.0.lock().unwrap();
        let told = std::str::from_utf8(&told[before..]).unwrap();
        // Each one, that there are more, and at the end how many.
        assert_eq!(told.lines().count(), DENIALS_KEPT + 2, "{told}");
        assert!(
            told.contains("100000 accesses were refused, of which 64 were told"),
            "{told}"
        );
    });
}
