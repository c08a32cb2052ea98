//! A profile as a file.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use wasix_landlock_profile::{
    Group, HostKind, Level, Limit, Limits, Network, PreopenError, Profile, ProfileError,
    Protection, Stream,
};

/// The file that documents each key.
const DOCUMENTED: &str = include_str!("../../examples/policy.toml");

#[test]
fn an_empty_file_gives_nothing() {
    let profile = Profile::from_toml("").unwrap();
    assert_eq!(profile, Profile::new());
    assert!(profile.preopens.is_empty() && profile.environment.is_empty());
    assert!(profile.network.is_empty());
    assert_eq!(profile.streams.stdout, Stream::Null);
    for group in Group::ALL {
        let harmless = [Group::Clocks, Group::Randomness].contains(group);
        assert_eq!(profile.groups.allows(*group), harmless, "{group}");
    }
}

#[test]
fn the_documented_file_is_a_profile_and_has_each_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.toml");
    std::fs::write(&path, DOCUMENTED).unwrap();
    let profile = Profile::load(path).unwrap();
    assert_eq!(
        profile.arguments,
        ["genrsa", "-out", "keys/key.pem", "2048"]
    );
    assert_eq!(profile.preopens.len(), 2);
    assert_eq!(profile.preopens[0].kind, HostKind::File);
    assert!(profile.preopens[0].access.create && !profile.preopens[0].access.read);
    let mut all = Profile::new()
        .argument("a")
        .environment("A", "1")
        .environment_from_host("B")
        .preopen(|p| p.path("p").alias("q").read(true))
        .unwrap();
    all.limits = Limits::none();
    for limit in Limit::ALL {
        all.limits.set(*limit, 1);
    }
    all = all
        .protect(Protection::Truncate, Level::Degradable)
        .protect(Protection::Exec, Level::Strict)
        .protect(Protection::Udp, Level::Off);
    let written = all.to_toml().unwrap();
    for line in written.lines() {
        let key = line.split([' ', ']']).next().unwrap().trim_matches('[');
        if ![
            "A",
            "\"B\",",
            "\"a\",",
            "\"truncate\",",
            "\"exec\",",
            "\"udp\",",
            "",
        ]
        .contains(&key)
        {
            assert!(DOCUMENTED.contains(key), "{key} isn't documented: {line}");
        }
    }
}

#[test]
fn what_is_written_is_read_again_as_the_same() {
    let mut profile = Profile::new()
        .arguments(["-v", "with \"quotes\" and\nlines"])
        .environment("LANG", "C")
        .environment_from_host("PATH")
        .preopen(|p| p.path("/srv/key").alias("key").create(true))
        .unwrap()
        .preopen(|p| p.directory("data").read(true))
        .unwrap()
        .stdout(Stream::Inherit)
        .limits(|l| l.instructions(u64::from(u32::MAX) + 1).descriptors(7))
        .network(Network::none().bind(80).connect(443))
        .allow(Group::Threads)
        .withhold(Group::Clocks)
        .protect(Protection::Truncate, Level::Degradable)
        .harden();
    profile.groups.refuse = true;
    let text = profile.to_toml().unwrap();
    assert_eq!(Profile::from_toml(&text).unwrap(), profile, "{text}");
}

#[test]
fn a_stream_in_memory_is_written_as_none() {
    let profile = Profile::new().stdin(Stream::Bytes(b"x".to_vec()));
    let text = profile.to_toml().unwrap();
    assert_eq!(
        Profile::from_toml(&text).unwrap().streams.stdin,
        Stream::Null
    );
}

#[test]
fn a_file_that_is_no_profile_is_an_error_that_says_why() {
    for (text, message) in [
        ("enviroment = {}", "unknown field `enviroment`"),
        ("limits = { memory = 1 }", "unknown field `memory`"),
        ("limits.descriptors = -1", "-1"),
        ("limits.memory-pages = 4294967296", "4294967296"),
        ("network.bind = [65536]", "65536"),
        ("groups.sockets = \"yes\"", "boolean"),
        ("streams.stdout = \"file\"", "unknown variant `file`"),
        ("[[preopen]]\nhost = \"x\"", "missing field `kind`"),
        (
            "[[preopen]]\nhost = \"x\"\nkind = \"link\"\nread = true",
            "unknown variant `link`",
        ),
        (
            "[[preopen]]\nhost = \"x\"\nkind = \"file\"",
            "allows nothing",
        ),
        (
            "[[preopen]]\nhost = \"../x\"\nkind = \"file\"\nread = true",
            "contains `..`",
        ),
        (
            "enforcement.optional = [\"truncation\"]",
            "unknown variant `truncation`",
        ),
        (
            "enforcement = { optional = [\"truncate\"], without = [\"truncate\"] }",
            "`truncate` is named twice",
        ),
        (
            "arguments = [\"a\\u0000b\"]",
            "`arguments[0]` contains a NUL byte",
        ),
        ("arguments = [", "is not a profile"),
    ] {
        let error = Profile::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
    let error = Profile::load("/nowhere/policy.toml").unwrap_err();
    assert!(
        error.to_string().contains("/nowhere/policy.toml"),
        "{error}"
    );
}

#[test]
fn an_error_names_the_key() {
    let bad = |set: &dyn Fn(&mut Profile)| {
        let mut profile = Profile::new()
            .preopen(|p| p.directory("/srv").read(true))
            .unwrap();
        set(&mut profile);
        let error = profile.check().unwrap_err();
        (error.to_string(), error)
    };
    let guest = |profile: &mut Profile| profile.preopens[0].guest = Some("a/../b".to_owned());
    let (text, error) = bad(&guest);
    assert!(text.starts_with("`preopen[0].guest`: "), "{text}");
    let source = PreopenError::Guest {
        guest: "a/../b".to_owned(),
        problem: "contains `..`, which has no fixed meaning inside: give it an alias",
    };
    assert!(matches!(error, ProfileError::Preopen { index: 0, source: found } if found == source));
    let either = |profile: &mut Profile| profile.preopens[0].kind = HostKind::Either;
    assert!(bad(&either).0.starts_with("`preopen[0].kind`: "));
    let twice = |profile: &mut Profile| {
        profile.environment.insert("A".to_owned(), String::new());
        profile.environment_from_host.insert("A".to_owned());
    };
    let (text, _) = bad(&twice);
    assert!(text.starts_with("`environment-from-host`: "), "{text}");
    let both = |profile: &mut Profile| {
        profile.limits.instructions = Some(1);
        profile.groups.processes = true;
    };
    assert!(bad(&both).0.starts_with("`limits.instructions` "));
}

/// A file is a place where an error has a line and a column.
#[test]
fn an_error_of_a_file_names_line_and_column() {
    let error = Profile::from_toml("[groups]\nclocks = true\nclock = false\n").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("line 3, column 1"), "{text}");
    assert!(text.contains("unknown field `clock`"), "{text}");
}
