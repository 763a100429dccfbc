//! Which slots of a region are alive, as any thread may say: the queue through which slices come back to their pool.
//!
//! A pool has 8 slots, so its queue is a byte. Whoever drops a slice clears the slot's bit, without waiting for anybody; the
//! pool, which alone sets bits, looks at them when it next has to. `tests/slot_loom.rs` runs this file under loom.

use super::atomic::{AtomicU8, Ordering};

/// Bit *i*: a slice in slot *i* + 1 is alive.
#[derive(Debug)]
pub(super) struct LiveSlots(AtomicU8);

impl LiveSlots {
    pub(super) fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    /// Acquire: whoever sees a slot free also sees the last access to its bytes as done, since that came before the
    /// [`release`](Self::release) whose value is read here. Slices that were released in between by others change other
    /// bits of the same byte with read-modify-writes, which do not break that release sequence.
    pub(super) fn get(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }

    /// Marks a slot (counted from 0) alive. Only the pool takes slots, and whatever carries the slice to another thread
    /// orders this before that thread's `release`, so nothing is ordered by it.
    pub(super) fn take(&self, slot: usize) {
        self.0.fetch_or(1 << slot, Ordering::Relaxed);
    }

    /// Marks a slot (counted from 0) free, on any thread. Release: see [`get`](Self::get).
    pub(super) fn release(&self, slot: usize) {
        self.0.fetch_and(!(1 << slot), Ordering::Release);
    }
}
