use std::mem;

use super::{Error, spare};

/// Bytes in the order in which they came, in one piece of memory.
///
/// Taking from the front moves a mark, so that what is put in last can be sealed where it lies, and nothing is copied but to
/// gain or give back at least as much room.
#[derive(Debug, Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    /// Bytes at the front that have been taken.
    taken: usize,
    /// Of a bounded session: see [`spare::LARGEST_BOUNDED`].
    bounded: bool,
}

impl Queue {
    /// From here on no buffer is larger than it must be, beyond [`spare::LARGEST_BOUNDED`].
    pub(super) fn bound(&mut self) {
        self.bounded = true;
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for `length` bytes more.
    pub(super) fn reserve(&mut self, length: usize) -> Result<(), Error> {
        if self.bytes.capacity() - self.bytes.len() >= length {
            return Ok(());
        }
        let needed = self.len().saturating_add(length);
        if self.taken >= self.len() && self.bytes.capacity() >= needed {
            self.bytes.drain(..self.taken);
        } else {
            // For what is queued in one go, exactly what it takes; for what is added to it, more and more ahead.
            let most = if self.is_empty() { needed } else { usize::MAX };
            self.move_to(self.buffer(needed, most)?);
        }
        self.taken = 0;
        Ok(())
    }

    /// What is appended here is queued. It must have been [reserved](Self::reserve).
    pub(super) fn back(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn front(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Takes the first `count` bytes, at most [`len`](Self::len). What was reserved stays so.
    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
        if self.is_empty() {
            self.bytes.clear();
            self.taken = 0;
        }
    }

    /// Gives back what was reserved and is not used: all of it if nothing is queued, and most of it if little is.
    pub(super) fn release_unused(&mut self) {
        if self.is_empty() {
            let buffer = mem::take(&mut self.bytes);
            self.give(buffer);
        } else if self.bytes.capacity() / self.len() >= 8
            && let Ok(smaller) = self.buffer(self.len(), self.len())
        {
            self.move_to(smaller);
            self.taken = 0;
        }
    }

    fn buffer(&self, needed: usize, most: usize) -> Result<Vec<u8>, Error> {
        if self.bounded { spare::take_bounded(needed, needed) } else { spare::take(needed, most) }
    }

    fn move_to(&mut self, mut buffer: Vec<u8>) {
        buffer.extend_from_slice(self.front());
        let old = mem::replace(&mut self.bytes, buffer);
        self.give(old);
    }

    fn give(&self, buffer: Vec<u8>) {
        if self.bounded {
            spare::give_bounded(buffer);
        } else {
            spare::give(buffer);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}
