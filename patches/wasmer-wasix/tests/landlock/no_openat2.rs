//! A container whose seccomp profile refuses `openat2`: paths are resolved name by name, and lead out no more than
//! otherwise.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use wasmer_wasix::wasmer_wasix_types::wasi::Errno;

use crate::common::{
    guest::{CREATE, CREATE_NEW, Guest, READ},
    host::{builder, tokio, with_data},
    tree::Tree,
};

/// From now on `openat2` fails with this number, in this thread and those that it starts.
fn refuse_openat2(number: i32) {
    let action = SeccompAction::Errno(number.cast_unsigned());
    let rules = BTreeMap::from([(libc::SYS_openat2, Vec::new())]);
    let target = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, target).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}

fn resolves_without(number: i32) {
    let tree = Tree::new();
    let at = |name: &str| tree.granted().join(name);
    for (target, name) in [
        ("file", "link"),
        ("sub", "to-sub"),
        ("../file", "sub/up"),
        ("to-sub/up", "twice"),
        ("made", "dangling"),
        ("round", "round"),
        ("../outside/file", "out"),
        ("..", "sub/above"),
    ] {
        symlink(target, at(name)).unwrap();
    }
    symlink(tree.outside(), at("absolute")).unwrap();
    refuse_openat2(number);
    let _tokio = tokio().enter();
    let mut guest = Guest::new(with_data(builder(), &tree, true));
    let directory = guest.preopen("data");
    for path in [
        "file",
        "link",
        "to-sub/file",
        "sub/up",
        "twice",
        "sub/../file",
        "./sub//above/file",
    ] {
        assert_eq!(
            guest.read(directory, path).as_deref(),
            Ok(&b"content"[..]),
            "{path}"
        );
    }
    for (path, error) in [
        ("out", Errno::Perm),
        ("absolute/file", Errno::Perm),
        ("sub/above/../outside/file", Errno::Perm),
        ("round", Errno::Loop),
        ("file/", Errno::Notdir),
        ("link/x", Errno::Notdir),
        ("nothing/x", Errno::Noent),
    ] {
        assert_eq!(guest.can_open(directory, path, READ), Err(error), "{path}");
    }
    assert_eq!(
        guest.can_open(directory, "link", CREATE_NEW),
        Err(Errno::Exist)
    );
    guest
        .write(directory, "dangling", CREATE, b"by a link")
        .unwrap();
    assert_eq!(fs::read(at("made")).unwrap(), b"by a link");
    guest.create_directory(directory, "to-sub/new").unwrap();
    assert!(at("sub/new").is_dir());
    assert_eq!(
        guest.create_directory(directory, "out/new"),
        Err(Errno::Perm)
    );
    guest
        .rename((directory, "sub/up"), (directory, "sub/new/up"))
        .unwrap();
    guest.unlink(directory, "to-sub/new/up").unwrap();
    guest.remove_directory(directory, "sub/new").unwrap();
}

for_both_users! {
    fn a_call_that_is_said_to_be_missing_is_done_without() {
        resolves_without(libc::ENOSYS);
    }
}

for_both_users! {
    fn a_call_that_is_refused_is_done_without() {
        resolves_without(libc::EPERM);
    }
}
