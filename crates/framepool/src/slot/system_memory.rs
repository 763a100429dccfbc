//! A buffer on the heap that makes a new allocation for every slice.
//!
//! A failed allocation is an error and loses nothing.

use std::mem;
use std::sync::Arc;

use crate::quarantine::{Guarded, Quarantine};
use crate::shown::{Shown, Sight};

use super::error::{OutOfMemory, OutOfRange};
use super::slice::{Slice, reserve};

/// The most that the memory grows to at one time, unless a message needs more, in bytes. Node 20 can show no more at once.
const MOST: usize = u32::MAX as usize;

/// Returns the size to which memory of `size` bytes grows for a message of `needed` bytes.
fn grown(size: usize, needed: usize) -> usize {
    needed.max(size.saturating_mul(2).min(MOST))
}

/// `buffer_sv2`'s `BufferFromSystemMemory` with checked arguments, growth that can fail, and a start that ends with its
/// message. Its memory may be shown while a message is being written.
///
/// The memory at least doubles when it grows up to 4 GiB, and moves. While a message fits, the memory stays in place.
#[derive(Debug, Default)]
pub struct SystemMemory {
    /// Every byte is initialized, including those that are not written yet.
    memory: Shown<Vec<u8>>,
    /// Bytes written, at most the length of `memory`.
    len: usize,
    start: usize,
}

impl SystemMemory {
    /// Makes an empty buffer. Allocates nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of bytes written and not yet taken, including hidden bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns true if nothing is written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the number of bytes that [`try_set_start`](Self::try_set_start) has hidden.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Returns `len` more bytes after what is written, with any content. Moves what is written if there is no room
    /// behind it.
    ///
    /// Returns [`OutOfMemory`], and changes nothing, if the system has no memory.
    pub fn try_get_writable(&mut self, len: usize) -> Result<&mut [u8], OutOfMemory> {
        let before = self.len;
        let total = before.checked_add(len).ok_or(OutOfMemory { bytes: usize::MAX })?;
        if total > self.memory.len() {
            self.grow(grown(self.memory.len(), total))?;
        }
        self.len = total;
        Ok(&mut self.memory.access()[before..total])
    }

    /// Makes the memory at least `size` bytes long, so that a message of that length need not move again.
    ///
    /// Returns [`OutOfMemory`], and changes nothing, if the system has no memory.
    pub(crate) fn try_reserve(&mut self, size: usize) -> Result<(), OutOfMemory> {
        if size > self.memory.len() { self.grow(size) } else { Ok(()) }
    }

    /// Grows the memory to `size` bytes, which must be more than there are.
    fn grow(&mut self, size: usize) -> Result<(), OutOfMemory> {
        if let Some(memory) = self.memory.unseen() {
            memory.try_reserve_exact(size - memory.len()).map_err(|_| OutOfMemory { bytes: size })?;
            memory.resize(size, 0);
        } else {
            self.memory = Shown::new(self.copy(size)?);
        }
        Ok(())
    }

    /// Copies what is written to fresh memory of `size` bytes.
    fn copy(&self, size: usize) -> Result<Vec<u8>, OutOfMemory> {
        let mut copy = reserve(size)?;
        copy.extend_from_slice(self.pending());
        copy.resize(size, 0);
        Ok(copy)
    }

    /// Moves what is written to fresh memory, and the old memory into `quarantine`. In debug mode a view of the bytes
    /// is valid only until the next call.
    ///
    /// Returns [`OutOfMemory`], and changes nothing, if the system has no memory.
    pub fn move_on(&mut self, quarantine: &Arc<Quarantine>) -> Result<(), OutOfMemory> {
        if self.memory.is_empty() {
            return Ok(());
        }
        let fresh = Shown::new(self.copy(self.memory.len())?);
        if let Some(old) = mem::replace(&mut self.memory, fresh).into_inner() {
            drop(Guarded::new(old, quarantine));
        }
        Ok(())
    }

    /// Returns the right to show the memory: what is written, and the room behind it.
    pub fn sight(&mut self) -> Sight<'_> {
        self.memory.sight()
    }

    /// Drops the buffer without ending the sights of its memory: see [`Shown::abandon`].
    pub fn abandon(self) {
        self.memory.abandon();
    }

    /// Hides the first `index` bytes from [`AsRef`] and [`AsMut`] until the message is taken.
    ///
    /// Returns [`OutOfRange`] if `index` is above [`len`](Self::len).
    pub fn try_set_start(&mut self, index: usize) -> Result<(), OutOfRange> {
        let limit = self.len();
        if index > limit {
            return Err(OutOfRange { value: index, limit });
        }
        self.start = index;
        Ok(())
    }

    /// Keeps the first `len` bytes of those that are not hidden.
    ///
    /// Returns [`OutOfRange`] if there are fewer.
    pub fn try_truncate(&mut self, len: usize) -> Result<(), OutOfRange> {
        let limit = self.len() - self.start;
        if len > limit {
            return Err(OutOfRange { value: len, limit });
        }
        self.set_len(self.start + len);
        Ok(())
    }

    /// Sets the number of written bytes to `len`, which is at most [`len`](Self::len).
    pub(super) fn set_len(&mut self, len: usize) {
        self.len = len;
    }

    /// Returns the length of the memory that [`restart`](Self::restart) would keep: 0 if a view may see it.
    pub(crate) fn kept(&mut self) -> usize {
        self.memory.unseen().map_or(0, |memory| memory.len())
    }

    /// Drops what is written. Keeps the memory for the next message, unless a view may see it.
    pub(crate) fn restart(&mut self) {
        if self.kept() == 0 {
            *self = Self::new();
        }
        (self.len, self.start) = (0, 0);
    }

    pub(crate) fn pending(&self) -> &[u8] {
        &self.memory[..self.len]
    }

    pub(super) fn pending_mut(&mut self) -> &mut [u8] {
        &mut self.memory.access()[..self.len]
    }

    pub(crate) fn take(&mut self) -> Slice {
        let Self { mut memory, len, .. } = mem::take(self);
        memory.truncate(len);
        memory.into()
    }

    #[expect(clippy::unused_self, reason = "what `traits` asks of both buffers")]
    pub(super) fn no_slice_alive(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_doubles_up_to_what_can_be_shown_at_once() {
        assert_eq!(grown(0, 10), 10);
        assert_eq!(grown(16, 17), 32);
        assert_eq!(grown(16, 100), 100);
        assert_eq!(grown(3 << 30, (3 << 30) + 1), MOST);
        assert_eq!(grown(MOST, MOST + 1), MOST + 1);
        assert_eq!(grown(usize::MAX, usize::MAX), usize::MAX);
    }
}
