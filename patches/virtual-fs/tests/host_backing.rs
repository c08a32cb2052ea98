//! The host paths that a file system reports behind it.
#![forbid(unsafe_code)]

use std::path::Path;

use virtual_fs::HostBacking;
use virtual_fs::host_backing::HostAccess;

fn backing(guest: &str, host: &str) -> HostBacking {
    HostBacking::root(host, HostAccess::ALL).mounted_at(Path::new(guest))
}

#[test]
fn a_backing_above_the_path_is_narrowed_to_it() {
    let narrowed = backing("/data", "/srv").below(Path::new("/data/in/../out"));
    assert_eq!(narrowed, Some(backing("/", "/srv/out")));
}

#[test]
fn a_backing_below_the_path_keeps_its_place() {
    let same = backing("/data/in", "/srv").below(Path::new("data"));
    assert_eq!(same, Some(backing("/in", "/srv")));
}

#[test]
fn a_backing_elsewhere_is_none() {
    assert_eq!(backing("/data", "/srv").below(Path::new("/database")), None);
}
