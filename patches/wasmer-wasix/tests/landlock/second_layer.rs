//! A builder's requests beyond its preopens: the second layer, the network, open descriptors.

use std::{collections::BTreeSet, os::fd::AsRawFd};

use wasix_landlock::{
    Access, DescriptorKind, DescriptorsReport, Inherited, Layer, Network, Protection,
    ProtectionStatus,
};
use wasix_landlock_testing::ask;

use crate::common::{
    DENIED,
    guest::{CREATE_NEW, Guest},
    host::{builder, with_data},
    tree::Tree,
};

const REFUSED: Result<(), i32> = Err(libc::EPERM);

/// Checks that the module's grants work.
#[track_caller]
fn still_works(guest: &mut Guest, tree: &Tree) {
    let directory = guest.preopen("data");
    assert_eq!(guest.read(directory, "sub/file").unwrap(), b"content");
    guest.write(directory, "new", CREATE_NEW, b"new").unwrap();
    assert!(guest.list(directory).unwrap().contains(&"new".to_owned()));
    guest.unlink(directory, "new").unwrap();
    tree.assert_only_granted(Access::ALL);
}

for_both_users! {
    fn without_a_word_nothing_is_filtered() {
        let tree = Tree::new();
        let mut guest = Guest::new(with_data(builder(), &tree, true));
        still_works(&mut guest, &tree);
        assert_eq!(ask::change_mode(tree.path("outside/file")), Ok(()));
        assert_eq!(ask::bind_tcp(0), Ok(()));
        let report = guest.report();
        let metadata = report.protections.iter().find(|p| p.name == Protection::Metadata);
        assert_eq!(metadata.unwrap().status, ProtectionStatus::Off);
    }
}

for_both_users! {
    fn a_hardened_program_runs_its_module_and_little_else() {
        let tree = Tree::new();
        let hardened = with_data(builder(), &tree, true).landlock(|l| l.harden());
        let mut guest = Guest::new(hardened);
        still_works(&mut guest, &tree);
        assert_eq!(ask::change_mode(tree.path("outside/file")), REFUSED);
        assert_eq!(ask::change_mode(tree.path("granted/sub/file")), REFUSED);
        assert_ne!(ask::execute("/bin/true"), Ok(()));
        assert_ne!(ask::bind_tcp(0), Ok(()));
        let report = guest.report();
        for protection in [Protection::Metadata, Protection::Exec, Protection::Tcp] {
            assert!(report.protects(protection), "{report}");
        }
        let by = &report.protections.iter().find(|p| p.name == Protection::Metadata).unwrap().by;
        assert_eq!(by, &[Layer::Seccomp]);
    }
}

for_both_users! {
    fn what_the_program_needs_is_left_out_of_hardening() {
        let tree = Tree::new();
        let hardened = with_data(builder(), &tree, true).landlock(|l| {
            l.harden().without(Protection::Metadata).without(Protection::UnixSockets)
        });
        let mut guest = Guest::new(hardened);
        still_works(&mut guest, &tree);
        assert_eq!(ask::change_mode(tree.path("granted/sub/file")), Ok(()));
        assert!(!guest.report().protects(Protection::Metadata));
        assert!(guest.report().protects(Protection::Exec));
    }
}

for_both_users! {
    fn ports_that_are_not_granted_are_refused() {
        let tree = Tree::new();
        assert_eq!(ask::bind_tcp(0), Ok(()));
        let guest = Guest::new(with_data(builder(), &tree, true).landlock(|l| l.network(Network::none().bind(0))));
        assert_eq!(ask::bind_tcp(0), Ok(()));
        let free = 49_151;
        assert_eq!(ask::bind_tcp(free), DENIED);
        assert!(guest.report().protects(Protection::Tcp));
        // The files' part is as without.
        tree.assert_only_granted(Access::ALL);
    }
}

for_both_users! {
    fn an_open_file_can_be_refused() {
        let tree = Tree::new();
        let open = std::fs::File::open(tree.path("outside/file")).unwrap();
        let allowed = BTreeSet::new();
        let refusing = with_data(builder(), &tree, true).landlock(|l| l.inherited(Inherited::Refuse { allowed }));
        let error = Guest::try_new(refusing).map(drop).unwrap_err().to_string();
        assert!(error.contains("outside/file"), "{error}");
        assert_eq!(ask::open_read("/etc/passwd"), Ok(()));
        // And the pair of the runtime that this test has started.
        let listed = DescriptorsReport::now().unwrap().listed;
        let pairs = listed.iter().filter(|open| open.kind == DescriptorKind::SocketPair);
        let allowed = pairs.map(|pair| pair.number).chain([open.as_raw_fd()]).collect();
        let allowing = with_data(builder(), &tree, true).landlock(|l| l.inherited(Inherited::Refuse { allowed }));
        match Guest::try_new(allowing) {
            Ok(_) => assert_eq!(ask::open_read("/etc/passwd"), DENIED),
            // The test's own harness may have more open than this.
            Err(error) => assert!(!error.to_string().contains("outside/file"), "{error}"),
        }
    }
}
