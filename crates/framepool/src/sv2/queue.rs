use super::{Error, KEEP};

/// Bytes in the order in which they came, in one piece of memory.
///
/// Taking from the front moves a mark, so that what is put in last can be sealed where it lies, and nothing is copied but to
/// gain at least as much room. Memory that large frames needed is kept for the next of them, and given back once the queue
/// has been filled and emptied [`PATIENCE`] times with much less.
#[derive(Debug, Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    /// Bytes at the front that have been taken.
    taken: usize,
    /// How often in a row it was filled and emptied with an eighth of its memory at most.
    small_uses: u32,
}

/// Frames that lie across the ring's end pass through the queue one by one, also between two large frames.
const PATIENCE: u32 = 8;

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for `length` bytes more.
    pub(super) fn reserve(&mut self, length: usize) -> Result<(), Error> {
        if self.bytes.capacity() - self.bytes.len() < length && self.taken >= self.len() {
            self.forget_taken();
        }
        self.bytes.try_reserve(length).map_err(|_| Error::NoMemory)
    }

    /// What is appended here is queued. Without [`reserve`](Self::reserve) before it may fail for want of memory.
    pub(super) fn back(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn front(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Takes the first `count` bytes, at most [`len`](Self::len).
    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
        if self.is_empty() {
            let is_small = self.bytes.capacity() > KEEP.max(8 * self.taken);
            self.small_uses = if is_small { self.small_uses + 1 } else { 0 };
            self.forget_taken();
            if self.small_uses == PATIENCE {
                self.shrink();
            }
        }
    }

    /// Gives back all memory that is not in use.
    pub(super) fn shrink(&mut self) {
        self.small_uses = 0;
        self.forget_taken();
        self.bytes.shrink_to_fit();
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    fn forget_taken(&mut self) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
    }
}
