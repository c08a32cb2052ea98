//! Differences between two profiles.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use wasix_landlock_profile::{Group, Level, Limits, Network, Profile, Protection, diff};

fn reading(path: &str) -> Profile {
    Profile::new()
        .preopen(|p| p.directory(path).read(true))
        .unwrap()
}

#[test]
fn a_grant_within_a_wider_one_is_no_difference() {
    let wide = reading("/model/data");
    let both = wide
        .clone()
        .preopen(|p| p.directory("/model/data/part").alias("part").read(true))
        .and_then(|p| p.preopen(|p| p.path("/model/data/file").read(true)))
        .unwrap();
    assert!(diff(&wide, &both).is_empty());
    assert!(diff(&both, &wide).is_empty());
    let difference = diff(&reading("/model/data/part"), &wide);
    assert_eq!(difference.left, Default::default());
    assert_eq!(difference.to_string(), "+ directory /model/data: read\n");
    // Not by the text.
    let difference = diff(&reading("/model/data"), &reading("/model/database"));
    assert_eq!(
        (difference.left.paths.len(), difference.right.paths.len()),
        (1, 1)
    );
}

#[test]
fn links_lead_to_the_same_path() {
    let tree = tempfile::tempdir().unwrap();
    std::fs::create_dir(tree.path().join("real")).unwrap();
    std::os::unix::fs::symlink("real", tree.path().join("link")).unwrap();
    let at = |name: &str| reading(tree.path().join(name).to_str().unwrap());
    assert!(diff(&at("real"), &at("link")).is_empty());
}

#[test]
fn everything_that_a_profile_allows_is_compared() {
    let less = Profile::new();
    let mut more = reading("/model\u{1b}[2J")
        .network(Network::none().bind(80).send_udp(53))
        .allow(Group::Threads)
        .protect(Protection::SignalScope, Level::Off)
        .environment_from_host("HOME")
        .unsaved_writes(wasix_landlock_profile::UnsavedWrites::Report);
    more.limits = Limits::none();
    let difference = diff(&less, &more);
    assert_eq!(difference.left, Default::default());
    assert_eq!(
        difference.to_string(),
        "+ directory /model\\u{1b}[2J: read\n\
         + port bind tcp 80\n\
         + port send udp 53\n\
         + limit descriptors: none, not 1024\n\
         + group sockets\n\
         + group threads\n\
         + protection signal-scope: off, not strict\n\
         + variable HOME of the host\n\
         + writes where nothing is preopened, kept in memory\n"
    );
    let json = serde_json::to_value(&difference).unwrap();
    assert_eq!(json["right"]["paths"][0]["access"]["read"], true);
    assert_eq!(json["right"]["limits"][0]["other"], 1024);
    assert_eq!(json["right"]["environment-from-host"][0], "HOME");
    assert!(diff(&more, &more).is_empty());
}
