//! Processes whose `/proc` numbers threads otherwise than the kernel does for the process itself.

use std::{sync::Arc, thread};

use wasix_landlock::{Access, Protection};
use wasix_landlock_testing::{alone_in_process_namespace, ask, skip_from_anywhere, threads};

use crate::{
    common::{Tree, directory, policy},
    crew::{Crew, Wait, check},
};

for_both_users! {
    fn every_thread_in_a_process_namespace_with_the_proc_of_another_one() {
        let tree = Arc::new(Tree::new());
        let made = alone_in_process_namespace(|| {
            let listed = threads::all();
            assert!(!listed.contains(&threads::current()), "{listed:?}");
            let waits = [Wait::Park, Wait::Read, Wait::Epoll, Wait::Spin, Wait::Churn];
            let crew = Crew::start(waits, &tree);
            let report = policy()
                .preopen(directory(tree.granted(), Access::READ))
                .enforce()
                .unwrap();
            let swept = report.threads.as_ref().unwrap();
            assert!(swept.proved >= 6, "{report}");
            assert_eq!(swept.unreached, 0, "{report}");
            assert!(report.protects(Protection::AllThreads), "{report}");
            crew.check();
            check(&tree);
            let later = Arc::clone(&tree);
            thread::spawn(move || check(&later)).join().unwrap();
        });
        if let Err(error) = made {
            skip_from_anywhere(&format!("this user may not make a PID namespace: {error}"));
        }
        // What is outside of it stays free.
        assert_eq!(ask::open_read("/"), Ok(()));
    }
}
