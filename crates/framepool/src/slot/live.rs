//! The slots of a region that are alive: the queue through which slices come back to their pool.
//!
//! A pool has at most 32 slots, so its queue is a word. Any thread that drops a slice clears the slot's bit, without waiting.
//! Only the pool sets bits, and it reads them when it next has to. `tests/slot_loom.rs` runs this file under loom.

use super::atomic::{AtomicU32, Ordering};

/// Bit *i*: a slice in slot *i* + 1 is alive.
#[derive(Debug)]
pub(super) struct LiveSlots(AtomicU32);

impl LiveSlots {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Returns the live slots.
    ///
    /// Acquire: the thread that sees a slot free also sees the last access to its bytes as done, because that came
    /// before the [`release`](Self::release) whose value is read here. Releases of other slots in between are
    /// read-modify-writes of the same word, which do not break the release sequence.
    pub(super) fn get(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Marks a slot (counted from 0) alive.
    ///
    /// Relaxed: only the pool calls it, and whatever carries the slice to another thread orders this before that
    /// thread's `release`.
    pub(super) fn take(&self, slot: usize) {
        self.0.fetch_or(1 << slot, Ordering::Relaxed);
    }

    /// Marks a slot (counted from 0) free, on any thread. Release: see [`get`](Self::get).
    pub(super) fn release(&self, slot: usize) {
        self.0.fetch_and(!(1 << slot), Ordering::Release);
    }
}
