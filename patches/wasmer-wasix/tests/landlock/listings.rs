//! A directory that a module reads in pieces, while entries are made and removed.

use std::collections::BTreeSet;
use std::fs;

use crate::common::{
    guest::Guest,
    host::{builder, tokio, with_data},
    tree::Tree,
};

const ENTRIES: usize = 300;

/// A guest in a directory with many files, and the directory's descriptor.
fn listing() -> (Tree, Guest, i32) {
    let tree = Tree::new();
    fs::create_dir(tree.granted().join("many")).unwrap();
    for number in 0..ENTRIES {
        fs::write(tree.granted().join("many").join(name(number)), "").unwrap();
    }
    let _tokio = tokio().enter();
    let mut guest = Guest::new(with_data(builder(), &tree, true));
    let directory = guest.preopen("data");
    let many = guest.open_directory(directory, "many").unwrap();
    (tree, guest, many)
}

fn name(number: usize) -> String {
    format!("entry-{number:05}")
}

/// The names from the cookie to the end, without the directory's own two.
fn rest(guest: &mut Guest, fd: i32, mut cookie: u64, size: usize) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let (names, end) = guest.list_piece(fd, cookie, size);
        assert!(end || !names.is_empty(), "no entry fits into {size}");
        for (name, next) in names {
            cookie = next;
            all.push(name);
        }
        if end {
            all.retain(|name| name != "." && name != "..");
            return all;
        }
    }
}

for_both_users! {
    fn each_entry_is_listed_once_whatever_the_size_of_the_pieces() {
        let (_tree, mut guest, many) = listing();
        let expected: Vec<_> = (0..ENTRIES).map(name).collect();
        for size in [40, 100, 4096, 16384] {
            assert_eq!(rest(&mut guest, many, 0, size), expected, "{size}");
        }
    }
}

for_both_users! {
    fn what_stays_is_listed_once_while_others_come_and_go() {
        let (tree, mut guest, many) = listing();
        let (first, end) = guest.list_piece(many, 0, 4096);
        assert!(!end && first.len() > 20);
        let cookie = first.last().unwrap().1;
        // Some that were listed, some that were not; and new ones in front and behind. By the module, and by
        // somebody else.
        for number in [2, 10, 290] {
            guest.unlink(many, &name(number)).unwrap();
            fs::remove_file(tree.granted().join("many").join(name(number + 1))).unwrap();
        }
        fs::write(tree.granted().join("many/aaa"), "").unwrap();
        fs::write(tree.granted().join("many/zzz"), "").unwrap();
        let mut listed: Vec<String> = first.into_iter().map(|(name, _)| name).collect();
        listed.extend(rest(&mut guest, many, cookie, 4096));
        for number in (0..ENTRIES).filter(|n| ![2, 3, 10, 11, 290, 291].contains(n)) {
            let times = listed.iter().filter(|listed| **listed == name(number)).count();
            assert_eq!(times, 1, "{}", name(number));
        }
        // From the beginning, it is as it is now.
        let now: BTreeSet<String> = rest(&mut guest, many, 0, 4096).into_iter().collect();
        assert!(now.contains("aaa") && now.contains("zzz") && !now.contains(&name(290)));
        assert_eq!(now.len(), ENTRIES - 6 + 2);
    }
}

for_both_users! {
    fn all_can_be_removed_piece_by_piece() {
        let (tree, mut guest, many) = listing();
        let mut cookie = 0;
        loop {
            let (names, end) = guest.list_piece(many, cookie, 1024);
            for (name, next) in names {
                cookie = next;
                if name != "." && name != ".." {
                    guest.unlink(many, &name).unwrap();
                }
            }
            if end {
                break;
            }
        }
        assert_eq!(fs::read_dir(tree.granted().join("many")).unwrap().count(), 0);
    }
}

for_both_users! {
    fn more_directories_can_be_read_at_a_time_than_are_kept() {
        let (_tree, mut guest, many) = listing();
        let open: Vec<i32> = (0..100).map(|_| guest.open_directory(many, ".").unwrap()).collect();
        let begun: Vec<_> = open.iter().map(|fd| guest.list_piece(*fd, 0, 4096).0).collect();
        for (fd, begun) in open.iter().zip(begun) {
            let cookie = begun.last().unwrap().1;
            let count = begun.len() - 2 + rest(&mut guest, *fd, cookie, 4096).len();
            assert_eq!(count, ENTRIES);
        }
    }
}

for_both_users! {
    fn two_descriptors_list_each_for_itself() {
        let (_tree, mut guest, many) = listing();
        let other = guest.open_directory(many, ".").unwrap();
        let (first, _) = guest.list_piece(many, 0, 4096);
        guest.unlink(many, &name(200)).unwrap();
        let (theirs, _) = guest.list_piece(other, 0, 4096);
        let ours = rest(&mut guest, many, first.last().unwrap().1, 4096);
        let theirs = rest(&mut guest, other, theirs.last().unwrap().1, 4096);
        assert!(!theirs.contains(&name(200)));
        assert_eq!(ours.iter().filter(|n| **n != name(200)).count(), theirs.len());
    }
}
