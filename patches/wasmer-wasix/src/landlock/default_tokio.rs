//! A tokio runtime for callers that are in none.

/// Enters a tokio runtime if the caller is in none: host files and the default task manager need one.
#[cfg(feature = "sys-thread")]
pub(crate) fn enter_tokio() -> Option<tokio::runtime::EnterGuard<'static>> {
    use std::sync::OnceLock;
    static RUNTIME: OnceLock<Option<tokio::runtime::Runtime>> = OnceLock::new();

    // That one is the host's: work of an instance has no place there, and threads that an instance makes none
    // here.
    if tokio::runtime::Handle::try_current().is_ok() || wasix_landlock::Membership::is_around() {
        return None;
    }
    let runtime = RUNTIME.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        runtime
            .inspect_err(|error| tracing::error!(%error, "no tokio runtime"))
            .ok()
    });
    runtime.as_ref().map(tokio::runtime::Runtime::enter)
}

#[cfg(not(feature = "sys-thread"))]
pub(crate) fn enter_tokio() {}
