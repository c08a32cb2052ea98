//! Arguments, environment, streams and network: what is said, and nothing else.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process;

use wasix_landlock::Protection;
use wasix_landlock_engine::{engine, limited};
use wasix_landlock_testing::ask;
use wasmer_wasix::WasiEnv;
use wasmer_wasix::profile::{Captured, Compiler, Group, Network, Profile, ProfileError, Stream};
use wasmer_wasix::runners::wasi::WasiRunner;

use crate::common::{WELL, run, tokio};

/// The answer of a scope that refuses.
const REFUSED: ask::Answer = Err(libc::EPERM);

/// Writes what `sizes` and `get` give to standard output: how many entries, and their bytes.
fn printing(kind: &str) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "{kind}_sizes_get" (func $sizes (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "{kind}_get" (func $get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 2)
            (func (export "_start")
                (drop (call $sizes (i32.const 0) (i32.const 4)))
                (drop (call $get (i32.const 1024) (i32.const 65536)))
                (i32.store (i32.const 8) (i32.const 65536))
                (i32.store (i32.const 12) (i32.load (i32.const 4)))
                (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))))"#
    )
}

fn printed(profile: Profile, kind: &str) -> Vec<String> {
    let output = Captured::new(65536);
    let profile = profile.stdout(Stream::Memory(output.clone()));
    let ended = run(Compiler::Singlepass, profile, &printing(kind)).unwrap();
    assert_eq!(ended, WELL);
    let text = String::from_utf8(output.bytes()).unwrap();
    let mut entries: Vec<String> = text.split_terminator('\0').map(str::to_owned).collect();
    entries.sort();
    entries
}

#[test]
fn the_environment_is_what_is_named() {
    isolated!(|| {
        assert!(std::env::var_os("PATH").is_some());
        assert!(printed(Profile::new(), "environ").is_empty());
        let profile = Profile::new()
            .environment("A", "1")
            .environment("B", "=2")
            .environment_from_host("PATH");
        let path = format!("PATH={}", std::env::var("PATH").unwrap());
        assert_eq!(printed(profile, "environ"), ["A=1", "B==2", &path]);
    });
}

#[test]
fn the_hosts_environment_is_not_forwarded_by_a_runner_either() {
    let mut runner = WasiRunner::new();
    runner.with_forward_host_env(true);
    let of = |runner: &WasiRunner| {
        let _entered = tokio().enter();
        let runtime =
            wasmer_wasix::runners::wasi::RuntimeOrEngine::Engine(engine(Compiler::Singlepass));
        let hash = wasmer_types::ModuleHash::random();
        let wasi = webc::metadata::annotations::Wasi::new("module");
        let hash = wasmer_wasix::runners::wasi::PackageOrHash::Hash(hash);
        let builder = runner.prepare_webc_env("module", &wasi, hash, runtime, None);
        builder.unwrap().get_env().to_vec()
    };
    assert!(!of(&runner).is_empty());
    runner
        .with_profile(&Profile::new().environment("A", "1"))
        .unwrap();
    assert_eq!(of(&runner), [("A".to_owned(), b"1".to_vec())]);
}

#[test]
fn arguments_come_behind_the_programs_name() {
    isolated!(|| {
        let profile = Profile::new().argument("one").arguments(["two", ""]);
        assert_eq!(printed(profile, "args"), ["", "module", "one", "two"]);
    });
}

