//! A profile in a builder, for a program that calls the module's functions by itself.

use std::time::Duration;

use wasix_landlock_engine::{engine, limited};
use wasmer::{Instance, Module, RuntimeError, Store};
#[cfg(feature = "host-interrupt")]
use wasmer_types::TrapCode;
use wasmer_wasix::profile::{self, Captured, Compiler, Group, Limit, Profile, Stream};
use wasmer_wasix::{WasiEnv, WasiError, WasiFunctionEnv};

use crate::common::tokio;

struct Guest {
    store: Store,
    instance: Instance,
    env: WasiFunctionEnv,
}

impl Guest {
    fn try_new(compiler: Compiler, profile: &Profile, module: &str) -> anyhow::Result<Self> {
        let _entered = tokio().enter();
        let engine = limited(compiler, &profile.limits);
        let mut store = Store::new(engine.clone());
        let module = Module::new(&engine, module)?;
        let builder = WasiEnv::builder("module").engine(engine).profile(profile)?;
        let (instance, env) = builder.instantiate(module, &mut store)?;
        Ok(Self {
            store,
            instance,
            env,
        })
    }

    fn new(compiler: Compiler, profile: &Profile, module: &str) -> Self {
        Self::try_new(compiler, profile, module).unwrap()
    }

    fn start(&mut self) -> Result<(), RuntimeError> {
        let start = self.instance.exports.get_function("_start").unwrap();
        start.call(&mut self.store, &[]).map(drop)
    }

    fn limit_reached(&mut self) -> Option<Limit> {
        self.env.limit_reached(&mut self.store)
    }
}

const GROWING: &str = r#"(module (memory (export "memory") 1)
    (func (export "_start") (drop (memory.grow (i32.const 9)))))"#;

const LOOPING: &str =
    r#"(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))"#;

/// Waits for an hour in the call.
fn waiting(module: &str, call: &str, parameters: &str, values: &str) -> String {
    format!(
        r#"(module (import "{module}" "{call}" (func $wait (param {parameters}) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 216) "\01")
            (func (export "_start")
                (i64.store (i32.const 224) (i64.const 3600000000000))
                (drop (call $wait {values}))
                (drop (call $wait {values}))))"#
    )
}

for_both_compilers! {
    fn a_trap_at_a_limit_is_told_apart_from_others(compiler) {
        let profile = Profile::new().limits(|l| l.memory_pages(9).instructions(1000));
        let mut growing = Guest::new(compiler, &profile, GROWING);
        assert_eq!(growing.limit_reached(), None);
        assert!(growing.start().is_ok());
        assert_eq!(growing.limit_reached(), None);

        let mut looping = Guest::new(compiler, &profile, LOOPING);
        assert!(looping.start().is_err());
        assert_eq!(looping.limit_reached(), Some(Limit::Instructions));

        let trap = r#"(module (memory (export "memory") 1) (func (export "_start") unreachable))"#;
        let mut trapping = Guest::new(compiler, &profile, trap);
        assert!(trapping.start().is_err());
        assert_eq!(trapping.limit_reached(), None);
        let data = trapping.env.data(&trapping.store);
        assert_eq!(data.limit_reached(), None);
    }
}

