//! Errors of sessions and of a relay's memory.

use std::fmt;

use super::frame::MAX_PAYLOAD;
use crate::coded::Coded;
use crate::ring::RingError;
use crate::slot::Refused;

/// A fault in a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFault {
    /// The certificate has a format of this version, which is not ours.
    Version(u16),
    /// The expected authority has not signed it.
    Signature,
    /// It ended before our clock's time.
    Expired {
        /// Time since then, in seconds.
        ago: u32,
    },
    /// It begins after our clock's time.
    NotYetValid {
        /// Time until then, in seconds.
        ahead: u32,
    },
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "its version is {version}, and only version 0 is known"),
            Self::Signature => f.write_str("it is signed by another authority key (check the authority public key)"),
            Self::Expired { ago } => write!(f, "it expired {ago} s ago (check both clocks)"),
            Self::NotYetValid { ahead } => write!(f, "it is not valid yet, for another {ahead} s (check both clocks)"),
        }
    }
}

/// The error that refused a call or closed a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A handshake message could not be decrypted.
    Handshake,
    /// The server's certificate was refused.
    Certificate(CertificateFault),
    /// A frame's authentication failed.
    Aead,
    /// A payload is longer than allowed.
    FrameTooLarge {
        /// Length of the payload, in bytes.
        length: usize,
        /// Limit in bytes: [`Options::max_frame_size`](super::Options) for received frames, [`MAX_PAYLOAD`] for sent
        /// frames.
        max: usize,
    },
    /// The call needs another state: the handshake is not done, or the session is closed.
    State,
    /// An authority key cannot be used. The text tells which key and why, and contains nothing of the key.
    Key(String),
    /// The pool has bytes that were written and not taken.
    Busy,
    /// A batch's frame table does not describe frames of that batch.
    Internal,
    /// The allocator has no memory.
    NoMemory,
    /// A frame needs more memory than the budget of its relay can give it.
    MemoryLimit {
        /// Bytes needed.
        needed: usize,
        /// Bytes that the budget has for it.
        limit: usize,
    },
    /// The pool is full, and may not have what a batch needs on the heap.
    PoolLimit {
        /// Bytes that the batch needs there.
        bytes: usize,
        /// Bytes that the pool may have there.
        limit: usize,
    },
    /// The output size in bytes is not a power of two that fits in memory.
    OutputSize(usize),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake => f.write_str(
                "the Noise handshake failed: the peer's message cannot be decrypted (its bytes were changed on the \
                 way, or the peer does not speak Stratum V2)",
            ),
            Self::Certificate(fault) => write!(f, "the server's certificate was refused: {fault}"),
            Self::Aead => {
                f.write_str("a frame failed authentication: wire bytes were changed, lost, added or reordered")
            }
            Self::FrameTooLarge { length, max } if *max == MAX_PAYLOAD => {
                write!(f, "a payload of {length} bytes does not fit in a frame: the protocol's limit is {max}")
            }
            Self::FrameTooLarge { length, max } => {
                write!(f, "a frame of {length} bytes is larger than the maximum frame size of {max}")
            }
            Self::State => f.write_str("the session cannot do this: its handshake is not done, or it is closed"),
            Self::Key(reason) => f.write_str(reason),
            Self::Busy => f.write_str("the pool holds bytes that were written and not taken: take them first"),
            Self::Internal => f.write_str("the batch's frame table was overwritten: nothing was sent"),
            Self::NoMemory => f.write_str("no memory"),
            Self::MemoryLimit { needed, limit } => {
                write!(f, "a frame needs {needed} bytes of memory where the relay's budget has {limit}")
            }
            &Self::PoolLimit { bytes, limit } => Refused::Limit { bytes, limit }.fmt(f),
            Self::OutputSize(size) => {
                write!(f, "the output size must be a power of two that fits in memory, not {size}")
            }
        }
    }
}

impl std::error::Error for Error {}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Handshake => "ERR_SV2_HANDSHAKE",
            Self::Certificate(_) => "ERR_SV2_CERTIFICATE",
            Self::Aead => "ERR_SV2_AEAD",
            Self::FrameTooLarge { .. } => "ERR_SV2_FRAME_TOO_LARGE",
            Self::State => "ERR_SV2_STATE",
            Self::Key(_) => "ERR_SV2_KEY",
            Self::Busy => "ERR_BUSY",
            Self::Internal => "ERR_INTERNAL",
            Self::NoMemory => "ERR_NO_MEMORY",
            Self::MemoryLimit { .. } | Self::PoolLimit { .. } => "ERR_MEMORY_LIMIT",
            Self::OutputSize(_) => "ERR_OUT_OF_RANGE",
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Memory(_) => Self::NoMemory,
            Refused::Limit { bytes, limit } => Self::PoolLimit { bytes, limit },
        }
    }
}

impl From<RingError> for Error {
    fn from(error: RingError) -> Self {
        match error {
            RingError::Size(size) => Self::OutputSize(size),
            // The session chooses the alignment, so a refusal of it is a lack of memory like any other.
            RingError::Align(_) | RingError::NoMemory => Self::NoMemory,
        }
    }
}
