//! What the halves of a ring share.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use super::gate::Gate;
use crate::quarantine::{Guard, Keep};

/// What both halves know.
#[derive(Debug)]
pub(super) struct Link {
    /// Start of the ring's memory. Only handed out, never dereferenced here.
    pub(super) base: NonNull<u8>,
    pub(super) size: usize,
    /// Where the consumer waits for the producer.
    pub(super) readable: Gate,
    /// Where the producer waits for the consumer.
    pub(super) writable: Gate,
    /// Whether one of the halves is gone.
    one_left: AtomicBool,
    pub(super) guard: Guard,
}

impl Link {
    pub(super) fn new(base: NonNull<u8>, size: usize) -> Self {
        Self {
            base,
            size,
            readable: Gate::default(),
            writable: Gate::default(),
            one_left: AtomicBool::new(false),
            guard: Guard::default(),
        }
    }

    /// One of the halves is gone; what it is on bytering's side is left. The memory goes where the guard says with the last.
    pub(super) fn leave(&self, half: impl Send + 'static) {
        // What the first did to the memory is done when the second fills it.
        if self.one_left.swap(true, Ordering::AcqRel) {
            self.guard.leave(RingMemory { start: self.base, size: self.size, _half: half });
        }
    }
}

/// A ring of which the halves are gone: one of bytering's that keeps its memory.
struct RingMemory<H> {
    start: NonNull<u8>,
    size: usize,
    _half: H,
}

// SAFETY: the memory belongs to bytering's half, which is `Send`.
unsafe impl<H: Send> Send for RingMemory<H> {}

// SAFETY: either half of bytering keeps a share of the memory, which never moves. The other is gone or about to be dropped, and
//         this one is not used: nothing else refers to the memory.
unsafe impl<H: Send + 'static> Keep for RingMemory<H> {
    fn span(&mut self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.start, self.size)
    }
}

// SAFETY: `base` is an address into the memory that both halves of bytering own a share of. It never changes, and nothing
//         here reads or writes through it. The gates are `Send` and `Sync` themselves.
unsafe impl Send for Link {}
// SAFETY: as above.
unsafe impl Sync for Link {}
