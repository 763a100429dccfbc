//! The half of a ring that writes.
//!
//! Bytes become visible to the consumer in the order in which they were written, and only as a whole count.

use std::convert::Infallible;
use std::io::{self, IoSliceMut, Write};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::error::InvalidCount;
use super::half::Half;
use super::link::Link;
use crate::quarantine::Guard;
use crate::shown::{InPlace, Memory};

/// The half of a ring that writes.
#[derive(Debug)]
pub struct Producer {
    half: ManuallyDrop<bytering::Producer>,
    link: Arc<Link>,
}

impl Producer {
    pub(super) fn new(half: bytering::Producer, link: Arc<Link>) -> Self {
        Self { half: ManuallyDrop::new(half), link }
    }

    /// Writes as many bytes of `source` as there is room for. Returns the number of bytes written; 0 if the ring is
    /// full.
    pub fn write(&mut self, source: &[u8]) -> usize {
        // bytering fails only on a count above what it offered. Its own copy never returns such a count.
        let written = self.half.write(source).unwrap_or(0);
        self.announce();
        written
    }

    /// Calls `fill` with the free room as slices and their total length, and passes as many bytes as it returns to the
    /// consumer (`bytering::Producer::io_slices`). The second slice is empty unless the room wraps.
    ///
    /// Returns the number of bytes written. Passes nothing if `fill` fails or returns more than was offered; both are
    /// errors.
    pub fn io_slices(
        &mut self,
        fill: impl FnMut(&mut [IoSliceMut<'_>], usize) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let written = self.half.io_slices(fill).map_err(|error| match error {
            bytering::ProducerError::Callback(error) => error,
            invalid @ bytering::ProducerError::InvalidCount { .. } => io::Error::other(invalid),
        })?;
        self.announce();
        Ok(written)
    }

    #[inline]
    fn announce(&mut self) {
        let Self { half, link } = self;
        link.readable.announce(|| link.size - room(half));
    }
}

fn room(half: &mut bytering::Producer) -> usize {
    let mut room = 0;
    // A count of 0 is always valid.
    let _ = half.slices(|_, free| {
        room = free;
        Ok::<_, Infallible>(0)
    });
    room
}

impl Half for Producer {
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
        room(&mut self.half)
    }

    fn advance(&mut self, count: usize) -> Result<(), InvalidCount> {
        match self.half.slices(|_, _| Ok::<_, Infallible>(count)) {
            Ok(_) => {
                self.announce();
                Ok(())
            }
            Err(bytering::ProducerError::InvalidCount { n, len }) => Err(InvalidCount { count: n, available: len }),
            Err(bytering::ProducerError::Callback(never)) => match never {},
        }
    }

    fn other_ended(&self) -> bool {
        self.link.writable.ended()
    }

    fn has_ended(&self) -> bool {
        self.link.readable.ended()
    }

    fn end(&mut self) {
        self.link.readable.end();
        self.link.writable.wake_all();
    }

    fn poll(&mut self, bytes: usize, waker: &Waker) -> Poll<usize> {
        let Self { half, link } = self;
        link.writable.poll(bytes, waker, || room(half))
    }

    fn forget(&mut self, waker: &Waker) {
        self.link.writable.forget(waker);
    }
}

// SAFETY: either half keeps the ring's memory alive, which has `size` bytes and never moves.
unsafe impl Memory for Producer {
    fn span(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.link.base, self.link.size)
    }
}

// SAFETY: nothing that a half can do moves or frees the ring's memory.
unsafe impl InPlace for Producer {
    type Access = dyn Half;

    fn access(&mut self) -> &mut (dyn Half + 'static) {
        self
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.end();
        // SAFETY: the producer is being dropped, so the half is not used after this.
        let half = unsafe { ManuallyDrop::take(&mut self.half) };
        self.link.leave(half);
    }
}
