//! The features that each kernel enforces; the others are refused rather than ignored.

use wasix_landlock::{
    Access, Error, Level, Network, Policy, PrepareError, Protection, ProtectionReport,
    ProtectionStatus, Right, Unavailable,
};
use wasix_landlock_testing::{ask, isolated, note};

use crate::common::{DENIED, Tree, directory, policy, strict};

/// The protections whose kernel is known, with the Landlock ABI that brought them.
const SINCE: &[(Protection, u32)] = &[
    (Protection::Truncate, 3),
    (Protection::IoctlDevice, 5),
    (Protection::SignalScope, 6),
    (Protection::AbstractSocketScope, 6),
    (Protection::ResolveUnix, 9),
];

/// Requires nothing but one protection, or nothing.
fn requiring(required: Option<Protection>) -> Policy {
    Protection::ALL.iter().fold(strict(), |policy, protection| {
        if required == Some(*protection) {
            policy.require(*protection)
        } else {
            policy.optional(*protection)
        }
    })
}

for_both_users! {
    fn the_default_is_enforced_in_full_or_refused() {
        let tree = Tree::new();
        let abi = ask::landlock_abi();
        let outcome = strict().preopen(directory(tree.granted(), Access::READ)).enforce();
        if abi >= 5 {
            let report = outcome.unwrap();
            assert!(report.enforced);
            for protection in Protection::ALL.iter().filter(|p| p.required_by_default()) {
                assert!(report.protects(*protection), "{protection}: {report}");
            }
            assert_eq!(ask::open_read(tree.outside().join("file")), DENIED);
            assert_eq!(ask::open_read(tree.granted().join("file")), Ok(()));
            return;
        }
        let error = outcome.unwrap_err();
        let (named, text) = (named(&error), error.to_string());
        let expected = match abi {
            0 => "landlock",
            1 | 2 => "truncate",
            _ => "ioctl-device",
        };
        assert_eq!(named, expected, "{text}");
        // Nothing is restricted halfway.
        assert_eq!(ask::open_read(tree.outside().join("file")), Ok(()));
        assert!(wasix_landlock::current().is_none());
    }
}

/// Returns the feature that an error names as missing.
fn named(error: &Error) -> String {
    match error {
        Error::Prepare(PrepareError::LandlockUnavailable {
            reason: Unavailable::NotImplemented | Unavailable::NotEnabled,
        }) => "landlock".to_owned(),
        Error::Prepare(PrepareError::ProtectionUnavailable { protection, .. }) => {
            protection.to_string()
        }
        error => error.to_string(),
    }
}

#[test]
fn each_protection_is_there_or_refused_by_name() {
    isolated!(|| {
        let abi = ask::landlock_abi();
        for (protection, since) in SINCE {
            let required = requiring(Some(*protection)).prepare();
            let name = protection.to_string();
            if abi >= *since {
                assert!(required.is_ok(), "{name}");
                continue;
            }
            let error = Error::from(required.unwrap_err());
            let expected = if abi == 0 { "landlock" } else { &name };
            assert_eq!(named(&error), expected);
            if abi > 0 {
                // Where it is optional, the report says that it is lacking, by name and with the
                // ABI that has it.
                let prepared = requiring(None).prepare().unwrap();
                let report = prepared.report();
                let says = |what: &String| {
                    what.starts_with(&format!("{name}: ")) && what.contains(&since.to_string())
                };
                assert!(report.not_enforced.iter().any(says), "{report}");
                assert!(!report.protects(*protection));
            }
        }
    });
}

#[test]
fn best_effort_says_what_it_does_without() {
    isolated!(|| {
        let report = Policy::default()
            .mode(wasix_landlock::Mode::BestEffort)
            .enforce()
            .unwrap();
        let abi = ask::landlock_abi();
        assert_eq!(report.enforced, abi > 0);
        for (protection, since) in SINCE {
            let off = |p: &ProtectionReport| p.name == *protection && p.level == Level::Off;
            if report.protections.iter().any(off) {
                continue;
            }
            assert_eq!(report.protects(*protection), abi >= *since, "{protection}");
        }
        let expected = if abi > 0 { DENIED } else { Ok(()) };
        assert_eq!(ask::open_read("/"), expected);
    });
}

/// Shows for `kernels/run` what becomes of each protection here.
#[test]
fn what_becomes_of_each_protection_is_shown() {
    note(&format!("abi: {}", ask::landlock_abi()));
    if let Ok(prepared) = requiring(None).prepare()
        && let Some(errata) = prepared.report().errata
    {
        note(&format!("errata: {errata:#x}"));
    }
    let network = Network::none();
    for protection in Protection::ALL {
        let default = if protection.required_by_default() {
            " (required by default)"
        } else {
            ""
        };
        let becomes = what_becomes_of(*protection, &network);
        note(&format!("protection {protection}{default}: {becomes}"));
    }
    // A filter can't tell ports apart.
    let network = network.connect(443).send_udp(53);
    for protection in [Protection::Tcp, Protection::Udp] {
        let becomes = what_becomes_of(protection, &network);
        note(&format!(
            "protection {protection} with a port granted: {becomes}"
        ));
    }
}

fn what_becomes_of(protection: Protection, network: &Network) -> String {
    let policy = |required| requiring(required).network(network.clone());
    match (policy(Some(protection)).prepare(), policy(None).prepare()) {
        (Ok(prepared), _) => {
            let report = prepared.report();
            let found = report.protections.iter().find(|p| p.name == protection);
            let found = found.unwrap();
            assert_eq!(found.status, ProtectionStatus::Enforced, "{protection}");
            let by: Vec<String> = found.by.iter().map(ToString::to_string).collect();
            by.join(", ").replace("landlock", "Landlock")
        }
        (Err(_), Ok(optional)) => {
            let says = |what: &String| what.starts_with(&format!("{protection}: "));
            assert!(optional.report().not_enforced.iter().any(says));
            "refused, or reported".to_owned()
        }
        (Err(error), Err(_)) => {
            let error = Error::from(error);
            assert_eq!(named(&error), "landlock", "{error}");
            "refused".to_owned()
        }
    }
}

for_both_users! {
    fn a_unix_socket_outside_can_not_be_connected_to() {
        if ask::landlock_abi() < 9 {
            skip!("connecting to a unix socket by its path is denied from Landlock ABI 9 on");
        }
        let tree = Tree::new();
        let sockets = [tree.granted(), tree.outside()].map(|directory| directory.join("socket"));
        let _listening = sockets
            .each_ref()
            .map(|path| std::os::unix::net::UnixListener::bind(path).unwrap());
        for socket in &sockets {
            assert_eq!(ask::connect_socket(socket), Ok(()));
        }
        let report = policy()
            .preopen(directory(tree.granted(), Access::ALL))
            .require(Protection::ResolveUnix)
            .enforce()
            .unwrap();
        assert!(report.handled.contains(&Right::ResolveUnix));
        // No access grants it, a directory's neither.
        for socket in &sockets {
            assert_eq!(ask::connect_socket(socket), DENIED);
        }
        assert_eq!(ask::open_read(tree.granted().join("file")), Ok(()));
    }
}
