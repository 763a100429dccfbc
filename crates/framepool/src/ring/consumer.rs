//! The half of a ring that reads.
//!
//! Bytes that are available to it do not change until it frees them.

use std::convert::Infallible;
use std::io::{self, IoSlice, Read};
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::error::InvalidCount;
use super::half::Half;
use super::link::Link;
use crate::quarantine::Guard;
use crate::shown::{InPlace, Memory};

/// The half of a ring that reads.
#[derive(Debug)]
pub struct Consumer {
    half: ManuallyDrop<bytering::Consumer>,
    link: Arc<Link>,
}

impl Consumer {
    pub(super) fn new(half: bytering::Consumer, link: Arc<Link>) -> Self {
        Self { half: ManuallyDrop::new(half), link }
    }

    /// Returns where the readable bytes lie. They stay unchanged until [`advance`](Half::advance), [`read`](Self::read)
    /// or [`io_slices`](Self::io_slices) frees them.
    pub fn peek(&mut self) -> Spans {
        let (available, size) = (filled(&mut self.half), self.link.size);
        // The size is a power of two, so the counter's low bits are the place, even after the counter has wrapped.
        let start = self.half.position() & (size - 1);
        let end = size.min(start + available);
        Spans { first: start..end, second: 0..available - (end - start) }
    }

    /// Copies as many bytes as `target` takes and frees them. Returns the number of bytes read; 0 if the ring is empty.
    pub fn read(&mut self, target: &mut [u8]) -> usize {
        // As in `Producer::write`: bytering's own copy has a valid count.
        let read = self.half.read(target).unwrap_or(0);
        self.announce();
        read
    }

    /// Calls `drain` with the readable bytes as slices and their total length, and frees as many bytes as it returns
    /// (`bytering::Consumer::io_slices`). The second slice is empty unless the bytes wrap.
    ///
    /// Returns the number of bytes freed. Frees nothing if `drain` fails or returns more than was offered; both are
    /// errors.
    pub fn io_slices(&mut self, drain: impl FnMut(&[IoSlice<'_>], usize) -> io::Result<usize>) -> io::Result<usize> {
        let freed = self.half.io_slices(drain).map_err(|error| match error {
            bytering::ConsumerError::Callback(error) => error,
            invalid @ bytering::ConsumerError::InvalidCount { .. } => io::Error::other(invalid),
        })?;
        self.announce();
        Ok(freed)
    }

    #[inline]
    fn announce(&mut self) {
        let Self { half, link } = self;
        link.writable.announce(|| link.size - filled(half));
    }
}

fn filled(half: &mut bytering::Consumer) -> usize {
    let mut available = 0;
    // A count of 0 is always valid.
    let _ = half.slices(|_, filled| {
        available = filled;
        Ok::<_, Infallible>(0)
    });
    available
}

impl Half for Consumer {
    fn size(&self) -> usize {
        self.link.size
    }

    fn base(&self) -> NonNull<u8> {
        self.link.base
    }

    fn guard(&self) -> &Guard {
        &self.link.guard
    }

    fn position(&self) -> u64 {
        self.half.position() as u64
    }

    fn available(&mut self) -> usize {
        filled(&mut self.half)
    }

    fn advance(&mut self, count: usize) -> Result<(), InvalidCount> {
        match self.half.slices(|_, _| Ok::<_, Infallible>(count)) {
            Ok(_) => {
                self.announce();
                Ok(())
            }
            Err(bytering::ConsumerError::InvalidCount { n, len }) => Err(InvalidCount { count: n, available: len }),
            Err(bytering::ConsumerError::Callback(never)) => match never {},
        }
    }

    fn other_ended(&self) -> bool {
        self.link.readable.ended()
    }

    fn has_ended(&self) -> bool {
        self.link.writable.ended()
    }

    fn end(&mut self) {
        self.link.writable.end();
        self.link.readable.wake_all();
    }

    fn poll(&mut self, bytes: usize, waker: &Waker) -> Poll<usize> {
        let Self { half, link } = self;
        link.readable.poll(bytes, waker, || filled(half))
    }

    fn forget(&mut self, waker: &Waker) {
        self.link.readable.forget(waker);
    }
}

// SAFETY: either half keeps the ring's memory alive, which has `size` bytes and never moves.
unsafe impl Memory for Consumer {
    fn span(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.link.base, self.link.size)
    }
}

// SAFETY: nothing that a half can do moves or frees the ring's memory.
unsafe impl InPlace for Consumer {
    type Access = dyn Half;

    fn access(&mut self) -> &mut (dyn Half + 'static) {
        self
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.end();
        // SAFETY: the consumer is being dropped, so the half is not used after this.
        let half = unsafe { ManuallyDrop::take(&mut self.half) };
        self.link.leave(half);
    }
}

/// Readable bytes as offsets into the ring's memory: `first`, then `second`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans {
    /// From the oldest byte to the last, or to the ring's end.
    pub first: Range<usize>,
    /// The bytes that wrapped to the ring's start. Empty unless they wrap.
    pub second: Range<usize>,
}
