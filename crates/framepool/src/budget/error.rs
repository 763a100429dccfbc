//! Errors of the budget pool.

use std::error::Error;
use std::fmt;

use super::shared::MAX_COUNT;
use crate::coded::Coded;
use crate::ledger::Closed;

/// The error of a pool that could not be made, or of memory that was not allocated. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetError {
    /// The buffer size in bytes is not a power of two from 8 to 16,384.
    BufferSize(usize),
    /// The budget in bytes is not above the buffer size.
    MaxMemory(usize),
    /// The number of buffers is 0, above [`MAX_COUNT`], or more than the whole budget.
    Count(usize),
    /// The number of bytes is 0, or more than the whole budget.
    Bytes {
        /// Bytes requested.
        bytes: usize,
        /// The whole budget.
        limit: usize,
    },
    /// The pool is closed.
    Closed,
    /// The time was up before the request was granted.
    TimedOut,
    /// The system has no memory, though the budget has room.
    NoMemory {
        /// Bytes requested.
        bytes: usize,
    },
}

impl fmt::Display for BudgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferSize(bytes) => write!(f, "a buffer size must be a power of two from 8 to 16384, not {bytes}"),
            Self::MaxMemory(bytes) => write!(f, "the budget must be larger than one buffer, not {bytes} bytes"),
            Self::Count(count) => {
                write!(f, "cannot allocate {count} buffers: from 1 to {MAX_COUNT}, within the budget")
            }
            Self::Bytes { bytes, limit } => write!(f, "{bytes} bytes are not from 1 to {limit}"),
            Self::Closed => Closed.fmt(f),
            Self::TimedOut => f.write_str("the budget did not allow it in time"),
            Self::NoMemory { bytes } => write!(f, "cannot allocate {bytes} bytes"),
        }
    }
}

impl Error for BudgetError {}

impl Coded for BudgetError {
    fn code(&self) -> &'static str {
        match self {
            Self::BufferSize(_) | Self::MaxMemory(_) | Self::Count(_) | Self::Bytes { .. } => "ERR_OUT_OF_RANGE",
            Self::Closed => Closed.code(),
            Self::TimedOut => "ERR_TIMEOUT",
            Self::NoMemory { .. } => "ERR_NO_MEMORY",
        }
    }
}

impl From<Closed> for BudgetError {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}
