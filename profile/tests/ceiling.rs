//! A ceiling only takes away: checked against a model that asks for one path, right, port, limit and group at a time.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use wasix_landlock_profile::{
    Access, Ceiling, FileError, Group, HostKind, HostPreopen, Level, Limit, Limits, Network,
    Profile, Protection, UnsavedWrites,
};

/// The paths of the model, none of which exists: a directory with a directory and a file in each.
const NODES: [(&str, HostKind); 6] = [
    ("/model", HostKind::Directory),
    ("/model/a", HostKind::Directory),
    ("/model/a/b", HostKind::Directory),
    ("/model/a/b/file", HostKind::File),
    ("/model/ab", HostKind::Directory),
    ("/model/file", HostKind::File),
];

const ACCESSES: [Access; 4] = [Access::READ, Access::WRITE, Access::READ_WRITE, Access::ALL];

fn grant((path, kind): (&str, HostKind), access: Access) -> HostPreopen {
    let profile = Profile::new().preopen(|p| {
        match kind {
            HostKind::File => p.path(path),
            _ => p.directory(path),
        }
        .access(access)
    });
    profile.unwrap().preopens.remove(0)
}

/// Every list of at most two grants.
fn grant_lists() -> Vec<Vec<HostPreopen>> {
    let single: Vec<HostPreopen> = NODES
        .into_iter()
        .flat_map(|node| ACCESSES.map(|access| grant(node, access)))
        .collect();
    let mut lists = vec![Vec::new()];
    for (place, one) in single.iter().enumerate() {
        lists.push(vec![one.clone()]);
        lists.extend(
            single[place + 1..]
                .iter()
                .map(|two| vec![one.clone(), two.clone()]),
        );
    }
    lists
}

/// The model: the access that grants give to one path, as the kernel adds them up.
fn allowed(grants: &[HostPreopen], path: &str) -> Access {
    let around = grants.iter().filter(|grant| match grant.kind {
        HostKind::File => grant.host == Path::new(path),
        _ => Path::new(path).starts_with(&grant.host),
    });
    around.fold(Access::NONE, |access, grant| access.union(grant.access))
}

/// A ceiling with these grants.
fn ceiling_of(grants: &[HostPreopen]) -> Ceiling {
    let mut text = String::new();
    if grants.is_empty() {
        text += "preopen = []";
    }
    for grant in grants {
        let kind = match grant.kind {
            HostKind::File => "file",
            _ => "directory",
        };
        let Access {
            read,
            write,
            create,
        } = grant.access;
        writeln!(
            text,
            "[[preopen]]\nhost = {:?}\nkind = \"{kind}\"\nread = {read}\nwrite = {write}\ncreate = {create}",
            grant.host
        )
        .unwrap();
    }
    Ceiling::from_toml(&text).unwrap()
}

#[test]
fn a_path_is_allowed_if_both_sides_allow_it() {
    let lists = grant_lists();
    let mut met = 0_u32;
    for (place, ceilings) in lists.iter().enumerate() {
        let ceiling = ceiling_of(ceilings);
        // Every pair with a single grant, and a part of the pairs of two.
        for granted in lists.iter().skip(place % 3).step_by(3) {
            let left = ceiling.preopens(granted);
            for (path, _) in NODES {
                let both = allowed(granted, path).intersection(allowed(ceilings, path));
                assert_eq!(
                    allowed(&left, path),
                    both,
                    "{path}: {granted:?} under {ceilings:?} is {left:?}"
                );
            }
            met += 1;
        }
    }
    assert!(met > 25_000, "{met}");
}

