//! The frames of one `receive`, side by side in one slice.

use std::mem;

use super::frame::FrameHeader;

/// Frames decrypted side by side into one slice, with a table that describes them behind the last payload:
///
/// ```text
/// ┌───────────┬───────────┬─ … ─┬─────────┬─────────┬─ … ─┐
/// │ payload 0 │ payload 1 │     │ entry 0 │ entry 1 │     │
/// └───────────┴───────────┴─ … ─┴─────────┴─────────┴─ … ─┘
/// 0                             table
/// ```
///
/// An entry is 12 bytes, little-endian: offset in the slice u32, length u32, extension type u16, message type u8, 0.
#[derive(Debug)]
pub struct Batch<S> {
    /// Payloads and table.
    pub slice: S,
    /// Where the table starts in the slice, in bytes.
    pub table: usize,
    /// How many frames there are, at least one.
    pub frames: usize,
}

impl<S: AsRef<[u8]>> Batch<S> {
    /// A frame, counted from 0; `None` beyond the last.
    pub fn frame(&self, index: usize) -> Option<Frame<'_>> {
        // The slice ends with the table.
        frame_at(self.slice.as_ref(), self.table, index)
    }
}

/// A received frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its extension and message type.
    pub header: FrameHeader,
    /// Its decrypted payload.
    pub payload: &'a [u8],
}

/// One entry of the table, in bytes.
const ENTRY: usize = 12;

/// The frame that entry `index` of a batch's table describes; `None` where the entry lies outside the batch, or
/// describes bytes outside the payloads. The memory may have been overwritten since `receive` wrote it.
pub(super) fn frame_at(batch: &[u8], table: usize, index: usize) -> Option<Frame<'_>> {
    let entry = index.checked_mul(ENTRY)?.checked_add(table)?;
    let &[o0, o1, o2, o3, l0, l1, l2, l3, e0, e1, message_type, _] = batch.get(entry..)?.first_chunk()?;
    let offset = u32::from_le_bytes([o0, o1, o2, o3]) as usize;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let payload = batch.get(offset..table)?.get(..length)?;
    Some(Frame { header: FrameHeader { extension_type: u16::from_le_bytes([e0, e1]), message_type }, payload })
}

/// Fills a reserved slice: payloads from its front, table entries from its back.
///
/// The two never meet in a slice as long as the frames' wire bytes: a sealed frame is longer than its payload by a
/// header of 22 bytes, and by a tag for each chunk.
pub(super) struct BatchWriter<'a> {
    memory: &'a mut [u8],
    payloads: usize,
    frames: usize,
}

impl<'a> BatchWriter<'a> {
    pub(super) fn new(memory: &'a mut [u8]) -> Self {
        Self { memory, payloads: 0, frames: 0 }
    }

    /// Where the next payload goes; longer than the payload by at least a tag.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let entries = self.memory.len() - self.frames * ENTRY;
        &mut self.memory[self.payloads..entries]
    }

    /// Takes the first `length` bytes of [`room`](Self::room) as the payload of a frame.
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

    /// Moves the table, in the order of the frames, right behind the payloads.
    pub(super) fn finish(self) -> Written {
        let entries = self.memory.len() - self.frames * ENTRY;
        let (table, _) = self.memory[entries..].as_chunks_mut::<ENTRY>();
        table.reverse();
        let length = mem::size_of_val(table);
        self.memory.copy_within(entries.., self.payloads);
        Written { table: self.payloads, frames: self.frames, length: self.payloads + length }
    }
}

/// What a [`BatchWriter`] wrote: where the table starts, how many frames there are, and the bytes used in all.
pub(super) struct Written {
    pub(super) table: usize,
    pub(super) frames: usize,
    pub(super) length: usize,
}
