//! Which slots a pool holds without a slice, and how many bytes they have: for those who look on from other threads.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use super::gap::SLOTS;

/// The pool writes, anybody reads, and nothing is ordered by it: who looks may find a slot that has just been taken or given
/// back either way, or with its former length.
#[derive(Debug, Default)]
pub(super) struct HeldSlots {
    /// Bit *i*: slot *i* + 1.
    slots: AtomicU8,
    lengths: [AtomicUsize; SLOTS],
}

impl HeldSlots {
    /// These slots are held, and no others.
    #[inline]
    pub(super) fn show(&self, slots: u8) {
        self.slots.store(slots, Ordering::Relaxed);
    }

    /// A slot (counted from 0) that is to be shown has `len` bytes.
    #[inline]
    pub(super) fn set_length(&self, slot: usize, len: usize) {
        self.lengths[slot].store(len, Ordering::Relaxed);
    }

    pub(super) fn lengths(&self) -> impl Iterator<Item = usize> {
        let slots = self.slots.load(Ordering::Relaxed);
        let held = (0..SLOTS).filter(move |slot| slots & (1 << slot) != 0);
        held.map(|slot| self.lengths[slot].load(Ordering::Relaxed))
    }
}
