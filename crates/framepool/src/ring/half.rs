//! Parts that the producer and the consumer of a ring share.

use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::error::InvalidCount;
use crate::quarantine::Guard;
use crate::shown::{Memory, Shown};

/// One half of a ring. The producer works on the ring's free room, the consumer on its bytes.
pub trait Half: Send {
    /// Returns the ring's size, in bytes.
    fn size(&self) -> usize;

    /// Returns the start of the ring's memory: [`size`](Self::size) bytes, valid while either half lives.
    ///
    /// A half may access only what is available to it: [`available`](Self::available) bytes from
    /// [`position`](Self::position) modulo the size, across the ring's end. The rest belongs to the other half.
    fn base(&self) -> NonNull<u8>;

    /// Returns the guard that decides, in debug mode, what happens to the ring's memory after both halves are gone.
    fn guard(&self) -> &Guard;

    /// Returns the number of bytes that have ever passed through this half, modulo 2⁶⁴.
    fn position(&self) -> u64;

    /// Returns the bytes that this half can write or read now. Only this half makes the number smaller.
    fn available(&mut self) -> usize;

    /// Passes the first `count` available bytes to the other half.
    ///
    /// Returns an error, and changes nothing, if `count` is more than [`available`](Self::available).
    fn advance(&mut self, count: usize) -> Result<(), InvalidCount>;

    /// Returns true if the other half has ended or was dropped, so that no more room or bytes will come.
    fn other_ended(&self) -> bool;

    /// Returns true if [`end`](Self::end) was called.
    fn has_ended(&self) -> bool;

    /// Ends this half for good, and wakes the waits on either side. Dropping a half ends it, too.
    fn end(&mut self);

    /// Returns [`available`](Self::available) once it is at least `bytes`, or once no more will come. Otherwise the
    /// other half wakes `waker` then. A wait for more than the ring's size lasts until the other half ends.
    fn poll(&mut self, bytes: usize, waker: &Waker) -> Poll<usize>;

    /// Removes `waker` from the waiters.
    fn forget(&mut self, waker: &Waker);
}

/// Delegates to the half. None of the functions moves its memory.
impl<H: Half + Memory> Half for Shown<H> {
    fn size(&self) -> usize {
        (**self).size()
    }

    fn base(&self) -> NonNull<u8> {
        (**self).base()
    }

    fn guard(&self) -> &Guard {
        (**self).guard()
    }

    fn position(&self) -> u64 {
        (**self).position()
    }

    fn available(&mut self) -> usize {
        self.owner_mut().available()
    }

    fn advance(&mut self, count: usize) -> Result<(), InvalidCount> {
        self.owner_mut().advance(count)
    }

    fn other_ended(&self) -> bool {
        (**self).other_ended()
    }

    fn has_ended(&self) -> bool {
        (**self).has_ended()
    }

    fn end(&mut self) {
        self.owner_mut().end();
    }

    fn poll(&mut self, bytes: usize, waker: &Waker) -> Poll<usize> {
        self.owner_mut().poll(bytes, waker)
    }

    fn forget(&mut self, waker: &Waker) {
        self.owner_mut().forget(waker);
    }
}

/// Blocks this thread until `bytes` are available to `half` or no more will come. Returns the bytes that are available
/// then, or `None` if `timeout` passes first.
pub fn wait(half: &mut dyn Half, bytes: usize, timeout: Duration) -> Option<usize> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let start = Instant::now();
    loop {
        if let Poll::Ready(available) = half.poll(bytes, &waker) {
            return Some(available);
        }
        let Some(left) = timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else {
            half.forget(&waker);
            return None;
        };
        thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