#[test]
fn what_cannot_be_given_is_an_error_that_names_it() {
    for (profile, message) in [
        (
            Profile::new().argument("ok").argument("a\0b"),
            "`arguments[1]` contains a NUL byte",
        ),
        (
            Profile::new().environment("A=B", ""),
            "`A=B` has an equals sign",
        ),
        (Profile::new().environment("", "x"), "`` has no name"),
        (
            Profile::new().environment("A\0", "x"),
            "`A\\0` has a NUL byte in its name",
        ),
        (
            Profile::new().environment("A", "x\0"),
            "`A` has a NUL byte in its value",
        ),
        (
            Profile::new()
                .environment("A", "1")
                .environment_from_host("A"),
            "`A` has a value in `environment` already",
        ),
        (
            Profile::new().environment_from_host("NOBODY_SETS_THIS"),
            "`NOBODY_SETS_THIS` is to be taken from the host",
        ),
    ] {
        let error = WasiEnv::builder("module").profile(&profile).unwrap_err();
        let error: ProfileError = error;
        assert!(error.to_string().contains(message), "{error}");
        let error = WasiRunner::new()
            .with_profile(&profile)
            .map(drop)
            .unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// Reads all of standard input, and writes it to standard output and error.
const COPYING: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\40\00\00\00\40\00\00\00")
    (func (export "_start")
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
        (i32.store (i32.const 4) (i32.load (i32.const 16)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;

for_both_compilers! {
    fn streams_lead_where_they_are_said_to(compiler) {
        let (output, errors) = (Captured::new(100), Captured::new(3));
        let profile = Profile::new()
            .stdin(Stream::Bytes(b"hello".to_vec()))
            .stdout(Stream::Memory(output.clone()))
            .stderr(Stream::Memory(errors.clone()));
        assert_eq!(run(compiler, profile, COPYING).unwrap(), WELL);
        assert_eq!(output.bytes(), b"hello");
        // No more than there is room for.
        assert_eq!(errors.bytes(), b"hel");
    }
}

/// Nothing of this shows up in the test's own streams.
#[test]
fn streams_lead_nowhere_unless_it_is_said() {
    isolated!(|| {
        let output = Captured::new(100);
        let profile = Profile::new().stdout(Stream::Memory(output.clone()));
        assert_eq!(run(Compiler::Singlepass, profile, COPYING).unwrap(), WELL);
        assert!(output.bytes().is_empty(), "null has nothing to read");
    });
}

for_both_users! {
    fn without_a_word_there_is_no_network() {
        assert_eq!(ask::bind_tcp(0), Ok(()));
        let _entered = tokio().enter();
        let engine = engine(Compiler::Singlepass);
        let env = WasiEnv::builder("module").engine(engine).profile(&Profile::new()).unwrap();
        let env = env.build().unwrap();
        assert!(env.landlock_report().unwrap().protects(Protection::Tcp));
        assert_ne!(ask::bind_tcp(0), Ok(()));
    }
}

/// True if a process that was there before can be signalled, and an abstract socket be connected to, under a profile.
fn reaches_others(profile: &Profile) -> (ask::Answer, ask::Answer) {
    let name = format!("before-{}", process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let mut other = process::Command::new("cat")
        .stdin(process::Stdio::piped())
        .spawn()
        .unwrap();
    let reached = || (ask::signal(other.id()), ask::connect_abstract(&name));
    assert_eq!(reached(), (Ok(()), Ok(())));
    let _entered = tokio().enter();
    let engine = limited(Compiler::Singlepass, &profile.limits);
    let env = WasiEnv::builder("module")
        .engine(engine)
        .profile(profile)
        .unwrap();
    let env = env.build().unwrap();
    let report = env.landlock_report().unwrap();
    let (signals, sockets) = reached();
    assert_eq!(report.protects(Protection::SignalScope), signals.is_err());
    assert_eq!(
        report.protects(Protection::AbstractSocketScope),
        sockets.is_err()
    );
    // It can't be signalled any more, perhaps, and ends with its input.
    drop(other.stdin.take());
    other.wait().unwrap();
    (signals, sockets)
}

for_both_users! {
    fn signals_and_abstract_sockets_end_at_the_process() {
        assert_eq!(reaches_others(&Profile::new()), (REFUSED, REFUSED));
    }
}

for_both_users! {
    fn signals_that_a_program_needs_are_left_to_it() {
        let without = r#"enforcement.without = ["signal-scope"]"#;
        let profile = Profile::from_toml(without).unwrap();
        assert_eq!(reaches_others(&profile), (Ok(()), REFUSED));
    }
}

for_both_users! {
    fn a_port_that_is_named_can_be_bound() {
        let profile = Profile::new().network(Network::none().bind(0));
        let _entered = tokio().enter();
        let engine = limited(Compiler::Singlepass, &profile.limits);
        let env = WasiEnv::builder("module").engine(engine).profile(&profile).unwrap();
        let _env = env.build().unwrap();
        assert_eq!(ask::bind_tcp(0), Ok(()));
        assert_ne!(ask::bind_tcp(49_151), Ok(()));
    }
}

/// `sock_open` for IPv4 and TCP, and `sock_bind` to a free port of 127.0.0.1; the error number of the last call.
const BINDING: &str = r#"(module
    (import "wasix_32v1" "sock_open" (func $open (param i32 i32 i32 i32) (result i32)))
    (import "wasix_32v1" "sock_bind" (func $bind (param i32 i32) (result i32)))
    (import "wasix_32v1" "sock_listen" (func $listen (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "\01\00\00\00\7f\00\00\01")
    (func (export "_start") (local $error i32)
        (local.set $error (call $open (i32.const 1) (i32.const 1) (i32.const 6) (i32.const 0)))
        (if (local.get $error) (then (call $exit (local.get $error))))
        (local.set $error (call $bind (i32.load (i32.const 0)) (i32.const 16)))
        (if (local.get $error) (then (call $exit (local.get $error))))
        (call $exit (call $listen (i32.load (i32.const 0)) (i32.const 1)))))"#;

for_both_compilers! {
    fn a_module_binds_where_its_port_is_named(compiler) {
        let bound = run(compiler, Profile::new().network(Network::none().bind(0)), BINDING).unwrap();
        assert_eq!(bound, WELL);
    }
}

for_both_compilers! {
    fn a_module_binds_to_no_other_port(compiler) {
        assert_ne!(run(compiler, Profile::new().network(Network::none().bind(49_151)), BINDING).unwrap().code, 0);
    }
}

for_both_compilers! {
    fn a_module_that_may_call_for_sockets_has_no_port_by_that(compiler) {
        let allowed = Profile::new().allow(Group::Sockets);
        assert_ne!(run(compiler, allowed, BINDING).unwrap().code, 0);
    }
}

/// `sock_open` for IPv4 and TCP, and `sock_connect` to a port of 127.0.0.1; the error number of the last call.
fn connecting(port: u16) -> String {
    let [low, high] = port.to_ne_bytes();
    format!(
        r#"(module
            (import "wasix_32v1" "sock_open" (func $open (param i32 i32 i32 i32) (result i32)))
            (import "wasix_32v1" "sock_connect" (func $connect (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 16) "\01\00\{low:02x}\{high:02x}\7f\00\00\01")
            (func (export "_start") (local $error i32)
                (local.set $error (call $open (i32.const 1) (i32.const 1) (i32.const 6) (i32.const 0)))
                (if (local.get $error) (then (call $exit (local.get $error))))
                (call $exit (call $connect (i32.load (i32.const 0)) (i32.const 16)))))"#
    )
}

for_both_compilers! {
    fn a_module_connects_where_its_port_is_named(compiler) {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connected = run(compiler, Profile::new().network(Network::none().connect(port)), &connecting(port)).unwrap();
        assert_eq!(connected, WELL);
        drop(listener.accept().unwrap());
    }
}

for_both_compilers! {
    fn a_module_connects_to_no_other_port(compiler) {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let another = Profile::new().network(Network::none().connect(port ^ 1));
        assert_ne!(run(compiler, another, &connecting(port)).unwrap().code, 0);
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err());
    }
}
