//! A runtime that was taken over: what each call can do without a restriction, under Landlock
//! alone, by default, and under both layers.

use std::{collections::BTreeMap, env, fs, path::Path};

use landlock::{ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr, Scope};
use wasix_landlock::{Inherited, Network, Policy, Protection};
use wasix_landlock_testing::{
    skipped,
    takeover::{self, Call, Landlock, Outcome, Victim},
};

use crate::common::{hardened, needs, policy};

/// Set to have the document written instead of checked.
const WRITE: &str = "WASIX_LANDLOCK_WRITE_TABLE";

/// Makes every call in a child that a body has restricted, each time with a victim of its own.
fn outcomes(name: &str, restrict: impl FnOnce()) -> BTreeMap<String, Outcome> {
    let directory = env::temp_dir().join(name);
    fs::create_dir(&directory).unwrap();
    let victim = Victim::new(&directory).unwrap();
    let text = takeover::in_a_child(&victim, |targets| {
        restrict();
        let mut text = String::new();
        for call in takeover::calls() {
            let outcome = match call.run(targets) {
                Outcome::Done => "done".to_owned(),
                Outcome::Refused(errno) => format!("refused {errno}"),
                Outcome::Unavailable(why) => format!("unavailable {why}"),
            };
            text.push_str(&format!("{} {outcome}\n", call.name));
        }
        text
    });
    text.unwrap()
        .lines()
        .map(|line| {
            let (name, outcome) = line.split_once(' ').unwrap();
            let outcome = match outcome.split_once(' ').unwrap_or((outcome, "")) {
                ("done", _) => Outcome::Done,
                ("refused", errno) => Outcome::Refused(errno.parse().unwrap()),
                (_, why) => Outcome::Unavailable(why.to_owned()),
            };
            (name.to_owned(), outcome)
        })
        .collect()
}

/// The calls that succeed without a restriction; only what they can't do later says anything.
fn possible() -> Vec<&'static Call> {
    let control = outcomes("control", || ());
    let root = wasix_landlock_testing::is_root();
    takeover::calls()
        .filter(|call| {
            let why = match &control[call.name] {
                Outcome::Done => return true,
                Outcome::Refused(_) if call.only_root && !root => "only root may".to_owned(),
                Outcome::Refused(errno) => format!(
                    "without a restriction: {}",
                    std::io::Error::from_raw_os_error(*errno)
                ),
                Outcome::Unavailable(why) => why.clone(),
            };
            skipped(&format!("`{}` can't be tried here: {why}", call.name));
            false
        })
        .collect()
}

fn abi() -> u32 {
    policy().prepare().unwrap().report().abi
}

/// Compares the outcomes with the expected ones, and reports all differences at once.
fn check(
    calls: &[&Call],
    outcomes: &BTreeMap<String, Outcome>,
    expected: impl Fn(&Call) -> Expected,
) {
    let wrong: Vec<String> = calls
        .iter()
        .filter(|call| !expected(call).is(&outcomes[call.name]))
        .map(|call| {
            format!(
                "{}: {:?}, not {:?}",
                call.name,
                outcomes[call.name],
                expected(call)
            )
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        calls.len() > 40,
        "too few calls can be tried: {}",
        calls.len()
    );
}

#[derive(Clone, Copy, Debug)]
enum Expected {
    Done,
    /// Refused by Landlock, whatever the error number is.
    Denied,
    /// Refused by the filter.
    Filtered,
    /// Can't be told.
    Any,
}

impl Expected {
    fn is(self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Self::Any, _) | (Self::Done, Outcome::Done) => true,
            (Self::Denied, Outcome::Refused(errno)) => {
                matches!(*errno, libc::EACCES | libc::EPERM | libc::EXDEV)
            }
            (Self::Filtered, Outcome::Refused(errno)) => {
                matches!(*errno, libc::EPERM | libc::ENOSYS)
            }
            _ => false,
        }
    }
}

for_both_users! {
    fn landlock_alone_holds_off_what_the_table_says() {
        let (calls, abi) = (possible(), abi());
        let outcomes = outcomes("landlock", || {
            // The `landlock` crate by itself: all that it knows and this kernel has, nothing
            // granted.
            Ruleset::default()
                .handle_access(AccessFs::from_all(ABI::V9))
                .unwrap()
                .handle_access(AccessNet::from_all(ABI::V9))
                .unwrap()
                .scope(Scope::from_all(ABI::V9))
                .unwrap()
                .create()
                .unwrap()
                .restrict_self()
                .unwrap();
        });
        check(&calls, &outcomes, |call| match call.landlock {
            // Which the crate doesn't know yet.
            Landlock::Udp(since) if since <= abi => Expected::Any,
            // Fixed in some kernels of this ABI and not in others.
            Landlock::TcpFixed(since) if since <= abi => Expected::Any,
            Landlock::TcpFixed(_) => Expected::Done,
            landlock if landlock.since().is_some_and(|since| since <= abi) => Expected::Denied,
            _ => Expected::Done,
        });
    }
}

