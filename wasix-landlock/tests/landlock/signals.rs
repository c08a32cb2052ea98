//! The signal that reaches the threads takes nothing from the program's own signals.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use wasix_landlock::{Access, EnforceError, Error, SweepMethod};
use wasix_landlock_testing::{ask, isolated, threads};

use crate::{
    common::{DENIED, Tree, directory, policy},
    crew::check,
};

/// True if the C library's own signal can be had, see `LIBRARY_SIGNAL`.
const HAS_LIBRARY_SIGNAL: bool = cfg!(target_env = "gnu");

/// Starts a thread that blocks what the C library lets it block, as jemalloc's background thread
/// does and the helper of `timer_create(2)`, and asks when it is told to.
fn blocking(tree: &Arc<Tree>) -> (mpsc::Sender<()>, thread::JoinHandle<()>) {
    let (ready, is_ready) = mpsc::channel();
    let (sender, receiver) = mpsc::channel();
    let tree = Arc::clone(tree);
    let thread = thread::spawn(move || {
        threads::block_all_signals();
        assert_eq!(ask::open_read("/"), Ok(()));
        ready.send(()).unwrap();
        receiver.recv().unwrap();
        check(&tree);
    });
    is_ready.recv().unwrap();
    (sender, thread)
}

for_both_users! {
    fn a_thread_that_blocks_all_of_a_programs_signals_is_reached() {
        let tree = Arc::new(Tree::new());
        let (tell, thread) = blocking(&tree);
        let outcome = policy().preopen(directory(tree.granted(), Access::READ)).enforce();
        if !HAS_LIBRARY_SIGNAL {
            assert!(outcome.unwrap_err().to_string().contains("blocks every signal"));
            return;
        }
        let report = outcome.unwrap();
        assert_eq!(report.threads.as_ref().unwrap().unreached, 0, "{report}");
        tell.send(()).unwrap();
        thread.join().unwrap();
        check(&tree);
        // The C library has its signal back.
        threads::set_group_again().unwrap();
    }
}

#[test]
fn the_c_library_reaches_every_thread_meanwhile() {
    isolated!(|| {
        // Skips here, and not while a thread changes all the others.
        drop(policy());
        if !HAS_LIBRARY_SIGNAL {
            return;
        }
        let tree = Arc::new(Tree::new());
        let (tell, thread) = blocking(&tree);
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, is_ready) = mpsc::channel();
        let changing = {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let mut times = 0;
                while !stop.load(Ordering::SeqCst) {
                    threads::set_group_again().unwrap();
                    times += 1;
                    // Nobody listens any more after the first.
                    let _ = ready.send(());
                }
                times
            })
        };
        is_ready.recv().unwrap();
        let report = policy()
            .preopen(directory(tree.granted(), Access::READ))
            .enforce()
            .unwrap();
        assert_eq!(report.threads.as_ref().unwrap().unreached, 0, "{report}");
        stop.store(true, Ordering::SeqCst);
        assert!(changing.join().unwrap() > 0);
        tell.send(()).unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn a_signal_that_a_thread_waits_for_is_left_to_it() {
    isolated!(|| {
        let tree = Arc::new(Tree::new());
        // The one that would be taken first. No other thread blocks it.
        let signal = libc::SIGRTMAX();
        let (ready, is_ready) = mpsc::channel();
        let waiting = {
            let tree = Arc::clone(&tree);
            thread::spawn(move || {
                let this = threads::current();
                let received = threads::wait_for_signal(signal, || ready.send(this).unwrap());
                check(&tree);
                received.unwrap()
            })
        };
        let waiter = is_ready.recv().unwrap();
        threads::wait_for_state(waiter, 'S');
        let report = policy()
            .preopen(directory(tree.granted(), Access::READ))
            .enforce()
            .unwrap();
        assert_eq!(report.threads.as_ref().unwrap().unreached, 0, "{report}");
        // Still waiting: what reached the thread was another signal.
        assert!(!waiting.is_finished());
        threads::signal(waiter, signal).unwrap();
        assert_eq!(waiting.join().unwrap(), signal);
    });
}

#[test]
fn no_free_signal_is_an_error_that_restricts_nothing() {
    isolated!(|| {
        threads::ignore_all_real_time_signals();
        let (ready, is_ready) = mpsc::channel();
        let (stop, stops) = mpsc::channel::<()>();
        thread::spawn(move || {
            // The C library's.
            threads::block_signals([33]);
            ready.send(()).unwrap();
            assert!(stops.recv().is_err());
        });
        is_ready.recv().unwrap();
        let error = policy().enforce().unwrap_err();
        assert!(
            matches!(error, Error::Enforce(EnforceError::NoFreeSignal)),
            "{error}"
        );
        assert_eq!(ask::open_read("/"), Ok(()));
        drop(stop);
    });
}

#[test]
fn the_c_librarys_signal_serves_where_a_program_uses_all_of_its_own() {
    isolated!(|| {
        if !HAS_LIBRARY_SIGNAL {
            return;
        }
        threads::ignore_all_real_time_signals();
        let report = policy().enforce().unwrap();
        assert!(report.threads.as_ref().unwrap().proved >= 2, "{report}");
        assert_eq!(ask::open_read("/"), DENIED);
    });
}

#[test]
fn the_signal_is_given_back() {
    isolated!(|| {
        let before = threads::real_time_signals_in_use();
        let report = policy().enforce().unwrap();
        if report.threads.as_ref().unwrap().method == SweepMethod::VisitedOneByOne {
            assert_eq!(report.threads.as_ref().unwrap().total, 2);
        }
        assert_eq!(threads::real_time_signals_in_use(), before);
    });
}
