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
