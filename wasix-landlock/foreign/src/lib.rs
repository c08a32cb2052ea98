//! The words between the subject, a program in which a policy is enforced, and the driver, which looks at it from
//! outside.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod words;

pub use words::{Answer, Claim, Settings, Tried, With};
