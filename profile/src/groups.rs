//! The functions of WASI in groups, each of which can be switched off.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::functions::FUNCTIONS;

macro_rules! groups {
    ($($(#[$doc:meta])* $name:ident, $field:ident, $text:literal, $default:literal;)*) => {
        /// Functions of WASI that belong together. [`Group::functions`] lists them.
        ///
        /// # Example
        ///
        /// ```
        /// use wasix_landlock_profile::{self as profile, Group};
        ///
        /// let group = Group::named("sockets").expect("it is the name of a group");
        /// assert_eq!((group, group.name()), (Group::Sockets, "sockets"));
        /// assert!(group.functions().any(|function| function == "sock_open"));
        /// assert_eq!(Group::of("random_get"), Some(Group::Randomness));
        /// assert!(profile::functions().any(|function| function == ("fd_read", None)));
        /// assert_eq!(Group::ALL.len(), 7);
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Group { $( $(#[$doc])* $name, )* }

        impl Group {
            /// Every group.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            /// The key in a profile's table `groups`.
            ///
            /// [Example](Group#example).
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }
        }

        /// The groups that a module may call. Functions in none of them are always allowed.
        ///
        /// # Example
        ///
        /// ```
        /// use wasix_landlock_profile::{Group, Groups};
        ///
        /// let mut groups = Groups::default();
        /// assert!(groups.allows(Group::Clocks) && !groups.allows(Group::Threads));
        /// groups.set(Group::Threads, true);
        /// groups.refuse = true;
        /// assert!(groups.allows(Group::Threads));
        /// assert!(Groups::all().allows(Group::Sockets));
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        #[non_exhaustive]
        pub struct Groups {
            $( $(#[$doc])* pub $field: bool, )*
            /// A module that imports from a group that is off is refused, with a list, before it is instantiated.
            /// Otherwise it runs, and the calls answer `ENOTSUP`.
            pub refuse: bool,
        }

        impl Default for Groups {
            fn default() -> Self {
                Self { $( $field: $default, )* refuse: false }
            }
        }

        impl Groups {
            /// All are on, as without a profile.
            ///
            /// [Example](Groups#example).
            #[must_use]
            pub const fn all() -> Self {
                Self { $( $field: true, )* refuse: false }
            }

            /// True if the group may be called.
            ///
            /// [Example](Groups#example).
            #[must_use]
            pub const fn allows(&self, group: Group) -> bool {
                match group { $( Group::$name => self.$field, )* }
            }

            /// Switches a group on or off.
            ///
            /// [Example](Groups#example).
            pub fn set(&mut self, group: Group, on: bool) {
                match group { $( Group::$name => self.$field = on, )* }
            }
        }
    };
}

groups! {
    /// The network: sockets, names, ports. Off unless allowed, or a port is named.
    Sockets, sockets, "sockets", false;
    /// Other programs: forking, executing, signalling and waiting for them, and loading libraries. Off unless allowed.
    Processes, processes, "processes", false;
    /// Starting and joining threads, waiting for one another, and coroutines. Off unless allowed.
    Threads, threads, "threads", false;
    /// The size and the modes of the terminal. Off unless allowed.
    Terminal, terminal, "terminal", false;
    /// Reading and setting clocks, and sleeping. `poll_oneoff` can wait for a time without. On unless switched off.
    Clocks, clocks, "clocks", true;
    /// Random bytes. On unless switched off.
    Randomness, randomness, "randomness", true;
    /// Making and reading symbolic links. Those that are there are followed without. Off unless allowed.
    Symlinks, symlinks, "symlinks", false;
}

impl Group {
    /// The functions in it, in the order of their names. Each is meant in every version of WASI that has it: preview 1
    /// and the draft before it, and WASIX with 32 and with 64 bits.
    ///
    /// [Example](Group#example).
    pub fn functions(self) -> impl Iterator<Item = &'static str> {
        FUNCTIONS
            .iter()
            .filter(move |(_, group)| *group == Some(self))
            .map(|(name, _)| *name)
    }

    /// The group with this name.
    ///
    /// [Example](Group#example).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|group| group.name() == name)
    }

    /// The group that a function is in.
    ///
    /// [Example](Group#example).
    #[must_use]
    pub fn of(function: &str) -> Option<Self> {
        FUNCTIONS
            .binary_search_by(|(name, _)| (*name).cmp(function))
            .ok()
            .and_then(|place| FUNCTIONS[place].1)
    }
}

/// Every function that a module can be offered, in the order of the names, with its group. What is in none is always
/// there. [Example](Group#example).
pub fn functions() -> impl Iterator<Item = (&'static str, Option<Group>)> {
    FUNCTIONS.iter().copied()
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Groups {
    /// True if all groups are on.
    #[must_use]
    pub fn are_all_on(&self) -> bool {
        Group::ALL.iter().all(|group| self.allows(*group))
    }

    /// True if a function may be called. One that the table doesn't know may be if all groups are on.
    #[must_use]
    pub fn allow_function(&self, function: &str) -> bool {
        match FUNCTIONS.binary_search_by(|(name, _)| (*name).cmp(function)) {
            Ok(place) => FUNCTIONS[place].1.is_none_or(|group| self.allows(group)),
            Err(_) => self.are_all_on(),
        }
    }
}
