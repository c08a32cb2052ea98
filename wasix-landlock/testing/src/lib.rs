//! Runs a test body in a process of its own and asks the kernel what it may do.
//!
//! A restriction can't be lifted, so each test that enforces one does it in a child:
//!
//! ```no_run
//! # #[allow(dead_code)]
//! #[test]
//! fn reading_is_denied() {
//!     wasix_landlock_testing::isolated!(|| {
//!         // enforce something here, then ask the kernel
//!         assert_eq!(wasix_landlock_testing::ask::open_read("/etc"), Err(13));
//!     });
//! }
//! ```

#![cfg(target_os = "linux")]
#![deny(missing_docs)]

mod alone;
pub mod ask;
pub mod descriptors;
pub mod foreign;
mod isolated;
pub mod limits;
mod lines;
pub mod output;
pub mod preload;
pub mod preview1;
mod program;
mod skip;
#[allow(unsafe_code)]
mod sys;
pub mod takeover;
pub mod threads;
mod user;
mod variable;

pub use alone::{alone, alone_in_process_namespace, in_forked_children};
pub use isolated::{TIMEOUT, isolated, run};
pub use lines::patch_lines;
pub use program::{end_within, succeeds};
pub use skip::{note, note_from_anywhere, skip_from_anywhere, skipped};
pub use user::{ORDINARY_USER, as_ordinary_user, is_root};
pub use variable::with_variable;
