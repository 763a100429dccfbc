use std::mem;

use super::allowance::Allowance;
use super::error::Error;

/// Bytes in the order in which they came, in one piece of memory.
///
/// Taking from the front moves a mark, so that what is put in last can be sealed where it lies, and nothing is copied but to
/// gain or give back at least as much room.
#[derive(Debug, Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    /// Where the queued bytes begin in `bytes`.
    start: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for `length` bytes more.
    pub(super) fn reserve(&mut self, length: usize, allowance: Allowance) -> Result<(), Error> {
        if self.bytes.capacity() - self.bytes.len() >= length {
            return Ok(());
        }
        let needed = self.len().saturating_add(length);
        if self.start >= self.len() && self.bytes.capacity() >= needed {
            self.bytes.drain(..self.start);
        } else {
            // For what is queued in one go, exactly what it takes; for what is added to it, more and more ahead.
            let expected = self.is_empty().then_some(needed);
            self.move_to(allowance.buffer(needed, expected)?, allowance);
        }
        self.start = 0;
        Ok(())
    }

    /// What is appended here is queued. It must have been [reserved](Self::reserve).
    pub(super) fn back(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn front(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Takes the first `count` bytes, at most [`len`](Self::len). What was reserved stays so.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// Gives back what was reserved and is not used: all of it if nothing is queued, and most of it if little is.
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
