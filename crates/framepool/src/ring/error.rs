//! Errors of rings. After an error nothing has changed.

use std::fmt;

use crate::coded::Coded;

/// The error of a ring that could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RingError {
    /// The size in bytes is not a power of two, or beyond the address space.
    Size(usize),
    /// The alignment in bytes is not a power of two.
    Align(usize),
    /// The allocator has no memory.
    NoMemory,
}

impl From<bytering::BufferError> for RingError {
    fn from(error: bytering::BufferError) -> Self {
        match error {
            bytering::BufferError::BadSize(size) => Self::Size(size),
            bytering::BufferError::BadAlignment(align) => Self::Align(align),
            bytering::BufferError::AllocFailed => Self::NoMemory,
        }
    }
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => write!(f, "a ring's size must be a power of two that fits in memory, not {size}"),
            Self::Align(align) => write!(f, "a ring's alignment must be a power of two, not {align}"),
            Self::NoMemory => f.write_str("no memory for the ring"),
        }
    }
}

impl std::error::Error for RingError {}

impl Coded for RingError {
    fn code(&self) -> &'static str {
        match self {
            Self::Size(_) | Self::Align(_) => "ERR_OUT_OF_RANGE",
            Self::NoMemory => "ERR_NO_MEMORY",
        }
    }
}

/// The error of a half that was to advance by more than is available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidCount {
    /// Bytes requested.
    pub count: usize,
    /// Bytes that could be written or read.
    pub available: usize,
}

impl fmt::Display for InvalidCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot move on by {} bytes: only {} are available", self.count, self.available)
    }
}

impl std::error::Error for InvalidCount {}

impl Coded for InvalidCount {
    fn code(&self) -> &'static str {
        "ERR_INVALID_COUNT"
    }
}
