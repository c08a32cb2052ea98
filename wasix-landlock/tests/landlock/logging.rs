//! Events are logged where a subscriber may ask for the report.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
    subscriber,
};
use wasix_landlock::Access;
use wasix_landlock_testing::isolated;

use crate::{
    common::{Tree, directory, file, policy},
    crew::{Crew, Wait, check},
};

/// Asks for the report at every event.
struct Asking(Arc<AtomicUsize>);

impl Subscriber for Asking {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        // Waits forever if the event comes under the lock of the process's state.
        if wasix_landlock::current().is_some() {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_subscriber_may_ask_for_the_report() {
    isolated!(|| {
        let tree = Arc::new(Tree::new());
        let crew = Crew::start([Wait::Park; 3], &tree);
        let answered = Arc::new(AtomicUsize::new(0));
        subscriber::set_global_default(Asking(Arc::clone(&answered))).unwrap();
        policy()
            .preopen(directory(tree.granted(), Access::READ))
            .preopen(file(tree.granted().join("new"), Access::ALL))
            .enforce()
            .unwrap();
        assert!(answered.load(Ordering::SeqCst) > 0, "something is logged");
        crew.check();
        check(&tree);
    });
}
