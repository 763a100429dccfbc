//! A queue of bytes for what an output's ring has no room for.

use std::mem;

use crate::sv2::allowance::Allowance;
use crate::sv2::error::Error;

/// Bytes in the order in which they came, in one piece of memory.
///
/// Consuming bytes at the front only moves a mark, so that the last bytes can be sealed in place. Bytes are copied only
/// to gain or free at least that much room.
#[derive(Debug, Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    /// Offset of the first queued byte in `bytes`.
    start: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for `length` more bytes.
    ///
    /// Returns [`Error::NoMemory`] if the allocator has none.
    pub(super) fn reserve(&mut self, length: usize, allowance: Allowance) -> Result<(), Error> {
        if self.bytes.capacity() - self.bytes.len() >= length {
            return Ok(());
        }
        let needed = self.len().saturating_add(length);
        if self.start >= self.len() && self.bytes.capacity() >= needed {
            self.bytes.drain(..self.start);
        } else {
            // The first bytes get exactly the memory that they need. Bytes that are added to others get room for
            // growth.
            let expected = self.is_empty().then_some(needed);
            self.move_to(allowance.buffer(needed, expected)?, allowance);
        }
        self.start = 0;
        Ok(())
    }

    /// Returns the memory whose end is the end of the queue. Bytes that are appended are queued; their room must be
    /// [reserved](Self::reserve).
    pub(super) fn back(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn front(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Removes the first `count` bytes, at most [`len`](Self::len). Reserved memory is kept.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// Frees reserved memory that is not used: all of it if nothing is queued, and most of it if little is.
    pub(super) fn release_unused(&mut self, allowance: Allowance) {
        if self.is_empty() {
            let buffer = mem::take(&mut self.bytes);
            allowance.keep(buffer);
        } else if self.bytes.capacity() / self.len() >= 8
            && let Ok(smaller) = allowance.buffer(self.len(), Some(self.len()))
        {
            self.move_to(smaller, allowance);
            self.start = 0;
        }
    }

    fn move_to(&mut self, mut buffer: Vec<u8>, allowance: Allowance) {
        buffer.extend_from_slice(self.front());
        let old = mem::replace(&mut self.bytes, buffer);
        allowance.keep(old);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}
