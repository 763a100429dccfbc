use std::collections::VecDeque;
use std::ptr::NonNull;

use super::{Error, KEEP};
#[cfg(unix)]
use crate::SystemError;
#[cfg(unix)]
use crate::io::{Descriptor, Port};
use crate::ring::{self, Consumer, Half, InvalidCount, Producer, Spans};

/// What must go out on the wire: a byte ring, with a queue behind it for what the ring has no room for.
///
/// Bytes go to the ring while the queue is empty, and to the queue after that; each time the ring is drained it is
/// refilled from the queue. So nothing is ever dropped or reordered, and a frame larger than the ring goes out whole.
///
/// The ring's size is the high-water mark: with as much pending, [`is_over_high_water`](Self::is_over_high_water) is
/// true; with half of it or less, [`is_drained`](Self::is_drained) is.
#[derive(Debug)]
pub struct Output {
    producer: Producer,
    consumer: Consumer,
    /// Empty unless the ring is full: every drain refills it. So what the ring takes is never ahead of the queue.
    queue: VecDeque<u8>,
}

/// What allocators give anyway. With more, the memory is cleared page by page when it is made, and what is freed does not
/// fit the next ring, since a search for aligned memory asks for more than its size: closing sessions would not make room
/// for new ones.
const ALIGN: usize = 16;

impl Output {
    /// `size` is a power of two.
    pub(super) fn new(size: usize) -> Result<Self, Error> {
        let (producer, consumer) = ring::new(size, ALIGN)?;
        Ok(Self { producer, consumer, queue: VecDeque::new() })
    }

    /// Makes room for `length` bytes more, so that [`push`](Self::push) cannot fail for want of memory.
    pub(super) fn reserve(&mut self, length: usize) -> Result<(), Error> {
        let queued = length.saturating_sub(self.producer.available());
        self.queue.try_reserve(queued).map_err(|_| Error::NoMemory)
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let written = self.producer.write(bytes);
        self.queue.extend(&bytes[written..]);
    }

    /// The bytes at hand in the ring, as offsets into its memory ([`base`](Self::base)).
    pub fn peek(&mut self) -> Spans {
        self.consumer.peek()
    }

    /// Frees the first `count` bytes of the ring and refills it. More than [`available`](Self::available): nothing is
    /// freed.
    pub fn consume(&mut self, count: usize) -> Result<(), InvalidCount> {
        self.consumer.advance(count)?;
        self.refill();
        Ok(())
    }

    /// Copies out as much as `target` takes of what is pending, and frees it; returns the bytes read.
    pub fn read(&mut self, target: &mut [u8]) -> usize {
        let mut read = 0;
        while read < target.len() && self.available() > 0 {
            read += self.consumer.read(&mut target[read..]);
            self.refill();
        }
        read
    }

    /// Writes what can be written now with one call, and refills the ring: see [`Port::transfer`].
    #[cfg(unix)]
    pub fn write_to(&mut self, descriptor: &Descriptor<'_>) -> Result<Option<usize>, SystemError> {
        let written = self.consumer.transfer(descriptor, usize::MAX);
        self.refill();
        written
    }

    /// Bytes at hand in the ring. 0 only when nothing is pending.
    pub fn available(&self) -> usize {
        (self.producer.position() - self.consumer.position()) as usize
    }

    /// Bytes that must still go out: in the ring and queued behind it.
    pub fn pending(&self) -> usize {
        self.available() + self.queue.len()
    }

    /// Whether no more should be sent until [`is_drained`](Self::is_drained): the ring is full.
    pub fn is_over_high_water(&self) -> bool {
        self.pending() >= self.size()
    }

    /// Whether at most half the ring is pending.
    pub fn is_drained(&self) -> bool {
        self.pending() <= self.size() / 2
    }

    /// Bytes ever drained.
    pub fn position(&self) -> u64 {
        self.consumer.position()
    }

    /// The ring's size, in bytes.
    pub fn size(&self) -> usize {
        self.consumer.size()
    }

    /// Start of the ring's memory: [`size`](Self::size) bytes, valid as long as this output. Through it only the bytes
    /// that [`peek`](Self::peek) describes may be read.
    pub fn base(&self) -> NonNull<u8> {
        self.consumer.base()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.size() + self.queue.capacity()
    }

    fn refill(&mut self) {
        while !self.queue.is_empty() {
            let (front, _) = self.queue.as_slices();
            let written = self.producer.write(front);
            if written == 0 {
                break;
            }
            self.queue.drain(..written);
        }
        // A quarter, so that the copies of shrinking stay in proportion to what is drained.
        if self.queue.len() <= self.queue.capacity() / 4 {
            self.queue.shrink_to(KEEP.max(self.queue.len() * 2));
        }
    }
}
