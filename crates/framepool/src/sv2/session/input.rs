//! The input of one `receive`, read as one run of bytes.

/// The rest of earlier chunks, followed by the current chunk.
pub(super) struct Input<'a> {
    held: &'a [u8],
    chunk: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(held: &'a [u8], chunk: &'a [u8]) -> Self {
        Self { held, chunk }
    }

    /// Returns the number of unread bytes.
    pub(super) fn len(&self) -> usize {
        self.held.len() + self.chunk.len()
    }

    /// Returns the numbers of unread bytes in the held part and in the chunk.
    pub(super) fn unread(&self) -> (usize, usize) {
        (self.held.len(), self.chunk.len())
    }

    /// Fills `target`, which must not be longer than [`len`](Self::len).
    pub(super) fn read(&mut self, target: &mut [u8]) {
        let from_held = target.len().min(self.held.len());
        let (first, second) = target.split_at_mut(from_held);
        let from_chunk = second.len();
        first.copy_from_slice(&self.held[..from_held]);
        second.copy_from_slice(&self.chunk[..from_chunk]);
        self.held = &self.held[from_held..];
        self.chunk = &self.chunk[from_chunk..];
    }
}
