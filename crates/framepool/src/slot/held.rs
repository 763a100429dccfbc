//! A display of the slots that a pool holds without a [`Slice`](super::Slice), for other threads.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::gap::MAX_SLOTS;

/// Held slots and their lengths. The pool writes, and any thread reads. Nothing is ordered by it: a reader may see a
/// slot that was just occupied or freed in either state, or with its former length.
#[derive(Debug, Default)]
pub(super) struct HeldSlots {
    /// Bit *i*: slot *i* + 1.
    slots: AtomicU32,
    lengths: [AtomicUsize; MAX_SLOTS],
}

impl HeldSlots {
    /// Shows exactly these slots as held.
    #[inline]
    pub(super) fn show(&self, slots: u32) {
        self.slots.store(slots, Ordering::Relaxed);
    }

    /// Sets the length in bytes of a slot (counted from 0) before it is shown.
    #[inline]
    pub(super) fn set_length(&self, slot: usize, len: usize) {
        self.lengths[slot].store(len, Ordering::Relaxed);
    }

    pub(super) fn lengths(&self) -> impl Iterator<Item = usize> {
        let slots = self.slots.load(Ordering::Relaxed);
        let held = (0..MAX_SLOTS).filter(move |slot| slots & (1 << slot) != 0);
        held.map(|slot| self.lengths[slot].load(Ordering::Relaxed))
    }
}
