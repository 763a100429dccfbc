//! Errors of the slot pool and of the buffer on the heap. After an error nothing that was written is lost.

use std::error::Error;
use std::fmt;

use crate::coded::Coded;

/// The error of an allocation that the system refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// Bytes requested; `usize::MAX` if the number does not fit in a `usize`.
    pub bytes: usize,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot allocate {} bytes", self.bytes)
    }
}

impl Error for OutOfMemory {}

impl Coded for OutOfMemory {
    fn code(&self) -> &'static str {
        "ERR_NO_MEMORY"
    }
}

/// The error of memory that was not given to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The system has none.
    Memory(OutOfMemory),
    /// The message belongs on the heap, and the pool may not have more there.
    Limit {
        /// Bytes that the message needs there.
        bytes: usize,
        /// Bytes that all messages together may have there.
        limit: usize,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(error) => error.fmt(f),
            Self::Limit { bytes, limit } => {
                write!(
                    f,
                    "the pool is full, and {bytes} bytes on the heap are more than is left of its limit of {limit}"
                )
            }
        }
    }
}

impl Error for Refused {}

impl Coded for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Memory(error) => error.code(),
            Self::Limit { .. } => "ERR_MEMORY_LIMIT",
        }
    }
}

impl From<OutOfMemory> for Refused {
    fn from(error: OutOfMemory) -> Self {
        Self::Memory(error)
    }
}

/// The error of an argument beyond what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange {
    /// The argument.
    pub value: usize,
    /// The greatest legal value.
    pub limit: usize,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not in the range 0 ..= {}", self.value, self.limit)
    }
}

impl Error for OutOfRange {}

impl Coded for OutOfRange {
    fn code(&self) -> &'static str {
        "ERR_OUT_OF_RANGE"
    }
}
