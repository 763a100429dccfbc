//! The frames of one `receive`, side by side in one slice, with a table that describes them.
//!
//! A table that was overwritten never leads outside its batch.

use std::mem;

use crate::sv2::frame::FrameHeader;

/// Frames decrypted side by side into one slice. A table behind the last payload describes them:
///
/// ```text
/// ┌───────────┬───────────┬─ … ─┬─────────┬─────────┬─ … ─┐
/// │ payload 0 │ payload 1 │     │ entry 0 │ entry 1 │     │
/// └───────────┴───────────┴─ … ─┴─────────┴─────────┴─ … ─┘
/// 0                             table
/// ```
///
/// An entry has 12 bytes, little-endian: offset in the slice u32, length u32, extension type u16, message type u8, 0.
#[derive(Debug)]
pub struct Batch<S> {
    /// Payloads and table. The slice ends with the table.
    pub slice: S,
    /// Offset of the table in the slice, in bytes.
    pub table: usize,
    /// Number of frames, at least 1.
    pub frames: usize,
}

impl<S: AsRef<[u8]>> Batch<S> {
    /// Returns a frame, counted from 0, or `None` beyond the last.
    pub fn frame(&self, index: usize) -> Option<Frame<'_>> {
        // The slice ends with the table, so an index beyond the last frame lies outside the slice.
        frame_at(self.slice.as_ref(), self.table, index)
    }
}

/// A received frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Extension and message type.
    pub header: FrameHeader,
    /// Decrypted payload.
    pub payload: &'a [u8],
}

/// Size of a table entry, in bytes.
pub const ENTRY: usize = 12;

/// Returns the frame that entry `index` of a batch's table describes. Returns `None` if the entry lies outside the
/// batch, or describes bytes outside the payloads: the memory may have been overwritten since `receive` wrote it.
pub(super) fn frame_at(batch: &[u8], table: usize, index: usize) -> Option<Frame<'_>> {
    let entry = index.checked_mul(ENTRY)?.checked_add(table)?;
    let &[o0, o1, o2, o3, l0, l1, l2, l3, e0, e1, message_type, _] = batch.get(entry..)?.first_chunk()?;
    let offset = u32::from_le_bytes([o0, o1, o2, o3]) as usize;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let payload = batch.get(offset..table)?.get(..length)?;
    Some(Frame { header: FrameHeader { extension_type: u16::from_le_bytes([e0, e1]), message_type }, payload })
}

/// Fills a reserved slice with payloads from its front and table entries from its back.
///
/// The two never meet if the slice is as long as the frames' wire bytes: a sealed frame is longer than its payload by a
/// header of 22 bytes and a tag for each chunk.
pub(super) struct BatchWriter<'a> {
    memory: &'a mut [u8],
    payloads: usize,
    frames: usize,
}

impl<'a> BatchWriter<'a> {
    pub(super) fn new(memory: &'a mut [u8]) -> Self {
        Self { memory, payloads: 0, frames: 0 }
    }

    /// Returns the place of the next payload. It is longer than the payload by at least a tag.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let entries = self.memory.len() - self.frames * ENTRY;
        &mut self.memory[self.payloads..entries]
    }

    /// Adds a frame whose payload is the first `length` bytes of [`room`](Self::room).
    pub(super) fn push(&mut self, header: FrameHeader, length: usize) {
        let [o0, o1, o2, o3] = (self.payloads as u32).to_le_bytes();
        let [l0, l1, l2, l3] = (length as u32).to_le_bytes();
        let [e0, e1] = header.extension_type.to_le_bytes();
        let entry: [u8; ENTRY] = [o0, o1, o2, o3, l0, l1, l2, l3, e0, e1, header.message_type, 0];
        self.payloads += length;
        self.frames += 1;
        let at = self.memory.len() - self.frames * ENTRY;
        self.memory[at..at + ENTRY].copy_from_slice(&entry);
    }

    /// Moves the table directly behind the payloads, in the order of the frames.
    pub(super) fn finish(self) -> Written {
        let entries = self.memory.len() - self.frames * ENTRY;
        let (table, _) = self.memory[entries..].as_chunks_mut::<ENTRY>();
        table.reverse();
        let length = mem::size_of_val(table);
        self.memory.copy_within(entries.., self.payloads);
        Written { table: self.payloads, frames: self.frames, length: self.payloads + length }
    }
}

/// The result of a [`BatchWriter`]: where the table starts, the number of frames, and the number of bytes used.
pub(super) struct Written {
    pub(super) table: usize,
    pub(super) frames: usize,
    pub(super) length: usize,
}
