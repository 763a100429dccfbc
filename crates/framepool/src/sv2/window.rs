use buffer_sv2::AeadBuffer;
use noise_sv2::AeadError;

/// A fixed stretch of memory in which a cipher seals or opens in place.
pub(super) struct Window<'a> {
    memory: &'a mut [u8],
    /// How much of `memory` is the message; the rest is room for its tag.
    length: usize,
}

impl<'a> Window<'a> {
    /// The message is the first `length` bytes of `memory`.
    pub(super) fn new(memory: &'a mut [u8], length: usize) -> Self {
        Self { memory, length }
    }
}

impl AsRef<[u8]> for Window<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.length]
    }
}

impl AsMut<[u8]> for Window<'_> {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.memory[..self.length]
    }
}

impl AeadBuffer for Window<'_> {
    fn extend_from_slice(&mut self, other: &[u8]) -> Result<(), AeadError> {
        let room = self.memory[self.length..].get_mut(..other.len()).ok_or(AeadError)?;
        room.copy_from_slice(other);
        self.length += other.len();
        Ok(())
    }

    fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}
