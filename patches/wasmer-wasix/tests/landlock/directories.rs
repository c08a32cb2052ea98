//! Preopens of host directories by `preopen`: what the module can do, and what the kernel grants.

use std::fs;

use wasix_landlock::{Access, HostKind};
use wasix_landlock_testing::{ask, isolated};

use crate::common::{
    DENIED,
    guest::{CREATE, CREATE_NEW, Guest, Open, READ, TRUNCATE, WRITE},
    host::{any_host_fs, builder},
    tree::{Tree, assert_granted, assert_refused},
};

fn guest(tree: &Tree, access: Access) -> Guest {
    let builder = builder().preopen(|p| {
        p.directory(tree.granted())
            .alias("/data")
            .read(access.read)
            .write(access.write)
            .create(access.create)
    });
    Guest::new(builder.unwrap())
}

/// The module and the process can do what `access` says, and nothing else.
fn allows(access: Access) {
    let tree = Tree::new();
    let mut guest = guest(&tree, access);
    tree.assert_only_granted(access);
    let preopen = &guest.report().preopens[0];
    assert_eq!(
        (preopen.asked, preopen.hosts[0].kind),
        (access, HostKind::Directory)
    );

    let Access {
        read,
        write,
        create,
    } = access;
    let data = guest.preopen("/data");
    assert_eq!(guest.can_open(data, "sub/file", READ).is_ok(), read);
    assert_eq!(guest.list(data).is_ok(), read);
    let directory = Open {
        directory: true,
        ..READ
    };
    assert_eq!(
        guest.can_open(data, "sub", directory).is_ok_and(|()| read),
        read
    );
    assert_eq!(guest.can_open(data, "sub/file", WRITE).is_ok(), write);
    assert_eq!(
        guest.write(data, "sub/file", TRUNCATE, b"changed").is_ok(),
        write
    );
    // Asking for more than there is may be refused, or come to less.
    let both = Open {
        write: true,
        ..READ
    };
    if let Ok(both) = guest.open(data, "sub/file", both) {
        assert!(read || guest.read_fd(both).is_err());
        assert!(write || guest.write_fd(both, b"changed").is_err());
        guest.close(both);
    } else {
        assert!(!read || !write);
    }
    assert_eq!(
        guest.write(data, "sub/new", CREATE_NEW, b"new").is_ok(),
        create
    );
    assert_eq!(guest.can_open(data, "sub/newer", CREATE).is_ok(), create);
    assert_eq!(guest.create_directory(data, "sub/made").is_ok(), create);
    // The right to rename an entry comes with reading.
    let moves = access == Access::ALL;
    let moved = guest.rename((data, "sub/file"), (data, "sub/moved"));
    assert_eq!(moved.is_ok(), moves);
    let there = if moves { "moved" } else { "file" };
    assert_eq!(guest.unlink(data, &format!("sub/{there}")).is_ok(), write);

    // And so it is on the host.
    let sub = tree.path("granted/sub");
    assert_eq!(sub.join(there).exists(), !write);
    for made in ["new", "newer", "made"] {
        assert_eq!(sub.join(made).exists(), create, "{made}");
    }
    assert!(guest.can_open(data, "../outside/file", READ).is_err());
    assert!(
        guest
            .can_open(data, tree.path("outside/file").to_str().unwrap(), READ)
            .is_err()
    );
}

for_both_users! {
    fn a_directory_for_reading_can_not_be_changed() {
        allows(Access::READ);
    }
}

for_both_users! {
    fn a_directory_for_writing_can_not_be_read_and_nothing_can_be_made() {
        allows(Access::WRITE);
    }
}

for_both_users! {
    fn in_a_directory_for_reading_and_writing_nothing_can_be_made() {
        allows(Access::READ_WRITE);
    }
}

for_both_users! {
    fn a_directory_for_creating_can_not_be_read() {
        // Creating implies writing.
        allows(Access { read: false, ..Access::ALL });
    }
}

for_both_users! {
    fn a_directory_for_everything_can_be_used_for_everything() {
        allows(Access::ALL);
    }
}

#[test]
fn creating_implies_writing() {
    isolated!(|| {
        let tree = Tree::new();
        let builder = builder()
            .preopen(|p| p.directory(tree.granted()).create(true))
            .unwrap();
        let env = builder.build().unwrap();
        let report = env.landlock_report().unwrap();
        assert!(report.preopens[0].asked.write);
        tree.assert_only_granted(Access {
            read: false,
            ..Access::ALL
        });
    });
}

