//! Errors of framed streams.

use std::fmt;

use crate::coded::Coded;
use crate::slot::{OutOfMemory, Refused};

/// The error of a layout that cannot be, of a frame that was refused, or of a call that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A number of the layout is out of its range. The text says which.
    Layout(&'static str),
    /// A frame is longer than allowed, or has no delimiter within the allowed length.
    TooLarge {
        /// Length of the frame in bytes, or the bytes that came without a delimiter.
        length: u64,
        /// The longest frame, in bytes.
        max: usize,
    },
    /// The length that a header gives is not even that of the header.
    TooShort {
        /// Length of the frame in bytes, by its header and the adjustment.
        length: i128,
        /// Length of the header, in bytes.
        header: usize,
    },
    /// The pool has bytes that were written and not taken.
    Busy,
    /// The chunk is longer than a batch can be.
    Chunk,
    /// The system has no memory, or the pool may not have more on the heap.
    Memory(Refused),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout(what) => f.write_str(what),
            Self::TooLarge { length, max } => write!(f, "a frame of {length} bytes is larger than the {max} allowed"),
            Self::TooShort { length, header } => {
                write!(f, "a header gives a frame {length} bytes, which is less than the header's own {header}")
            }
            Self::Busy => f.write_str("the pool holds bytes that were written and not taken: take them first"),
            Self::Chunk => f.write_str("a chunk has at most 2 GiB"),
            Self::Memory(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Layout(_) | Self::Chunk => "ERR_OUT_OF_RANGE",
            Self::TooLarge { .. } => "ERR_FRAME_TOO_LARGE",
            Self::TooShort { .. } => "ERR_FRAME_LENGTH",
            Self::Busy => "ERR_BUSY",
            Self::Memory(error) => error.code(),
        }
    }
}

impl From<Refused> for Error {
    fn from(error: Refused) -> Self {
        Self::Memory(error)
    }
}

impl From<OutOfMemory> for Error {
    fn from(error: OutOfMemory) -> Self {
        Refused::from(error).into()
    }
}
