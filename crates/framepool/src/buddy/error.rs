//! Errors of the buddy pool.

use std::{fmt, io};

use super::block::BLOCK_SIZE;
use super::lent::{LENT_ALIGNMENT, Unfit};
use crate::coded::Coded;
use crate::system_error::SystemError;

/// The error of an allocation that failed. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The size in bytes is 0 or above [`BLOCK_SIZE`].
    Size(usize),
    /// Nothing of that size is free, and the pool may not grow.
    Limit {
        /// The pool's limit, in bytes.
        max_memory: usize,
    },
    /// The pool is closed.
    Closed,
    /// The system has no memory for another block.
    NoMemory,
    /// The system refused a block's policy, or a thread to grow on.
    System(SystemError),
    /// The memory of a block cannot be lent.
    Unfit(Unfit),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => write!(f, "a buffer has from 1 to {BLOCK_SIZE} bytes, not {size}"),
            Self::Limit { max_memory } => {
                write!(f, "no buffer of that size is free, and the pool has reached its limit of {max_memory} bytes")
            }
            Self::Closed => f.write_str("the pool is closed"),
            Self::NoMemory => write!(f, "the system has no memory for another block of {BLOCK_SIZE} bytes"),
            Self::System(error) => error.fmt(f),
            Self::Unfit(Unfit::Size(size)) => write!(f, "a block has {BLOCK_SIZE} bytes, not {size}"),
            Self::Unfit(Unfit::Alignment) => write!(f, "a block must be aligned to {LENT_ALIGNMENT} bytes"),
            Self::Unfit(Unfit::InUse) => f.write_str("a pool has this block, or a part of it, already"),
        }
    }
}

impl std::error::Error for Error {}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Size(_) => "ERR_OUT_OF_RANGE",
            Self::Limit { .. } => "ERR_MEMORY_LIMIT",
            Self::Closed => "ERR_CLOSED",
            Self::NoMemory => "ERR_NO_MEMORY",
            Self::System(_) => "ERR_SYSTEM",
            Self::Unfit(_) => "ERR_INVALID_ARG_VALUE",
        }
    }

    fn system(&self) -> Option<&SystemError> {
        match self {
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SystemError> for io::Error {
    fn from(error: SystemError) -> Self {
        Self::other(Error::System(error))
    }
}

/// A failure of the crate's pool.
pub(super) enum Failure {
    /// The crate would have had to grow on a thread that must not stall.
    Refused,
    Error(Error),
}
