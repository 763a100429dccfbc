//! The memory that a session may have, and how closely its buffers fit.
//!
//! [`Allowance`] alone tells a session with a relay's budget from any other session. The session's output carries it.
//! Held input and queued output get their buffers from it.

use super::error::Error;
use super::spare;

/// The largest buffer, in bytes, that a session with a limit leaves to the thread's spare buffers.
///
/// Larger buffers have exactly the length of their content, so that a budget need not pay for more, and are freed.
pub(super) const LARGEST_KEPT: usize = 1 << 16;

/// The memory that a session may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// The most bytes that may be pending in the output; `None` for a session without a limit.
    limit: Option<usize>,
}

impl Allowance {
    /// No limit. Large buffers get room for growth.
    pub(super) const UNLIMITED: Self = Self { limit: None };

    /// Makes an allowance of `limit` bytes that may be pending in the output. No buffer is larger than it must be.
    pub(super) fn bytes(limit: usize) -> Self {
        Self { limit: Some(limit) }
    }

    /// Returns [`Error::MemoryLimit`] if `needed` bytes are more than may be pending.
    pub(super) fn check(self, needed: usize) -> Result<(), Error> {
        match self.limit {
            Some(limit) if needed > limit => Err(Error::MemoryLimit { needed, limit }),
            _ => Ok(()),
        }
    }

    /// Returns an empty buffer with room for `needed` bytes. `expected` is the length that its content will reach, if
    /// that is known.
    ///
    /// Returns [`Error::NoMemory`] if the allocator has none.
    pub(super) fn buffer(self, needed: usize, expected: Option<usize>) -> Result<Vec<u8>, Error> {
        if self.limit.is_none() {
            return spare::take(needed, expected.unwrap_or(usize::MAX));
        }
        if needed <= LARGEST_KEPT {
            return spare::take(needed, needed);
        }
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(expected.unwrap_or(needed).max(needed)).map_err(|_| Error::NoMemory)?;
        Ok(buffer)
    }

    /// Leaves `buffer` to the thread's spare buffers, or frees it.
    pub(super) fn keep(self, buffer: Vec<u8>) {
        if self.limit.is_none() || buffer.capacity() <= LARGEST_KEPT {
            spare::give(buffer);
        }
    }
}
