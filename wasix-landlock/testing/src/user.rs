//! Running as somebody without privileges.

use crate::{isolated, sys};

/// The user and group that [`as_ordinary_user`] becomes: `nobody`'s, on most systems.
pub const ORDINARY_USER: u32 = 65534;

/// True if this process may do anything.
#[must_use]
pub fn is_root() -> bool {
    sys::effective_user() == 0
}

/// Runs a body as a user without privileges: as it is, or as [`ORDINARY_USER`] when this is root.
///
/// # Panics
///
/// Outside of [`isolated()`](crate::isolated()), since there is no way back; and when the kernel
/// refuses.
pub fn as_ordinary_user(body: impl FnOnce()) {
    if is_root() {
        assert!(isolated::is_child(), "only a child may change its user");
        sys::become_user(ORDINARY_USER).expect("root may become anyone");
    }
    assert!(!is_root());
    body();
}

/// Makes two tests of a body: as this user, and as one without privileges.
#[macro_export]
macro_rules! for_both_users {
    ($(#[$doc:meta])* fn $name:ident() $body:block) => {
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn body() $body

            #[test]
            fn as_this_user() {
                $crate::isolated!(body);
            }

            #[test]
            fn as_an_ordinary_user() {
                $crate::isolated!(|| {
                    $crate::as_ordinary_user(body);
                });
            }
        }
    };
}
