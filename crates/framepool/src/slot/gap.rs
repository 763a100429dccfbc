//! A run of free slots and the free bytes that belong to it.

/// Number of slots of a pool, and so the most slices of its region that can be alive at once.
pub const SLOTS: usize = 8;

/// The place of the next slices: slots `slot .. end_slot` (counted from 0) and bytes `offset .. end` of the region. No
/// live slice has any of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    /// Slot of the next slice; `end_slot` if none is left.
    pub(super) slot: usize,
    /// Where the bytes of the next slice begin.
    pub(super) offset: usize,
    /// In range `1 ..= SLOTS`. Less than `SLOTS` only in the front, which ends at the slot that was the first live one.
    pub(super) end_slot: usize,
    /// End of the free bytes, at most the capacity.
    pub(super) end: usize,
}

impl Gap {
    pub(super) fn to_the_end(slot: usize, offset: usize, capacity: usize) -> Self {
        Self { slot, offset, end_slot: SLOTS, end: capacity }
    }

    pub(super) fn is_front(self) -> bool {
        self.end_slot < SLOTS
    }

    /// Returns the most bytes that the next slice may have.
    pub(super) fn room(self) -> usize {
        if self.slot < self.end_slot { self.end - self.offset } else { 0 }
    }

    pub(super) fn holds(self, bytes: usize) -> bool {
        self.slot < self.end_slot && bytes <= self.end - self.offset
    }
}
