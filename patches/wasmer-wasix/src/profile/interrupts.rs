//! Ends threads that compute, at a limit that another one has reached, or the clock: with the feature `host-interrupt`
//! by Wasmer's own interrupts, and else not at all.

#[cfg(all(feature = "host-interrupt", not(unix)))]
compile_error!(
    "the feature `host-interrupt` needs a Unix system: Wasmer has no interrupts elsewhere"
);

use std::sync::Arc;

use wasmer::AsStoreMut;

/// True if they can be ended.
pub(super) const AVAILABLE: bool = cfg!(feature = "host-interrupt");

/// For each store, of which every thread has its own, what interrupts the code in it.
#[cfg(feature = "host-interrupt")]
type Stores = std::collections::HashMap<wasmer_types::StoreId, Box<dyn Fn() + Send>>;

/// The threads of one environment and its child processes.
#[derive(Default)]
pub(super) struct Interrupts {
    #[cfg(feature = "host-interrupt")]
    stores: std::sync::Mutex<Stores>,
}

#[cfg(not(feature = "host-interrupt"))]
impl Interrupts {
    pub(super) fn add(&self, _store: &mut impl AsStoreMut) {}

    pub(super) fn remove(&self, _store: &mut impl AsStoreMut) {}

    pub(super) fn begin(_this: &Arc<Self>) {}
}

#[cfg(feature = "host-interrupt")]
impl Interrupts {
    fn stores(&self) -> std::sync::MutexGuard<'_, Stores> {
        let stores = self.stores.lock();
        stores.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A thread begins.
    pub(super) fn add(&self, store: &mut impl AsStoreMut) {
        let objects = store.objects_mut();
        let interrupter = objects.interrupter();
        let interrupt = Box::new(move || interrupter.interrupt());
        self.stores().insert(objects.id(), interrupt);
    }

    /// Removes a thread that has ended.
    pub(super) fn remove(&self, store: &mut impl AsStoreMut) {
        self.stores().remove(&store.objects_mut().id());
    }

    /// Interrupts them all, again and again until the environment is gone: an interrupt can be missed, and what is called
    /// later has to end as well.
    pub(super) fn begin(this: &Arc<Self>) {
        use std::time::Duration;

        // What calls or waits may end by itself first, with an exit code instead of a trap.
        const FIRST: Duration = Duration::from_millis(10);
        const LAST: Duration = Duration::from_millis(160);
        let interrupts = Arc::downgrade(this);
        let interrupting = move || {
            let mut pause = FIRST;
            loop {
                std::thread::sleep(pause);
                pause = LAST.min(pause * 2);
                let Some(interrupts) = interrupts.upgrade() else {
                    return;
                };
                for interrupt in interrupts.stores().values() {
                    interrupt();
                }
            }
        };
        let name = "wasi-limit".to_owned();
        if let Err(error) = std::thread::Builder::new().name(name).spawn(interrupting) {
            tracing::error!(%error, "a module that computes can't be ended at its limit");
        }
    }
}