for_both_compilers! {
    fn what_waits_is_woken_when_the_time_is_over(compiler) {
        for module in [
            waiting(
                "wasi_snapshot_preview1",
                "poll_oneoff",
                "i32 i32 i32 i32",
                "(i32.const 200) (i32.const 400) (i32.const 1) (i32.const 64)",
            ),
            waiting("wasix_32v1", "thread_sleep", "i64", "(i64.const 3600000000000)"),
            waiting(
                "wasix_32v1",
                "futex_wait",
                "i32 i32 i32 i32",
                "(i32.const 512) (i32.const 0) (i32.const 600) (i32.const 700)",
            ),
        ] {
            let profile = Profile::new()
                .allow(Group::Threads)
                .limits(|l| l.wall_clock(Duration::from_millis(200)));
            let mut guest = Guest::new(compiler, &profile, &module);
            let error = guest.start().expect_err(&module);
            assert_eq!(guest.limit_reached(), Some(Limit::WallClock));
            match error.downcast::<WasiError>() {
                Ok(WasiError::Exit(code)) => assert_eq!(Some(code.raw()), Limit::WallClock.exit_code()),
                // It is a trap of the same meaning if it takes some time to wake.
                Err(_) if cfg!(feature = "host-interrupt") => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

for_both_compilers! {
    fn what_is_not_ended_at_its_time_is_a_warning(compiler) {
        let warnings = |profile| {
            let guest = Guest::new(compiler, &profile, LOOPING);
            let env = guest.env.data(&guest.store);
            let mut warnings = env.landlock_report().unwrap().warnings.clone();
            // A profile scopes signals and sockets, and the test's threads are there before.
            warnings.retain(|warning| !warning.contains("a domain of its own"));
            warnings
        };
        let time = || Profile::new().limits(|l| l.wall_clock(Duration::from_secs(60)));
        assert!(warnings(Profile::new()).is_empty());
        assert!(warnings(time().limits(|l| l.instructions(1 << 40))).is_empty());
        let told = warnings(time());
        match cfg!(feature = "host-interrupt") {
            true => assert!(told.is_empty(), "{told:?}"),
            false => assert!(told[0].contains("`wall-clock-ms` does not end a thread that only computes"), "{told:?}"),
        }
    }
}

#[cfg(feature = "host-interrupt")]
for_both_compilers! {
    fn what_computes_is_interrupted_when_the_time_is_over(compiler) {
        let profile = Profile::new().limits(|l| l.wall_clock(Duration::from_millis(200)));
        let mut guest = Guest::new(compiler, &profile, LOOPING);
        assert_eq!(guest.start().unwrap_err().to_trap(), Some(TrapCode::HostInterrupt));
        assert_eq!(guest.limit_reached(), Some(Limit::WallClock));
        // Also what is called later.
        assert_eq!(guest.start().unwrap_err().to_trap(), Some(TrapCode::HostInterrupt));
    }
}

#[cfg(feature = "host-interrupt")]
for_both_compilers! {
    fn what_computes_is_interrupted_in_a_process_that_is_hardened(compiler) {
        let mut profile = Profile::new().limits(|l| l.wall_clock(Duration::from_millis(200)));
        profile.enforcement.harden = true;
        let mut guest = Guest::new(compiler, &profile, LOOPING);
        assert_eq!(guest.start().unwrap_err().to_trap(), Some(TrapCode::HostInterrupt));
    }
}

for_both_compilers! {
    fn a_stream_that_the_builder_sets_stays(compiler) {
        let (own, of_profile) = (Captured::new(10), Captured::new(10));
        let profile = Profile::new().stdout(Stream::Memory(of_profile.clone()));
        let module = r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\02\00\00\00") (data (i32.const 16) "hi")
            (func (export "_start")
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;
        let _entered = tokio().enter();
        let engine = limited(compiler, &profile.limits);
        let mut store = Store::new(engine.clone());
        let module = Module::new(&engine, module).unwrap();
        let (instance, _env) = WasiEnv::builder("module")
            .engine(engine)
            .profile(&profile)
            .unwrap()
            .stdout(profile::captured_file(&own))
            .instantiate(module, &mut store)
            .unwrap();
        let start = instance.exports.get_function("_start").unwrap();
        start.call(&mut store, &[]).unwrap();
        assert_eq!((own.bytes(), of_profile.bytes()), (b"hi".to_vec(), Vec::new()));
    }
}

/// `finalize` leaves it to the program to instantiate.
#[test]
fn a_module_that_is_instantiated_by_hand_is_checked_too() {
    isolated!(|| {
        let _entered = tokio().enter();
        let text = r#"(module
            (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
            (memory (export "memory") 1) (func (export "_start")))"#;
        let mut refusing = Profile::new().withhold(Group::Randomness);
        refusing.groups.refuse = true;
        let with_limit = Profile::new().limits(|l| l.memory_pages(10));
        for (profile, message) in [
            (Profile::new(), None),
            (refusing, Some("random_get (randomness)")),
            (with_limit, Some("without the limit `memory-pages`")),
        ] {
            let engine = engine(Compiler::Singlepass);
            let mut store = Store::new(engine.clone());
            let module = Module::new(&engine, text).unwrap();
            let builder = WasiEnv::builder("module").engine(engine).profile(&profile);
            let mut env = builder.unwrap().finalize(&mut store).unwrap();
            let imports = env.import_object(&mut store, &module).unwrap();
            let instance = Instance::new(&mut store, &module, &imports).unwrap();
            let initialized = env.initialize(&mut store, instance);
            match message {
                None => assert!(initialized.is_ok(), "{initialized:?}"),
                Some(message) => {
                    let error = initialized.unwrap_err().to_string();
                    assert!(error.contains(message), "{error}");
                }
            }
        }
    });
}
