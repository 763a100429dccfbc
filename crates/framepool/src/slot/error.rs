//! What the fallible functions of the slot pool report.

use std::error::Error;
use std::fmt;

use crate::coded::Coded;

/// The system gave no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// Bytes asked for; `usize::MAX` if their number does not fit in a `usize`.
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

/// An argument lies beyond what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange {
    /// The argument.
    pub value: usize,
    /// The greatest value that was legal.
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
