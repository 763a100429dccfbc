//! State that the halves of a ring share, and the ring's memory after both are gone.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use super::gate::Gate;
use crate::quarantine::{Guard, Keep};

/// State that both halves share.
#[derive(Debug)]
pub(super) struct Link {
    /// Start of the ring's memory. Only handed out, never dereferenced here.
    pub(super) base: NonNull<u8>,
    pub(super) size: usize,
    /// Gate at which the consumer waits for the producer.
    pub(super) readable: Gate,
    /// Gate at which the producer waits for the consumer.
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

    /// Takes bytering's half from a half that is dropped. The second call hands the ring's memory to the guard.
    pub(super) fn leave(&self, half: impl Send + 'static) {
        // AcqRel: what the first half did to the memory happens before the second call fills it.
        if self.one_left.swap(true, Ordering::AcqRel) {
            self.guard.leave(RingMemory { start: self.base, size: self.size, _half: half });
        }
    }
}

/// The memory of a ring whose halves are gone. One of bytering's halves keeps it alive.
struct RingMemory<H> {
    start: NonNull<u8>,
    size: usize,
    _half: H,
}

// SAFETY: the memory belongs to bytering's half, which is `Send`.
unsafe impl<H: Send> Send for RingMemory<H> {}

// SAFETY: either of bytering's halves keeps the memory alive, which never moves. `leave` makes this value when neither
// half is used any more: the first is gone or about to be dropped, which does not access the bytes, and the second is
// in here. So nothing else refers to the memory.
unsafe impl<H: Send + 'static> Keep for RingMemory<H> {
    fn span(&mut self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.start, self.size)
    }
}

// SAFETY: `base` is only an address here: nothing in this type reads or writes through it, and it never changes. The
// other fields are `Send` and `Sync`.
unsafe impl Send for Link {}
// SAFETY: as above.
unsafe impl Sync for Link {}
