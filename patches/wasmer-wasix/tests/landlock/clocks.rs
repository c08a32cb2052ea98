//! Clocks that a module sets.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmer::{Instance, Module, Store};

use crate::common::host::{builder, singlepass, tokio};

const CLOCKS: &str = r#"(module
  (import "wasix_32v1" "clock_time_set" (func $set (param i32 i64) (result i32)))
  (import "wasix_32v1" "clock_time_get" (func $get (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "set") (param $clock i32) (param $time i64) (result i32)
    (call $set (local.get $clock) (local.get $time)))
  (func (export "get") (param $clock i32) (result i64)
    (if (call $get (local.get $clock) (i64.const 1) (i32.const 64)) (then unreachable))
    (i64.load (i32.const 64))))"#;

const REALTIME: i32 = 0;
const MONOTONIC: i32 = 1;
/// More than the calls of a test take, and less than what the clocks are set to.
const WHILE: i64 = Duration::from_secs(600).as_nanos() as i64;

/// A module with its clocks.
struct Clocks(Store, Instance);

impl Clocks {
    fn new() -> Self {
        let _entered = tokio().enter();
        let mut store = Store::new(singlepass());
        let module = Module::new(&store, CLOCKS).unwrap();
        let (instance, _env) = builder().instantiate(module, &mut store).unwrap();
        Self(store, instance)
    }

    fn set(&mut self, clock: i32, time: i64) {
        let set = self
            .1
            .exports
            .get_typed_function::<(i32, i64), i32>(&self.0, "set");
        assert_eq!(set.unwrap().call(&mut self.0, clock, time).unwrap(), 0);
    }

    fn get(&mut self, clock: i32) -> i64 {
        let get = self
            .1
            .exports
            .get_typed_function::<i32, i64>(&self.0, "get");
        get.unwrap().call(&mut self.0, clock).unwrap()
    }
}

#[test]
fn a_clock_that_was_set_goes_on_from_there_and_the_others_stay_the_host_s() {
    isolated!(|| {
        let mut clocks = Clocks::new();
        let host = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            i64::try_from(now.as_nanos()).unwrap()
        };
        let (before, read) = (host(), clocks.get(REALTIME));
        assert!((before..=host()).contains(&read), "{read}");
        let monotonic = clocks.get(MONOTONIC);
        // The extremes as well: their distance from the host's time is more than there is room for.
        for time in [5, WHILE * 1000, i64::MAX, i64::MIN, 7] {
            clocks.set(REALTIME, time);
            let passed = clocks.get(REALTIME).wrapping_sub(time);
            assert!((0..WHILE).contains(&passed), "{time}: {passed}");
        }
        assert!((0..WHILE).contains(&(clocks.get(MONOTONIC) - monotonic)));
    });
}