/// Lets the io_uring pass that one of the calls uses. Any policy refuses it unless it says so.
fn with_ring(policy: Policy) -> Policy {
    policy.inherited(Inherited::Report)
}

for_both_users! {
    fn by_default_network_and_signals_are_left_alone() {
        let (calls, abi) = (possible(), abi());
        let outcomes = outcomes("default", || drop(with_ring(policy()).enforce().unwrap()));
        check(&calls, &outcomes, |call| match call.landlock {
            Landlock::Files(since) | Landlock::Domain(since) if since <= abi => Expected::Denied,
            _ => Expected::Done,
        });
    }
}

for_both_users! {
    fn both_layers_hold_off_what_the_table_says() {
        needs(6);
        let (calls, abi) = (possible(), abi());
        let outcomes = outcomes("hardened", || drop(with_ring(hardened()).enforce().unwrap()));
        check(&calls, &outcomes, |call| match (call.second, call.landlock.since()) {
            (Some(_), _) => Expected::Filtered,
            (None, Some(since)) if since <= abi => Expected::Denied,
            _ => Expected::Done,
        });
    }
}

for_both_users! {
    fn the_network_can_be_closed_alone() {
        needs(4);
        let calls = possible();
        let outcomes = outcomes("network", || {
            drop(with_ring(policy()).network(Network::none()).enforce().unwrap());
        });
        let abi = abi();
        check(&calls, &outcomes, |call| match (call.second, call.landlock) {
            // No filter lets them pass.
            _ if call.name == "fchmod-32-bit" => Expected::Filtered,
            (Some("tcp" | "udp" | "other-sockets" | "io-uring"), _) => Expected::Filtered,
            (_, Landlock::Files(since) | Landlock::Domain(since)) if since <= abi => {
                Expected::Denied
            }
            _ => Expected::Done,
        });
    }
}

/// The calls of one protection are refused, and no others: each is there for itself.
fn alone(protection: Protection, calls: &[&Call], abi: u32) {
    let outcomes = outcomes(protection.name(), || {
        drop(with_ring(policy()).require(protection).enforce().unwrap());
    });
    check(calls, &outcomes, |call| {
        match (call.second, call.landlock) {
            // No filter lets them pass.
            (Some("io-uring"), _) => Expected::Filtered,
            _ if call.name == "fchmod-32-bit" => Expected::Filtered,
            // Without a port, no stream socket of the internet is made, whatever its protocol.
            _ if protection == Protection::Tcp && matches!(call.name, "mptcp-connect" | "sctp") => {
                Expected::Filtered
            }
            _ if [call.second, call.also].contains(&Some(protection.name())) => Expected::Filtered,
            (_, Landlock::Files(since) | Landlock::Domain(since)) if since <= abi => {
                Expected::Denied
            }
            _ => Expected::Done,
        }
    });
}

for_both_users! {
    fn each_protection_of_the_second_layer_stands_alone() {
        let (calls, abi) = (possible(), abi());
        let second = Protection::ALL.iter().skip_while(|p| **p != Protection::Metadata);
        for protection in second.chain(&[Protection::Tcp, Protection::Udp]) {
            alone(*protection, &calls, abi);
        }
    }
}

#[test]
fn the_document_holds_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("TAKEOVER.md");
    let text = format!("{}{}", include_str!("takeover.md"), takeover::table());
    if env::var_os(WRITE).is_some() {
        fs::write(&path, &text).unwrap();
    }
    if !path.parent().unwrap().exists() {
        skip!("the sources aren't on this machine");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "TAKEOVER.md differs from the calls: run this test with {WRITE}=1, and review the \
         difference"
    );
}

#[test]
fn every_call_names_a_protection_that_exists() {
    for call in takeover::calls() {
        for name in [call.second, call.also].into_iter().flatten() {
            assert!(name.parse::<Protection>().is_ok(), "{}", call.name);
        }
        let same = takeover::calls().filter(|other| other.name == call.name);
        assert_eq!(same.count(), 1, "{}", call.name);
    }
    // And each protection that needs the filter has a call that shows it.
    let shown = |name: &str| takeover::calls().any(|call| call.second == Some(name));
    for protection in Protection::ALL
        .iter()
        .skip_while(|p| **p != Protection::Metadata)
    {
        assert!(shown(protection.name()), "{protection}");
    }
    assert!(shown("tcp") && shown("udp"));
}
