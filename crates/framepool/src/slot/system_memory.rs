//! A buffer on the heap: a new allocation for every slice.

use std::{alloc::Layout, mem};

use buffer_sv2::{AeadBuffer, Buffer, BufferFromSystemMemory};

use crate::allocator::set_aside;

use super::{OutOfMemory, OutOfRange, Slice};

/// `buffer_sv2`'s [`BufferFromSystemMemory`] with checked arguments, growth that can fail, and a start that ends with
/// its message.
#[derive(Debug, Default)]
pub struct SystemMemory {
    inner: BufferFromSystemMemory,
    /// What `inner` has asked the allocator for, in bytes.
    reserved: usize,
    start: usize,
}

impl SystemMemory {
    /// An empty buffer. Allocates nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes written and not yet taken, hidden ones included.
    pub fn len(&self) -> usize {
        Buffer::len(&self.inner)
    }

    /// True when nothing is written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes hidden by [`try_set_start`](Self::try_set_start).
    pub fn start(&self) -> usize {
        self.start
    }

    /// `len` more bytes after what is written, with any content. [`OutOfMemory`] changes nothing.
    ///
    /// May move what is written: [`relocate`](Self::relocate) tells how to keep the old memory.
    pub fn try_get_writable(&mut self, len: usize) -> Result<&mut [u8], OutOfMemory> {
        let total = self.len().checked_add(len).ok_or(OutOfMemory { bytes: usize::MAX })?;
        if total > self.reserved {
            // A vector at least doubles, so that is what `inner` will ask for.
            let bytes = total.max(self.reserved.saturating_mul(2));
            let layout = Layout::array::<u8>(bytes).map_err(|_| OutOfMemory { bytes })?;
            // `inner` cannot fail: without memory it would end the process.
            let _memory = set_aside(layout).ok_or(OutOfMemory { bytes })?;
            self.reserved = bytes;
            return Ok(self.inner.get_writable(len));
        }
        Ok(self.inner.get_writable(len))
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

    /// Moves what is written to a fresh allocation and hands out the old one, for a caller that exposed a pointer to it
    /// and cannot revoke it.
    /// [`OutOfMemory`] changes nothing.
    pub fn relocate(&mut self) -> Result<BufferFromSystemMemory, OutOfMemory> {
        let mut fresh = Self::new();
        fresh.try_get_writable(self.len())?.copy_from_slice(self.pending());
        fresh.start = self.start;
        Ok(mem::replace(self, fresh).inner)
    }

    /// `len` is at most [`len`](Self::len).
    pub(super) fn set_len(&mut self, len: usize) {
        AeadBuffer::truncate(&mut self.inner, len);
    }

    pub(super) fn pending(&self) -> &[u8] {
        self.inner.get_data_by_ref_(self.len())
    }

    pub(super) fn pending_mut(&mut self) -> &mut [u8] {
        self.inner.get_data_by_ref(self.len())
    }

    pub(super) fn take(&mut self) -> Slice {
        // The whole buffer goes: left in place it would keep what was truncated as the memory of the next message.
        mem::take(self).inner.get_data_owned().into()
    }

    #[expect(clippy::unused_self, reason = "what `traits` asks of both buffers")]
    pub(super) fn no_slice_alive(&self) -> bool {
        true
    }
}