#[test]
fn a_directory_without_alias_is_called_as_on_the_host() {
    isolated!(|| {
        let tree = Tree::new();
        let builder = builder().preopen(|p| p.directory(tree.granted()).read(true));
        let mut guest = Guest::new(builder.unwrap());
        let directory = guest.preopen(tree.granted().to_str().unwrap());
        assert_eq!(guest.read(directory, "file").unwrap(), b"content");
        tree.assert_only_granted(Access::READ);
    });
}

#[test]
fn a_directory_may_be_the_root() {
    isolated!(|| {
        let tree = Tree::new();
        let builder = builder().preopen(|p| {
            p.directory(tree.granted())
                .alias("/")
                .create(true)
                .read(true)
        });
        let mut guest = Guest::new(builder.unwrap());
        tree.assert_only_granted(Access::ALL);
        let root = guest.preopen("/");
        assert_eq!(guest.read(root, "file").unwrap(), b"content");
        guest.write(root, "new", CREATE_NEW, b"new").unwrap();
        assert_eq!(fs::read(tree.path("granted/new")).unwrap(), b"new");
    });
}

#[test]
fn a_directory_may_be_the_current_one() {
    isolated!(|| {
        let tree = Tree::new();
        let builder = builder()
            .current_dir("/inside")
            .preopen(|p| p.directory(tree.granted()).alias(".").read(true));
        let mut guest = Guest::new(builder.unwrap());
        tree.assert_only_granted(Access::READ);
        let directory = guest.preopen(".");
        assert_eq!(guest.read(directory, "file").unwrap(), b"content");
    });
}

#[test]
fn a_relative_host_directory_works() {
    isolated!(|| {
        let tree = Tree::new();
        std::env::set_current_dir(tree.root()).unwrap();
        let builder = builder().preopen(|p| p.directory("granted").read(true));
        let mut guest = Guest::new(builder.unwrap());
        std::env::set_current_dir("/").unwrap();
        tree.assert_only_granted(Access::READ);
        let directory = guest.preopen("granted");
        assert_eq!(guest.read(directory, "file").unwrap(), b"content");
    });
}

#[test]
fn directories_below_each_other_have_their_own_rights_in_the_module() {
    isolated!(|| {
        let tree = Tree::new();
        let builder = builder()
            .preopen(|p| p.directory(tree.granted()).alias("/data").read(true))
            .and_then(|b| {
                b.preopen(|p| {
                    p.directory(tree.also())
                        .alias("/data/out")
                        .read(true)
                        .create(true)
                })
            });
        let mut guest = Guest::new(builder.unwrap());
        assert_granted(&tree.granted(), Access::READ);
        assert_granted(&tree.also(), Access::ALL);
        assert_refused(&tree.outside());
        let out = guest.preopen("/data/out");
        guest.write(out, "new", CREATE_NEW, b"new").unwrap();
        let data = guest.preopen("/data");
        assert!(guest.can_open(data, "new", CREATE_NEW).is_err());
        assert_eq!(guest.read(data, "out/new").unwrap(), b"new");
        assert_eq!(fs::read(tree.path("also/new")).unwrap(), b"new");
    });
}

#[test]
fn a_preopen_beside_a_recorded_one_is_granted_as_well() {
    isolated!(|| {
        let tree = Tree::new();
        let builder = builder()
            .fs(any_host_fs(tree.granted()))
            .map_dir("data", "/")
            .and_then(|b| b.preopen(|p| p.directory(tree.also()).alias("/more").read(true)));
        let mut guest = Guest::new(builder.unwrap());
        assert_granted(&tree.granted(), Access::ALL);
        assert_granted(&tree.also(), Access::READ);
        assert_refused(&tree.outside());
        let more = guest.preopen("/more");
        assert_eq!(guest.read(more, "file").unwrap(), b"content");
        let data = guest.preopen("data");
        assert_eq!(guest.read(data, "sub/file").unwrap(), b"content");
    });
}

#[test]
fn devices_sockets_fifos_and_programs_are_never_granted() {
    isolated!(|| {
        let tree = Tree::new();
        let granted = tree.granted();
        fs::copy("/bin/true", granted.join("program")).unwrap();
        assert_eq!(ask::execute(granted.join("program")), Ok(()));
        assert_eq!(ask::make_fifo(granted.join("fifo")), Ok(()));
        let _guest = guest(&tree, Access::ALL);
        assert_eq!(ask::execute(granted.join("program")), DENIED);
        assert_eq!(ask::make_fifo(granted.join("another")), DENIED);
        assert_eq!(ask::bind_socket(granted.join("socket")), DENIED);
    });
}
