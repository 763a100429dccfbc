//! The sending half of an established connection.
//!
//! A byte that was not sealed never reaches the wire.

use super::batch::Frame;
use super::output::Output;
use crate::sv2::error::Error;
use crate::sv2::frame::{CHUNK, SEALED_HEADER, sealed_payload};
use crate::sv2::noise::CipherState;

/// The sending half of a transport: frames in, wire bytes out.
pub(super) struct Sealer {
    cipher: CipherState,
}

impl Sealer {
    pub(super) fn new(cipher: CipherState) -> Self {
        Self { cipher }
    }

    /// Seals a frame into `output`, which must have room for it.
    ///
    /// Returns [`Error::Aead`] only after 2^64 − 1 messages. Parts of the frame may be in the output then and cannot be
    /// taken back, so the session must end.
    pub(super) fn seal(&mut self, frame: Frame<'_>, output: &mut Output) -> Result<(), Error> {
        let header = frame.header.encode(frame.payload.len());
        let mut chunks = frame.payload.chunks(CHUNK);
        self.put(&header, chunks.next().unwrap_or_default(), output)?;
        chunks.try_for_each(|chunk| self.put(&[], chunk, output))
    }

    /// Seals `header` and `chunk` in one piece. Either may be empty.
    fn put(&mut self, header: &[u8], chunk: &[u8], output: &mut Output) -> Result<(), Error> {
        let header_length = if header.is_empty() { 0 } else { SEALED_HEADER };
        let put = output.put(header_length + sealed_payload(chunk.len()), |space| {
            let (first, second) = space.split_at_mut(header_length);
            self.seal_into(header, first)?;
            self.seal_into(chunk, second)
        });
        put.unwrap_or_else(|| {
            output.put_through_queue(|queue| {
                self.seal_onto(header, queue)?;
                self.seal_onto(chunk, queue)
            })
        })
    }

    /// Seals `plain` into `space`, which is longer by a tag. Both are empty if there is nothing to seal.
    fn seal_into(&mut self, plain: &[u8], space: &mut [u8]) -> Result<(), Error> {
        if plain.is_empty() {
            return Ok(());
        }
        let (message, tag) = space.split_at_mut(plain.len());
        message.copy_from_slice(plain);
        tag.copy_from_slice(&self.cipher.seal(b"", message)?);
        Ok(())
    }

    fn seal_onto(&mut self, plain: &[u8], target: &mut Vec<u8>) -> Result<(), Error> {
        if plain.is_empty() {
            return Ok(());
        }
        let start = target.len();
        target.extend_from_slice(plain);
        let tag = self.cipher.seal(b"", &mut target[start..])?;
        target.extend_from_slice(&tag);
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn cipher(&mut self) -> &mut CipherState {
        &mut self.cipher
    }
}
