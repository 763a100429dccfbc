//! A run of free slots and the bytes that belong to it.

/// Slots of a pool: as many slices of its region can be alive at once.
pub const SLOTS: usize = 8;

/// Where the next slices go: slots `slot .. end_slot` (counted from 0) and bytes `offset .. end` of the region, with no
/// live slice in either.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    /// Slot of the next slice; `end_slot` when none is left.
    pub(super) slot: usize,
    /// Where the bytes of the next slice begin.
    pub(super) offset: usize,
    /// In range `1 ..= SLOTS`; less than `SLOTS` only in the front, where slot `end_slot` was live when it was entered.
    pub(super) end_slot: usize,
    /// At most the capacity.
    pub(super) end: usize,
}

impl Gap {
    pub(super) fn to_the_end(slot: usize, offset: usize, capacity: usize) -> Self {
        Self { slot, offset, end_slot: SLOTS, end: capacity }
    }

    pub(super) fn is_front(self) -> bool {
        self.end_slot < SLOTS
    }

    /// Bytes that the next slice may have.
    pub(super) fn room(self) -> usize {
        if self.slot < self.end_slot { self.end - self.offset } else { 0 }
    }

    pub(super) fn holds(self, bytes: usize) -> bool {
        self.slot < self.end_slot && bytes <= self.end - self.offset
    }
}
