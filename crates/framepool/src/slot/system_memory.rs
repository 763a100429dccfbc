//! A buffer on the heap: a new allocation for every slice.

use std::mem;
use std::sync::Arc;

use crate::quarantine::{Guarded, Quarantine};
use crate::shown::{Shown, Sight};

use super::error::{OutOfMemory, OutOfRange};
use super::slice::{Slice, reserve};

/// `buffer_sv2`'s `BufferFromSystemMemory` with checked arguments, growth that can fail, a start that ends with its message,
/// and memory that may be shown while a message is being written.
///
/// The memory at least doubles when it grows. It moves then; while a message fits, the memory stays where it is.
#[derive(Debug, Default)]
pub struct SystemMemory {
    /// All of it is initialized, also what is not written yet.
    memory: Shown<Vec<u8>>,
    /// Bytes written, at most those of `memory`.
    len: usize,
    start: usize,
}

impl SystemMemory {
    /// An empty buffer. Allocates nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes written and not yet taken, hidden ones included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when nothing is written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes hidden by [`try_set_start`](Self::try_set_start).
    pub fn start(&self) -> usize {
        self.start
    }

    /// `len` more bytes after what is written, with any content. [`OutOfMemory`] changes nothing.
    ///
    /// Moves what is written if there is no room behind it.
    pub fn try_get_writable(&mut self, len: usize) -> Result<&mut [u8], OutOfMemory> {
        let before = self.len;
        let total = before.checked_add(len).ok_or(OutOfMemory { bytes: usize::MAX })?;
        if total > self.memory.len() {
            self.grow(total.max(self.memory.len().saturating_mul(2)))?;
        }
        self.len = total;
        Ok(&mut self.memory.access()[before..total])
    }

    /// `size` is more than there is.
    fn grow(&mut self, size: usize) -> Result<(), OutOfMemory> {
        if let Some(memory) = self.memory.unseen() {
            memory.try_reserve_exact(size - memory.len()).map_err(|_| OutOfMemory { bytes: size })?;
            memory.resize(size, 0);
        } else {
            self.memory = Shown::new(self.copy(size)?);
        }
        Ok(())
    }

    /// What is written, in fresh memory of `size` bytes.
    fn copy(&self, size: usize) -> Result<Vec<u8>, OutOfMemory> {
        let mut copy = reserve(size)?;
        copy.extend_from_slice(self.pending());
        copy.resize(size, 0);
        Ok(copy)
    }

    /// Moves what is written to fresh memory, and what it leaves into `quarantine`: for debug mode, in which a view of the
    /// bytes is good until the next call. [`OutOfMemory`] changes nothing.
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

    /// What it takes to show the memory: what is written, and behind that what will be.
    pub fn sight(&mut self) -> Sight<'_> {
        self.memory.sight()
    }

    /// Ends without ending the sights of the memory: see [`Shown::abandon`].
    pub fn abandon(self) {
        self.memory.abandon();
    }

    /// Hides the first `index` bytes from [`AsRef`] and [`AsMut`] until the next take. [`OutOfRange`] beyond
    /// [`len`](Self::len).
    pub fn try_set_start(&mut self, index: usize) -> Result<(), OutOfRange> {
        let limit = self.len();
        if index > limit {
            return Err(OutOfRange { value: index, limit });
        }
        self.start = index;
        Ok(())
    }

    /// Keeps the first `len` of the bytes that are not hidden. [`OutOfRange`] if there are fewer.
    pub fn try_truncate(&mut self, len: usize) -> Result<(), OutOfRange> {
        let limit = self.len() - self.start;
        if len > limit {
            return Err(OutOfRange { value: len, limit });
        }
        self.set_len(self.start + len);
        Ok(())
    }

    /// `len` is at most [`len`](Self::len).
    pub(super) fn set_len(&mut self, len: usize) {
        self.len = len;
    }

    pub(super) fn pending(&self) -> &[u8] {
        &self.memory[..self.len]
    }

    pub(super) fn pending_mut(&mut self) -> &mut [u8] {
        &mut self.memory.access()[..self.len]
    }

    pub(super) fn take(&mut self) -> Slice {
        let Self { mut memory, len, .. } = mem::take(self);
        memory.truncate(len);
        memory.into()
    }

    #[expect(clippy::unused_self, reason = "what `traits` asks of both buffers")]
    pub(super) fn no_slice_alive(&self) -> bool {
        true
    }
}
