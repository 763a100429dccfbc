//! A run of free slots and the free bytes that belong to it.

/// Number of slots of a pool unless it is [made with another](super::Options), and so the most slices of its region that
/// can be alive at once.
pub const SLOTS: usize = 8;

/// The most slots that a pool can have.
pub const MAX_SLOTS: usize = 32;

/// The place of the next slices: slots `slot .. end_slot` (counted from 0) and bytes `offset .. end` of the region. No
/// live slice has any of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    /// Slot of the next slice; `end_slot` if none is left.
    pub(super) slot: usize,
    /// Offset of the bytes of the next slice in the region.
    pub(super) offset: usize,
    /// In range `1 ..=` the slots of the pool. Less only in the front, which ends at the slot that was the first live one.
    pub(super) end_slot: usize,
    /// End of the free bytes, at most the capacity.
    pub(super) end: usize,
    /// Whether it lies before a live slot.
    pub(super) front: bool,
}

impl Gap {
    pub(super) fn to_the_end(slot: usize, offset: usize, slots: usize, capacity: usize) -> Self {
        Self { slot, offset, end_slot: slots, end: capacity, front: false }
    }

    /// Returns the most bytes that the next slice may have.
    pub(super) fn room(self) -> usize {
        if self.has_slot() { self.end - self.offset } else { 0 }
    }

    pub(super) fn has_slot(self) -> bool {
        self.slot < self.end_slot
    }

    pub(super) fn holds(self, bytes: usize) -> bool {
        self.has_slot() && bytes <= self.end - self.offset
    }
}
