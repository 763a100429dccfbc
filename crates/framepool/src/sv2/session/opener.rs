//! The receiving half of an established connection.
//!
//! No payload is held or decrypted before its header was authenticated and its length checked.

use buffer_sv2::AeadBuffer;
use framing_sv2::SV2_FRAME_HEADER_SIZE;
use framing_sv2::header::Header;

use super::batch::{Batch, BatchWriter};
use super::input::Input;
use crate::slot::TryBuffer;
use crate::sv2::error::Error;
use crate::sv2::frame::{CHUNK, SEALED_HEADER, TAG, sealed_payload};
use crate::sv2::noise::CipherState;

/// The receiving half of a transport: wire bytes in, batches out.
pub(super) struct Opener {
    cipher: CipherState,
    max_frame_size: usize,
    /// Header of the frame whose payload is not complete yet.
    header: Option<Header>,
}

impl Opener {
    pub(super) fn new(cipher: CipherState, max_frame_size: usize) -> Self {
        Self { cipher, max_frame_size, header: None }
    }

    /// Returns the number of bytes that the next step needs.
    pub(super) fn awaits(&self) -> usize {
        self.header.map_or(SEALED_HEADER, |header| sealed_payload(header.payload_length()))
    }

    /// Returns the payload's length of the incoming frame, if its header has come.
    pub(super) fn begun(&self) -> Option<usize> {
        self.header.map(|header| header.payload_length())
    }

    /// Opens every complete frame in `input` into one slice of `pool`, which must be empty. Without a complete frame
    /// the pool is not touched. The batch has the frames before an error.
    pub(super) fn open<B: TryBuffer>(
        &mut self,
        input: &mut Input<'_>,
        pool: &mut B,
    ) -> (Option<Batch<B::Slice>>, Result<(), Error>) {
        let first = match self.next_whole(input) {
            Ok(Some(header)) => header,
            Ok(None) => return (None, Ok(())),
            Err(error) => return (None, Err(error)),
        };
        // A start that is left from earlier use would shift `truncate`.
        pool.danger_set_start(0);
        // The first frame's header is already read. With it, these are the wire bytes of all frames that can follow.
        let mut writer = match pool.try_writable(SEALED_HEADER + input.len()) {
            Ok(room) => BatchWriter::new(room),
            Err(refused) => return (None, Err(refused.into())),
        };
        let result = self.open_frames(first, input, &mut writer);
        let written = writer.finish();
        AeadBuffer::truncate(pool, written.length);
        let slice = pool.get_data_owned();
        let batch = (written.frames > 0).then_some(Batch { slice, table: written.table, frames: written.frames });
        (batch, result)
    }

    fn open_frames(&mut self, first: Header, input: &mut Input<'_>, writer: &mut BatchWriter<'_>) -> Result<(), Error> {
        let mut next = Some(first);
        while let Some(header) = next {
            let length = header.payload_length();
            self.open_payload(input, &mut writer.room()[..length + TAG])?;
            writer.push(header.into(), length);
            next = self.next_whole(input)?;
        }
        Ok(())
    }

    /// Returns the header of the next frame if all its wire bytes are there. Opens a header and checks its length as
    /// soon as it has come, before any byte of the payload is held.
    fn next_whole(&mut self, input: &mut Input<'_>) -> Result<Option<Header>, Error> {
        let header = match self.header {
            Some(header) => header,
            None if input.len() < SEALED_HEADER => return Ok(None),
            None => self.open_header(input)?,
        };
        let whole = input.len() >= sealed_payload(header.payload_length());
        self.header = (!whole).then_some(header);
        Ok(whole.then_some(header))
    }

    fn open_header(&mut self, input: &mut Input<'_>) -> Result<Header, Error> {
        let mut bytes = [0; SEALED_HEADER];
        input.read(&mut bytes);
        self.cipher.open(b"", &mut bytes)?;
        let header = Header::from_bytes(&bytes[..SV2_FRAME_HEADER_SIZE]).map_err(|_| Error::Internal)?;
        let length = header.payload_length();
        if length > self.max_frame_size {
            return Err(Error::FrameTooLarge { length, max: self.max_frame_size });
        }
        Ok(header)
    }

    /// Opens a payload in its final place. Each chunk is copied there as ciphertext, and the chunk after it overwrites
    /// its tag. `room` is as long as the payload and one tag.
    fn open_payload(&mut self, input: &mut Input<'_>, room: &mut [u8]) -> Result<(), Error> {
        let mut rest = room;
        while rest.len() > TAG {
            let sealed = rest.len().min(CHUNK + TAG);
            input.read(&mut rest[..sealed]);
            self.cipher.open(b"", &mut rest[..sealed])?;
            rest = &mut rest[sealed - TAG..];
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn cipher(&mut self) -> &mut CipherState {
        &mut self.cipher
    }
}
