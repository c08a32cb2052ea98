//! Kernels and systems with less than this one.

use crate::sys;

/// Limits how many descriptors this process may have open.
///
/// # Panics
///
/// When the kernel refuses.
pub fn descriptors(count: u64) {
    sys::limit_descriptors(count).expect("a limit can be lowered");
}

/// Has the kernel end this process after so many seconds, should it hang.
pub fn lifetime(seconds: u32) {
    sys::end_after(seconds);
}

/// Makes a system call fail in this thread, and in those it starts, with an error number of choice.
/// It hides Landlock the way an older kernel, a boot parameter or a container's filter does.
///
/// # Panics
///
/// When the kernel refuses.
pub fn fail_system_call(number: i64, errno: i32) {
    sys::fail_system_call(number, errno).expect("a thread may filter itself");
}

/// Opens a file for reading and writing, so that a program that is executed gets it too, and so
/// that nothing owns it: what a careless parent passes on.
///
/// # Panics
///
/// When it can't be opened.
pub fn leak_descriptor(path: impl AsRef<std::path::Path>) -> i32 {
    sys::leak_descriptor(path.as_ref()).expect("the file can be opened")
}
