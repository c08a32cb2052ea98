//! The calls of an environment that say what is enforced and what was denied.

use std::path::Path;
use std::sync::Arc;

use wasix_landlock::{Access, Report};

use super::denial::denials::{Denial, Denials};
use super::denial::examine::explain_guest;
use super::denial::unsaved::UnsavedFile;
use crate::runtime::VirtualTaskManager;
use crate::{Runtime, WasiEnv};

impl WasiEnv {
    /// Returns the task manager that runs the module: that of `runtime`, unless the environment has threads of its own.
    pub(crate) fn own_tasks_or(
        &self,
        runtime: &Arc<dyn Runtime + Send + Sync>,
    ) -> Arc<dyn VirtualTaskManager> {
        let runtime = match self.state.fs.meter.instance.get() {
            Some(_) => &self.runtime,
            None => runtime,
        };
        Arc::clone(runtime.task_manager())
    }

    /// Returns the report of this environment's `build()`, with the denials to the module since.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::{Protection, WasiState};
    ///
    /// let env = WasiState::new("worker").build()?;
    /// let report = env.landlock_report().expect("a built environment has one");
    /// assert!(report.enforced && report.protects(Protection::AllThreads));
    /// println!("{report}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn landlock_report(&self) -> Option<Arc<Report>> {
        let mut report = self.state.landlock.get().cloned()?;
        let denials = self.landlock_denials();
        if denials.refused > 0 {
            Arc::make_mut(&mut report).denials = (&denials).into();
        }
        let unsaved = self.landlock_unsaved_files();
        if !unsaved.is_empty() {
            let warnings = unsaved.iter().map(UnsavedFile::to_string);
            Arc::make_mut(&mut report).warnings.extend(warnings);
        }
        Some(report)
    }

    /// Returns the denials so far: by the kernel, by the WASI layer, and because nothing is
    /// preopened there. Each is there once, and at most [`DENIALS_KEPT`] are.
    ///
    /// [`landlock_report`](Self::landlock_report) has the same as text, for a log or a file.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::WasiState;
    ///
    /// let env = WasiState::new("guest").build()?;
    /// // … run the module …
    /// for denial in env.landlock_denials().iter() {
    ///     println!("{denial}");
    ///     if let Some(line) = denial.remedy() {
    ///         println!("to allow it: {line}");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn landlock_denials(&self) -> Denials {
        self.state.fs.root_fs.observer.denials.so_far()
    }

    /// Returns the files that the module has written where nothing is preopened, up to [`DENIALS_KEPT`].
    ///
    /// Upstream keeps such files in memory, so that they are lost at the end. The log names them then, and
    /// [`landlock_report`](Self::landlock_report) has them among its warnings.
    #[must_use]
    pub fn landlock_unsaved_files(&self) -> Vec<UnsavedFile> {
        self.state.fs.root_fs.observer.unsaved.so_far()
    }

    /// Returns the number of denied accesses so far, repetitions included.
    ///
    /// [Example](Denial#example).
    #[must_use]
    pub fn refused_accesses(&self) -> u64 {
        self.landlock_denials().refused
    }

    /// Explains the denial of an access to an absolute path inside; returns nothing if the access is allowed.
    ///
    /// Nothing is opened and nothing changes. What the user may not do by the file's own permissions is another
    /// matter, which it doesn't look at. In the scope *instance*, ask on a thread of the instance: elsewhere the kernel
    /// refuses nothing.
    ///
    /// [Example](Denial#example).
    #[must_use]
    pub fn landlock_explain(&self, guest: impl AsRef<Path>, access: Access) -> Option<Denial> {
        let root = &self.state.fs.root_fs;
        let denial = explain_guest(root, guest.as_ref(), access)?;
        Some(root.observer.denials.attributed(denial))
    }
}
