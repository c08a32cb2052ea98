//! A call as the module's process gets it.

use serde::{Deserialize, Serialize};

use wasix_landlock_attacks::errno::Errno;

use super::text::{ANSWER, DATA, ROOM};
use super::threads::Threads;
use crate::outcome::Outcome;

/// Either what a call returned, or the outcome without anything returned.
pub type Answer<T = Outcome> = Result<T, Box<Outcome>>;

/// A call of a function of preview 1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// The function.
    pub function: String,
    /// The arguments, each as wide as the function has it.
    pub arguments: Vec<u64>,
    /// Bytes to put into the module's memory.
    pub data: Vec<u8>,
    /// The number of bytes to take from where the call puts what it returns.
    pub answer: u32,
    /// The part of the memory that the call uses: one for each thread.
    pub room: u32,
}

/// A request to the module's process.
#[derive(Debug, Serialize, Deserialize)]
pub enum Message {
    /// One call.
    Call(Call),
    /// Threads, which make calls at the same time.
    Threads(Threads),
}

/// The outcome of a call, from the module's process.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The error number, and what the call returned.
    Returned(u32, Vec<u8>),
    /// The module's code did not return.
    Trapped(String),
}

impl Reply {
    /// The bytes that were returned, or the outcome without any.
    ///
    /// # Errors
    /// The call's own.
    pub fn answer(self) -> Answer<Vec<u8>> {
        match self {
            Self::Returned(0, bytes) => Ok(bytes),
            Self::Returned(number, _) => {
                let name = Errno::from_number(number).name();
                Err(Box::new(Outcome::of(name)))
            }
            Self::Trapped(message) => Err(Outcome::end("trap", message)),
        }
    }
}

impl Call {
    /// A call without arguments, by the thread that has this part of the memory.
    #[must_use]
    pub fn new(function: &str, room: u32) -> Self {
        Self {
            function: function.to_owned(),
            arguments: Vec::new(),
            data: Vec::new(),
            answer: 0,
            room,
        }
    }

    /// The address of the data.
    #[must_use]
    pub const fn data_at(&self) -> u32 {
        self.room * ROOM + DATA
    }

    /// The address of what the call returns.
    #[must_use]
    pub const fn answer_at(&self) -> u32 {
        self.room * ROOM + ANSWER
    }

    /// Adds a number.
    pub fn number(&mut self, number: impl Into<u32>) -> &mut Self {
        self.arguments.push(number.into().into());
        self
    }

    /// Adds a wide number.
    pub fn long(&mut self, number: u64) -> &mut Self {
        self.arguments.push(number);
        self
    }

    /// Puts bytes into the memory, and adds where they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let at = self.data_at() as usize + self.data.len();
        self.data.extend(bytes);
        // What follows may have to be aligned.
        self.data.resize(self.data.len().next_multiple_of(8), 0);
        self.arguments.push(at as u64);
        self
    }

    /// As [`Self::bytes`], and adds the length.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes());
        self.arguments.push(text.len() as u64);
        self
    }

    /// Adds a vector of one buffer, with its length of one.
    pub fn vector(&mut self, at: u32, size: u32) -> &mut Self {
        let vector = [at.to_le_bytes(), size.to_le_bytes()].concat();
        self.bytes(&vector).number(1_u32)
    }

    /// Adds where so many bytes of what is returned go.
    pub fn result(&mut self, size: u32) -> &mut Self {
        self.arguments.push((self.answer_at() + self.answer).into());
        self.answer += size.next_multiple_of(8);
        self
    }
}
