/// The input of one `receive`: what earlier chunks left, then the chunk at hand, read as one run of bytes.
pub(super) struct Input<'a> {
    held: &'a [u8],
    chunk: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(held: &'a [u8], chunk: &'a [u8]) -> Self {
        Self { held, chunk }
    }

    /// Bytes not yet read.
    pub(super) fn len(&self) -> usize {
        self.held.len() + self.chunk.len()
    }

    /// Bytes not yet read of the held part and of the chunk.
    pub(super) fn unread(&self) -> (usize, usize) {
        (self.held.len(), self.chunk.len())
    }

    /// Fills `target`, which is at most [`len`](Self::len) bytes.
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
