//! A byte ring for one producer and one consumer, on [`bytering`].
//!
//! A thin layer: the ring itself, its counters and its memory are bytering's. Added are what two threads need beside them:
//!
//! - an end: a half that has ended or is gone is noticed by the other ([`Half::other_ended`]);
//! - waiting for the other half without polling ([`Half::poll`], [`wait`]), see `gate`;
//! - places as offsets into the ring's memory, not as slices, because the Node binding shows that memory to JavaScript
//!   as one array buffer and makes its views there.

mod consumer;
mod error;
mod gate;
mod half;
mod producer;

use std::convert::Infallible;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use consumer::{Consumer, Spans};
pub use error::{InvalidCount, RingError};
pub use half::{Half, wait};
pub use producer::Producer;

use gate::Gate;

use crate::quarantine::{Guard, Keep};

/// Makes a ring of `size` bytes whose memory starts at a multiple of `align`; both are powers of two.
///
/// Allocates here and never again (`bytering::new`).
pub fn new(size: usize, align: usize) -> Result<(Producer, Consumer), RingError> {
    let (mut producer, consumer) = bytering::new(size, align)?;
    let mut base = None;
    let offered = producer.slices(|free, _| {
        // Nothing is written yet: the first span of free space is the whole ring.
        base = free.first_mut().map(|span| NonNull::from(&mut **span).cast());
        Ok::<_, Infallible>(0)
    });
    let (Ok(_), Some(base)) = (offered, base) else { return Err(RingError::NoMemory) };
    let link = Arc::new(Link {
        base,
        size,
        readable: Gate::default(),
        writable: Gate::default(),
        one_left: AtomicBool::new(false),
        guard: Guard::default(),
    });
    Ok((Producer::new(producer, Arc::clone(&link)), Consumer::new(consumer, link)))
}

/// What both halves know.
#[derive(Debug)]
struct Link {
    /// Start of the ring's memory. Only handed out, never dereferenced here.
    base: NonNull<u8>,
    size: usize,
    /// Where the consumer waits for the producer.
    readable: Gate,
    /// Where the producer waits for the consumer.
    writable: Gate,
    /// Whether one of the halves is gone.
    one_left: AtomicBool,
    guard: Guard,
}

impl Link {
    /// One of the halves is gone; what it is on bytering's side is left. The memory goes where the guard says with the last.
    fn leave(&self, half: impl Send + 'static) {
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
