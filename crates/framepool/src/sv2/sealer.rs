use super::batch::Frame;
use super::frame::{CHUNK, SEALED_HEADER};
use super::noise::{CipherState, TAG};
use super::{Error, KEEP, Output};

/// The sending half of a transport: frames in, wire bytes out.
pub(super) struct Sealer {
    cipher: CipherState,
    /// Where chunks are sealed before they go to the output: a ring's free space may wrap, a cipher needs one piece.
    scratch: Vec<u8>,
}

impl Sealer {
    pub(super) fn new(cipher: CipherState) -> Self {
        Self { cipher, scratch: Vec::new() }
    }

    /// Makes room so that no frame of at most `payload` bytes can fail for want of memory half-way.
    pub(super) fn reserve(&mut self, payload: usize) -> Result<(), Error> {
        let longest = SEALED_HEADER + payload.min(CHUNK) + TAG;
        self.scratch.try_reserve(longest).map_err(|_| Error::NoMemory)
    }

    /// Seals a frame into `output`. The cipher fails only after 2^64 − 1 messages: what of the frame is in the output
    /// by then cannot be taken back, so the session must end.
    pub(super) fn seal(&mut self, frame: Frame<'_>, output: &mut Output) -> Result<(), Error> {
        self.seal_piece(&frame.header.encode(frame.payload.len()))?;
        for chunk in frame.payload.chunks(CHUNK) {
            self.seal_piece(chunk)?;
            output.push(&self.scratch);
            self.scratch.clear();
        }
        // The header of a frame without payload.
        output.push(&self.scratch);
        self.scratch.clear();
        Ok(())
    }

    fn seal_piece(&mut self, plain: &[u8]) -> Result<(), Error> {
        let start = self.scratch.len();
        self.scratch.extend_from_slice(plain);
        let tag = self.cipher.seal(b"", &mut self.scratch[start..])?;
        self.scratch.extend_from_slice(&tag);
        Ok(())
    }

    /// Gives back what a large frame needed.
    pub(super) fn shrink(&mut self) {
        self.scratch.shrink_to(KEEP);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.scratch.capacity()
    }
}
