//! The names of enumerations: text and serialized form are the same.

use std::{fmt, str::FromStr};

use serde::{
    Deserialize, Serialize,
    de::{
        IntoDeserializer,
        value::{Error, StrDeserializer},
    },
};

use crate::{Mode, ModeError, Object, Right, Scope, Status, SweepMethod};

macro_rules! show_as_serialized {
    ($($name:ty),*) => { $(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.serialize(f)
            }
        }
    )* };
}

show_as_serialized!(Mode, Object, Right, Scope, Status, SweepMethod);

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(name: &str) -> Result<Self, ModeError> {
        parse(name).ok_or_else(|| ModeError {
            value: name.to_owned(),
        })
    }
}

/// Finds the value of a name.
pub(crate) fn parse<'a, T: Deserialize<'a>>(name: &'a str) -> Option<T> {
    let name: StrDeserializer<'a, Error> = name.into_deserializer();
    T::deserialize(name).ok()
}

/// Joins names in a message.
pub(crate) fn list<T: ToString>(all: impl IntoIterator<Item = T>, separator: &str) -> String {
    let all: Vec<String> = all.into_iter().map(|one| one.to_string()).collect();
    all.join(separator)
}
