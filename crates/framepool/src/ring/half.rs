use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::error::InvalidCount;
use crate::quarantine::Guard;
use crate::shown::{Memory, Shown};

/// What the two halves of a ring have in common: the producer works on the ring's room, the consumer on its bytes.
pub trait Half: Send {
    /// The ring's size, in bytes.
    fn size(&self) -> usize;

    /// Start of the ring's memory: [`size`](Self::size) bytes, valid as long as either half lives.
    ///
    /// Through it a half may touch only what is available to it: [`available`](Self::available) bytes from
    /// [`position`](Self::position) modulo the size, across the ring's end. The rest is the other half's.
    fn base(&self) -> NonNull<u8>;

    /// What becomes of the ring's memory when neither half needs it any more, for debug mode.
    fn guard(&self) -> &Guard;

    /// Bytes that have ever passed through this half, modulo 2⁶⁴.
    fn position(&self) -> u64;

    /// Bytes that this half can write, or read, now. Only this half makes it less.
    fn available(&mut self) -> usize;

    /// The first `count` available bytes have been written, or read: they are the other half's from here on. More than
    /// [`available`](Self::available): nothing changes.
    fn advance(&mut self, count: usize) -> Result<(), InvalidCount>;

    /// Whether the other half has ended or is gone: no room, or no bytes, will be added any more.
    fn other_ended(&self) -> bool;

    /// Whether [`end`](Self::end) was called.
    fn has_ended(&self) -> bool;

    /// This half will do nothing any more. Waits on either side are over. Dropping a half ends it, too.
    fn end(&mut self);

    /// Ready with [`available`](Self::available) once that is `bytes`, or when no more will come; until then the other
    /// half wakes `waker`. More than the ring's size never comes.
    fn poll(&mut self, bytes: usize, waker: &Waker) -> Poll<usize>;

    /// `waker` waits no more.
    fn forget(&mut self, waker: &Waker);
}

/// A half whose memory may be seen does what the half does.
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

/// Blocks this thread until `bytes` are available to `half` or no more will come; returns what is available then, or `None`
/// when `timeout` has passed first.
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
