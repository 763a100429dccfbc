//! Whole frames, side by side in one slice, with the table of their ends.
//!
//! A table that was overwritten never leads outside its batch.

use crate::slot::Slice;

/// Size of a table entry, in bytes.
pub const ENTRY: usize = 4;

/// The frames of one [`receive`](super::Reader::receive), as [`framing`](super) describes them.
#[derive(Debug)]
pub struct Batch {
    /// Frames and table. The slice ends with the table.
    pub slice: Slice,
    /// Offset of the table in the slice, in bytes.
    pub table: usize,
    /// Number of frames, at least 1.
    pub frames: usize,
}

impl Batch {
    /// Returns a frame, counted from 0. Returns `None` beyond the last, and if the table was overwritten with a place
    /// outside the batch.
    pub fn frame(&self, index: usize) -> Option<&[u8]> {
        let bytes = self.slice.as_ref();
        let end = |index: usize| {
            let at = self.table + index * ENTRY;
            Some(u32::from_ne_bytes(bytes.get(at..at + ENTRY)?.try_into().ok()?) as usize)
        };
        let from = if index == 0 { 0 } else { end(index - 1)? };
        bytes.get(..self.table)?.get(from..end(index)?)
    }
}

/// Returns the length of the padding that puts the table behind `frames` bytes, which begin at `address`, on a multiple of
/// [`ENTRY`].
pub(super) fn padding(address: usize, frames: usize) -> usize {
    (address + frames).wrapping_neg() % ENTRY
}

/// Writes the table of frames with these ends.
pub(super) fn write_table(table: &mut [u8], ends: &[u32]) {
    for (entry, end) in table.as_chunks_mut::<ENTRY>().0.iter_mut().zip(ends) {
        *entry = end.to_ne_bytes();
    }
}