#[test]
fn ports_limits_and_groups_are_allowed_if_both_sides_allow_them() {
    let networks = [
        Network::none(),
        Network::none().bind(1).connect(2).send_udp(3),
        Network::none().bind(1).bind(2).bind_udp(3),
        Network::none()
            .connect(2)
            .connect(3)
            .send_udp(3)
            .send_udp(4),
    ];
    let limits = [None, Some(0), Some(7), Some(u64::from(u32::MAX))];
    let groups = [
        None,
        Some(Group::Threads),
        Some(Group::Sockets),
        Some(Group::Clocks),
    ];
    for granted_network in &networks {
        for ceiling_network in std::iter::once(None).chain(networks.iter().map(Some)) {
            for granted_limit in limits {
                for ceiling_limit in limits {
                    for (granted_group, withheld) in groups
                        .into_iter()
                        .flat_map(|one| groups.map(|two| (one, two)))
                    {
                        let mut granted = Profile::new().network(granted_network.clone());
                        granted.limits = Limits::none();
                        let mut text = String::new();
                        for limit in Limit::ALL {
                            if let Some(most) = granted_limit {
                                granted.limits.set(*limit, most);
                            }
                            if let Some(most) = ceiling_limit {
                                writeln!(text, "limits.{limit} = {most}").unwrap();
                            }
                        }
                        if let Some(group) = granted_group {
                            granted.groups.set(group, true);
                        }
                        if let Some(group) = withheld {
                            writeln!(text, "groups.{group} = false").unwrap();
                        }
                        if let Some(network) = ceiling_network {
                            writeln!(text, "[network]").unwrap();
                            for (key, (_, ports)) in ["bind", "connect", "bind-udp", "send-udp"]
                                .iter()
                                .zip(network.ports())
                            {
                                let ports: Vec<_> = ports.iter().collect();
                                writeln!(text, "{key} = {ports:?}").unwrap();
                            }
                        }
                        let left = Ceiling::from_toml(&text).unwrap().meet(&granted);
                        for limit in Limit::ALL {
                            let lower = granted_limit.into_iter().chain(ceiling_limit).min();
                            assert_eq!(left.limits.of(*limit), lower, "{limit}");
                        }
                        for group in Group::ALL {
                            let both = granted.effective_groups().allows(*group)
                                && withheld != Some(*group);
                            assert_eq!(left.effective_groups().allows(*group), both, "{group}");
                        }
                        let has_sockets = withheld != Some(Group::Sockets);
                        for (place, (operation, ports)) in
                            granted.network.ports().iter().enumerate()
                        {
                            for port in 0..=5 {
                                let by_ceiling = ceiling_network
                                    .is_none_or(|network| network.ports()[place].1.contains(&port));
                                let both = ports.contains(&port) && by_ceiling && has_sockets;
                                let is_left = left.network.ports()[place].1.contains(&port);
                                assert_eq!(is_left, both, "{operation} {port}");
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_protection_has_the_stricter_level_and_a_default_is_no_request() {
    let levels = [
        None,
        Some(Level::Strict),
        Some(Level::Degradable),
        Some(Level::Off),
    ];
    for protection in Protection::ALL {
        for (granted, asked) in levels
            .into_iter()
            .flat_map(|one| levels.map(|two| (one, two)))
        {
            for harden in [false, true] {
                let mut program = Profile::new();
                if let Some(level) = granted {
                    program = program.protect(*protection, level);
                }
                let list = asked.map(|level| match level {
                    Level::Strict => "required",
                    Level::Degradable => "optional",
                    Level::Off => "without",
                });
                let mut text = format!("[enforcement]\nharden = {harden}\n");
                if let Some(list) = list {
                    writeln!(text, "{list} = [\"{protection}\"]").unwrap();
                }
                let left = Ceiling::from_toml(&text).unwrap().meet(&program);
                let by_hardening = Profile::new().harden().level(*protection);
                let is_default = *protection <= Protection::AllThreads;
                let asked = asked.unwrap_or(match harden && !is_default {
                    true => by_hardening,
                    false => Level::Off,
                });
                // A protection of the filter that is left turns this one on.
                if *protection != Protection::IoUring {
                    let stricter = program.level(*protection).min(asked);
                    assert_eq!(left.level(*protection), stricter, "{protection} {text}");
                }
                assert!(left.level(*protection) <= program.level(*protection));
            }
        }
    }
}

#[test]
fn what_is_not_named_stays() {
    let granted = Profile::as_without()
        .argument("a")
        .environment("A", "1")
        .network(Network::none().connect(443))
        .preopen(|p| p.directory("/model").read(true))
        .unwrap();
    let mut left = Ceiling::from_toml("").unwrap().meet(&granted);
    assert_eq!(left.groups, granted.effective_groups());
    left.groups = granted.groups.clone();
    assert_eq!(left, granted);
    let left = Ceiling::from_toml("unsaved-writes = \"refuse\"")
        .unwrap()
        .meet(&granted);
    assert_eq!(left.unsaved_writes, UnsavedWrites::Refuse);
}

#[test]
fn links_are_followed_before_paths_are_compared() {
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path().canonicalize().unwrap();
    for directory in ["allowed", "other"] {
        fs::create_dir(root.join(directory)).unwrap();
    }
    std::os::unix::fs::symlink(root.join("other"), root.join("allowed/link")).unwrap();
    std::os::unix::fs::symlink(root.join("allowed"), root.join("also")).unwrap();
    std::os::unix::fs::symlink(root.join("nowhere"), root.join("allowed/dangling")).unwrap();
    let ceiling = ceiling_of(&[HostPreopen {
        host: root.join("allowed"),
        ..grant(NODES[0], Access::READ)
    }]);
    let left = |path: &str, kind| ceiling.narrow(&root.join(path), kind, Access::ALL).parts;
    assert_eq!(left("allowed/link", HostKind::Directory), []);
    assert_eq!(left("allowed/link/new", HostKind::File), []);
    assert_eq!(left("allowed/../other", HostKind::Directory), []);
    assert_eq!(left("allowed/dangling", HostKind::File), []);
    for inside in ["also", "allowed", "other/../allowed"] {
        let parts = left(inside, HostKind::Either);
        assert_eq!(parts.len(), 1, "{inside}");
        assert_eq!(parts[0].access, Access::READ, "{inside}");
        assert_eq!(parts[0].host, root.join(inside));
    }
    let text = ceiling
        .narrow(&root, HostKind::Directory, Access::READ_WRITE)
        .to_string();
    let root = root.display();
    assert_eq!(
        text,
        format!("`{root}`: read+write, but for `{root}/allowed`: read")
    );
}

/// Writes files, and loads the one called `policy.toml`, or all of them if the path is empty.
fn loaded(files: &[(&str, &str)], path: &str) -> (Result<Ceiling, FileError>, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let loaded = Ceiling::load(directory.path().join(path));
    (loaded, directory.path().to_owned())
}

#[test]
fn all_files_of_a_directory_hold_with_what_they_extend() {
    let files = [
        ("b.toml", "extends = \"base\"\nlimits.threads = 5"),
        (
            "a.toml",
            "extends = \"base\"\nlimits.threads = 3\nlimits.processes = 2",
        ),
        ("base", "extends = \"deeper\"\nlimits.processes = 4"),
        ("deeper", "limits.descriptors = 9"),
        ("README", "not a policy"),
    ];
    let (ceiling, directory) = loaded(&files, "");
    let ceiling = ceiling.unwrap();
    let names = ["deeper", "base", "a.toml", "b.toml"];
    assert_eq!(ceiling.files(), names.map(|name| directory.join(name)));
    let limits = ceiling.limits(&Limits::none());
    assert_eq!(
        (limits.threads, limits.processes, limits.descriptors),
        (Some(3), Some(2), Some(9))
    );
}

#[test]
fn an_error_names_the_file_and_the_place() {
    let place = |text: &str| match loaded(&[("policy.toml", text)], "policy.toml") {
        (Err(error @ FileError::Parse { line, column, .. }), directory) => {
            let text = error.to_string();
            let path = directory.join("policy.toml");
            assert!(
                text.starts_with(&format!("{}:{line}:{column}: ", path.display())),
                "{text}"
            );
            (line, column)
        }
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(place("limits.threads = 1\nlimit.threads = 1"), (2, 1));
    assert_eq!(place("limits.threads = 1\n\n  limits.thread = 1").0, 3);
    assert_eq!(place("groups.sockets = true\ngroups.socket = true").0, 2);
    assert_eq!(place("arguments = [\"a\"]"), (1, 1));
    assert_eq!(place("network.connect = [70000]").0, 1);
    assert_eq!(place("limits.threads = 4294967296").0, 1);
    assert_eq!(place("x"), (1, 2));
    assert_eq!(
        place("\n[[preopen]]\nhost = \"data\"\nkind = \"directory\"\nread = true").0,
        2
    );
    assert_eq!(
        place("[[preopen]]\nhost = \"/data\"\nkind = \"directory\""),
        (1, 1)
    );
    assert_eq!(place("[enforcement]\nrequired = [\"exek\"]").0, 2);
    for (files, path) in [
        (&[][..], "missing.toml"),
        (
            &[("policy.toml", "extends = \"missing\"")][..],
            "policy.toml",
        ),
    ] {
        let (error, _) = loaded(files, path);
        assert!(matches!(error, Err(FileError::Read { .. })), "{error:?}");
    }
    let (error, _) = loaded(&[("README", "")], "");
    assert!(matches!(error, Err(FileError::Empty { .. })), "{error:?}");
    let error = Ceiling::from_toml("extends = \"base\"").unwrap_err();
    assert!(matches!(error, FileError::NoFile), "{error:?}");
}

#[test]
fn files_that_extend_each_other_are_an_error_that_names_the_chain() {
    let files = [
        ("policy.toml", "extends = \"base.toml\""),
        ("base.toml", "extends = \"./policy.toml\""),
    ];
    let (error, directory) = loaded(&files, "policy.toml");
    let text = error.unwrap_err().to_string();
    let directory = directory.display();
    let chain = ["policy.toml", "base.toml", "policy.toml"]
        .map(|name| format!("{directory}/{name}"))
        .join(" extends ");
    assert!(text.ends_with(&chain), "{text}");
}

#[test]
fn a_profile_builds_on_another_one() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let preopen =
        |name: &str| format!("[[preopen]]\nhost = \"{name}\"\nkind = \"directory\"\nread = true\n");
    write(
        "base.toml",
        &format!(
            "limits.threads = 1\narguments = [\"a\"]\n{}",
            preopen("one")
        ),
    );
    write(
        "own.toml",
        &format!(
            "extends = \"base.toml\"\nlimits.processes = 2\narguments = [\"b\"]\n{}",
            preopen("two")
        ),
    );
    let profile = Profile::load(directory.path().join("own.toml")).unwrap();
    assert_eq!(profile.arguments, ["b"]);
    assert_eq!(
        (profile.limits.threads, profile.limits.processes),
        (Some(1), Some(2))
    );
    assert_eq!(profile.preopens.len(), 2);
    assert!(!profile.to_toml().unwrap().contains("extends"));
    write("wrong.toml", "extends = \"base.toml\"\nlimits.thread = 2");
    let error = Profile::load(directory.path().join("wrong.toml")).unwrap_err();
    assert!(error.to_string().contains("wrong.toml:2:"), "{error}");
    assert!(Profile::from_toml("extends = \"base.toml\"").is_err());
}
