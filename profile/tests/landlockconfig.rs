//! landlockconfig's format, in and out.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use wasix_landlock_profile::{
    Access, HostKind, Level, Network, Profile, Protection, diff,
    landlockconfig::{LandlockConfig, Note, from_toml},
};

/// The rights of all that a directory's profile can give.
const ALL: &str = r#"["read_file", "read_dir", "write_file", "truncate", "remove_file", "remove_dir", "make_reg",
    "make_dir", "make_sym", "refer"]"#;

fn rule(rights: &str, path: &str) -> String {
    format!("[[path_beneath]]\nallowed_access = {rights}\nparent = [\"{path}\"]\n")
}

fn access(text: &str) -> Access {
    let (profile, _) = from_toml(text).unwrap();
    let preopens = profile.preopens.iter();
    preopens.fold(Access::NONE, |access, preopen| access.union(preopen.access))
}

#[test]
fn rights_become_an_access_only_together() {
    assert_eq!(access(&rule(ALL, "/model")), Access::ALL);
    assert_eq!(
        access(&rule("[\"read_file\", \"read_dir\"]", "/model")),
        Access::READ
    );
    // Listing isn't there.
    assert_eq!(
        access(&rule("[\"read_file\", \"make_reg\"]", "/model")),
        Access::NONE
    );
    // Who may make files in a profile may change them.
    let making = "[\"make_reg\", \"make_dir\", \"make_sym\", \"refer\"]";
    assert_eq!(access(&rule(making, "/model")), Access::NONE);
    for (abi, allowed) in [(1, Access::READ_WRITE), (2, Access::ALL), (5, Access::ALL)] {
        let text = format!("abi = {abi}\n{}", rule("[\"abi.read_write\"]", "/model"));
        assert_eq!(access(&text), allowed, "{abi}");
    }
    // Without `abi`, a group means nothing.
    assert_eq!(access(&rule("[\"abi.all\"]", "/model")), Access::NONE);
}

#[test]
fn what_does_not_translate_is_named() {
    let text = format!(
        "abi = 5\n{}{}[[net_port]]\nallowed_access = [\"bind_tcp\", \"bind_udp\"]\nport = [80, 70000]",
        rule("[\"read_file\", \"execute\", \"fly\"]", "/model"),
        rule("[\"abi.read_execute\"]", "${nowhere}"),
    );
    let (profile, notes) = from_toml(&text).unwrap();
    let path = |right: &str| Note::Right {
        path: "/model".to_owned(),
        right: right.to_owned(),
    };
    // Both rights are a file's.
    assert_eq!(profile.preopens[0].kind, HostKind::File);
    for note in [
        path("execute"),
        Note::Unknown {
            name: "fly".to_owned(),
        },
        Note::Unknown {
            name: "bind_udp".to_owned(),
        },
        Note::Variable {
            path: "${nowhere}".to_owned(),
        },
        Note::Port { port: 70000 },
        Note::LeftOpen { name: "make_char" },
        Note::LeftOpen {
            name: "connect_tcp",
        },
    ] {
        assert!(notes.contains(&note), "{note:?}: {notes:?}");
        assert!(!note.to_string().is_empty());
    }
    assert_eq!(profile.network, Network::none().bind(80));
    assert!(from_toml("path_below = []").is_err());
}

#[test]
fn variables_stand_for_each_value() {
    let text = format!(
        "[[variable]]\nname = \"v\"\nliteral = [\"a\", \"b\"]\n{}",
        rule("[\"read_file\", \"read_dir\"]", "/model/${v}/$${v}/${v}")
    );
    let (profile, _) = from_toml(&text).unwrap();
    let paths: Vec<_> = profile
        .preopens
        .iter()
        .map(|p| p.host.to_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "/model/a/${v}/a",
            "/model/a/${v}/b",
            "/model/b/${v}/a",
            "/model/b/${v}/b"
        ]
    );
}

#[test]
fn a_profile_comes_back_in_both_forms() {
    let profile = Profile::new()
        .preopen(|p| p.directory("/model/$all").access(Access::ALL))
        .and_then(|p| p.preopen(|p| p.directory("/model/read").read(true)))
        .and_then(|p| p.preopen(|p| p.path("/model/file").read(true).write(true)))
        .unwrap()
        .network(Network::none().bind(80).connect(443));
    let (config, notes) = LandlockConfig::from_profile(&profile);
    assert!(notes.contains(&Note::Key { key: "limits" }), "{notes:?}");
    let toml = config.to_toml().unwrap();
    assert!(
        toml.contains("[[path_beneath]]") && toml.contains("handled_access_fs"),
        "{toml}"
    );
    let json = serde_json::to_string(&config).unwrap();
    assert!(
        json.contains("\"pathBeneath\"") && json.contains("\"handledAccessNet\""),
        "{json}"
    );
    let from_json: LandlockConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(from_json, config);
    let (back, notes) = from_toml(&toml).unwrap();
    assert_eq!(notes, []);
    assert!(
        diff(&profile, &back).is_empty(),
        "{}",
        diff(&profile, &back)
    );
    assert_eq!(back.level(Protection::SignalScope), Level::Strict);
}

#[test]
fn a_file_that_is_to_be_made_is_named() {
    let profile = Profile::new()
        .preopen(|p| p.path("/model/new").create(true))
        .unwrap();
    let (_, notes) = LandlockConfig::from_profile(&profile);
    assert!(
        notes.contains(&Note::Created {
            path: "/model/new".to_owned()
        }),
        "{notes:?}"
    );
}
