//! The outgoing wire bytes of a session.
//!
//! Nothing is dropped or reordered, and a frame larger than the ring goes out whole.

use std::io::{self, IoSlice};
use std::mem;
use std::ptr::NonNull;

use super::queue::Queue;
use crate::quarantine::Guard;
#[cfg(unix)]
use crate::ring::io::{Descriptor, Port};
use crate::ring::{self, Consumer, Half, InvalidCount, Producer, Spans};
use crate::shown::{Memory, Shown, Sight};
use crate::sv2::allowance::Allowance;
use crate::sv2::error::Error;
#[cfg(unix)]
use crate::system_error::SystemError;

/// Outgoing wire bytes: a byte ring, and a queue for what does not fit in the ring.
///
/// Bytes go to the ring while the queue is empty, and to the queue after that. Whenever the ring is drained, it is
/// refilled from the queue.
///
/// The ring starts small. When it is too small, a larger one replaces it and takes over its bytes, up to the largest
/// size. [`Session::shrink`](super::Session::shrink) restores the first size. The largest size is also the high-water
/// mark: [`is_over_high_water`](Self::is_over_high_water) is true while at least that many bytes are pending, and
/// [`is_drained`](Self::is_drained) while at most half of them are.
#[derive(Debug)]
pub struct Output {
    ring: Shown<Ring>,
    /// Empty unless the ring is full and has its largest size, because every drain refills the ring. So bytes in the
    /// ring are never newer than bytes in the queue.
    queue: Queue,
    smallest: usize,
    largest: usize,
    allowance: Allowance,
    /// Number of replaced rings, modulo 2³².
    generation: u32,
    /// Bytes drained from earlier rings.
    before: u64,
    /// Replaced rings that were shown, until they are [forgotten](Self::forget_replaced).
    replaced: Vec<Shown<Ring>>,
}

#[derive(Debug)]
struct Ring {
    producer: Producer,
    consumer: Consumer,
}

// SAFETY: either half keeps the ring's memory alive, which has `size` bytes and never moves.
unsafe impl Memory for Ring {
    fn span(&self) -> NonNull<[u8]> {
        self.consumer.span()
    }
}

/// The alignment that allocators give anyway, in bytes. For a larger one the memory would be cleared page by page.
/// Freed memory would not fit the next ring either, because the search for aligned memory needs more than the ring's
/// size, so closing sessions would not make room for new ones.
const ALIGN: usize = 16;

impl Ring {
    fn new(size: usize) -> Result<Self, Error> {
        let (producer, consumer) = ring::new(size, ALIGN)?;
        Ok(Self { producer, consumer })
    }

    /// Returns the bytes in the ring.
    fn available(&self) -> usize {
        self.producer.position().wrapping_sub(self.consumer.position()) as usize
    }

    /// Returns the free room, in bytes.
    fn room(&self) -> usize {
        self.consumer.size() - self.available()
    }

    /// Returns the free room in one piece, in bytes.
    fn room_in_one_piece(&self) -> usize {
        let size = self.consumer.size();
        // The size is a power of two.
        let start = self.producer.position() as usize & (size - 1);
        self.room().min(size - start)
    }
}

impl Output {
    /// Makes an output whose ring starts with `smallest` bytes and grows to `largest`. It starts with `largest` if that
    /// is less.
    ///
    /// Returns [`Error::OutputSize`] if a size is not a power of two, and [`Error::NoMemory`].
    pub(super) fn new(smallest: usize, largest: usize) -> Result<Self, Error> {
        if !largest.is_power_of_two() {
            return Err(Error::OutputSize(largest));
        }
        let smallest = smallest.min(largest);
        Ok(Self {
            ring: Shown::new(Ring::new(smallest)?),
            queue: Queue::default(),
            smallest,
            largest,
            allowance: Allowance::UNLIMITED,
            generation: 0,
            before: 0,
            replaced: Vec::new(),
        })
    }

    /// Returns the memory that the session may have.
    pub(super) fn allowance(&self) -> Allowance {
        self.allowance
    }

    /// Sets the memory that the session may have.
    pub(super) fn limit(&mut self, allowance: Allowance) {
        self.allowance = allowance;
    }

    /// Makes room for `length` more bytes, in pieces of at most `longest`. After that neither [`put`](Self::put) nor
    /// [`put_through_queue`](Self::put_through_queue) fails for lack of memory.
    ///
    /// Returns [`Error::MemoryLimit`] beyond the allowance, and [`Error::NoMemory`].
    pub(super) fn reserve(&mut self, length: usize, longest: usize) -> Result<(), Error> {
        self.allowance.check(self.pending().saturating_add(length))?;
        self.refill(length);
        if self.queue.is_empty() && length <= self.ring.room_in_one_piece() {
            return Ok(());
        }
        // Bytes beyond the ring's room are queued. A piece that does not lie in the ring in one piece is queued for a
        // moment, too.
        let beyond = length.saturating_sub(self.ring.room());
        self.queue.reserve(length.min(beyond.saturating_add(longest)), self.allowance)
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let written = if self.queue.is_empty() { self.ring.owner_mut().producer.write(bytes) } else { 0 };
        self.queue.back().extend_from_slice(&bytes[written..]);
    }

    /// Lets `fill` write `length` bytes directly into the ring. They do not go out if `fill` fails.
    ///
    /// Returns `None`, without calling `fill`, if the ring has no room for them in one piece or if other bytes are
    /// queued before them.
    pub(super) fn put(
        &mut self,
        length: usize,
        mut fill: impl FnMut(&mut [u8]) -> Result<(), Error>,
    ) -> Option<Result<(), Error>> {
        if !self.queue.is_empty() || length > self.ring.room_in_one_piece() {
            return None;
        }
        let mut result = Err(Error::Internal);
        let put = self.ring.owner_mut().producer.io_slices(|room, _| {
            result = match room.first_mut().and_then(|first| first.get_mut(..length)) {
                Some(space) => fill(space),
                None => Err(Error::Internal),
            };
            Ok(if result.is_ok() { length } else { 0 })
        });
        Some(result.and(put.map(drop).map_err(|_: io::Error| Error::Internal)))
    }

    /// Lets `append` add bytes to the queue, behind all others and in one piece of memory. From there they move to the
    /// ring. They do not go out if `append` fails.
    pub(super) fn put_through_queue(
        &mut self,
        append: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let back = self.queue.back();
        let (start, capacity) = (back.len(), back.capacity());
        let result = append(back);
        debug_assert_eq!(back.capacity(), capacity, "room was reserved");
        if result.is_err() {
            back.truncate(start);
        }
        self.refill(0);
        result
    }

    /// Frees [reserved](Self::reserve) memory that is not needed any more.
    pub(super) fn release_unused(&mut self) {
        self.queue.release_unused(self.allowance);
    }

    /// Returns where the bytes in the ring lie, as offsets into its memory: see [`base`](Self::base).
    pub fn peek(&mut self) -> Spans {
        self.ring.owner_mut().consumer.peek()
    }

    /// Frees the first `count` bytes of the ring and refills it.
    ///
    /// Returns an error, and frees nothing, if `count` is more than [`available`](Self::available).
    pub fn consume(&mut self, count: usize) -> Result<(), InvalidCount> {
        self.ring.owner_mut().consumer.advance(count)?;
        self.refill(0);
        self.release_unused();
        Ok(())
    }

    /// Copies as many pending bytes as `target` takes, and frees them. Returns the number of bytes read.
    pub fn read(&mut self, target: &mut [u8]) -> usize {
        let mut read = 0;
        while read < target.len() && self.available() > 0 {
            read += self.ring.owner_mut().consumer.read(&mut target[read..]);
            self.refill(0);
        }
        self.release_unused();
        read
    }

    /// Calls `write` once with the bytes in the ring, in at most two pieces. Frees as many as it wrote, and refills the
    /// ring. Frees nothing if `write` fails.
    pub fn write_with(&mut self, mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>) -> io::Result<usize> {
        let written = self.ring.owner_mut().consumer.io_slices(|pieces, _| write(pieces));
        self.refill(0);
        self.release_unused();
        written
    }

    /// Writes to a descriptor what one call can write now, and refills the ring. The result is that of
    /// [`Port::transfer`].
    #[cfg(unix)]
    pub fn write_to(&mut self, descriptor: &Descriptor<'_>) -> Result<Option<usize>, SystemError> {
        let written = self.ring.owner_mut().consumer.transfer(descriptor, usize::MAX);
        self.refill(0);
        self.release_unused();
        written
    }

    /// Returns the number of bytes in the ring. It is 0 only if nothing is pending.
    pub fn available(&self) -> usize {
        self.ring.available()
    }

    /// Returns the number of bytes that must still go out, in the ring and in the queue.
    pub fn pending(&self) -> usize {
        self.available() + self.queue.len()
    }

    /// Returns true if at least as much is pending as the largest ring holds. Nothing more should be sent until
    /// [`is_drained`](Self::is_drained).
    pub fn is_over_high_water(&self) -> bool {
        self.pending() >= self.largest
    }

    /// Returns true if at most half the largest ring is pending.
    pub fn is_drained(&self) -> bool {
        self.pending() <= self.largest / 2
    }

    /// Returns the number of bytes ever drained, modulo 2⁶⁴.
    pub fn position(&self) -> u64 {
        self.before.wrapping_add(self.ring.consumer.position())
    }

    /// Returns the current size of the ring, in bytes.
    pub fn size(&self) -> usize {
        self.ring.consumer.size()
    }

    /// Returns the start of the ring's memory, which has [`size`](Self::size) bytes. Only the bytes that
    /// [`peek`](Self::peek) describes may be read, and only until the next call that changes the output, because that
    /// call may replace the ring.
    pub fn base(&self) -> NonNull<u8> {
        self.ring.consumer.base()
    }

    /// Returns how often the ring was replaced, modulo 2³². After a replacement the first available byte lies at the
    /// start of the new ring.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Returns the right to show the ring's memory. After the ring is replaced, the old memory keeps its content until
    /// [`forget_replaced`](Self::forget_replaced).
    pub fn sight(&mut self) -> Sight<'_> {
        self.ring.sight()
    }

    /// Returns the guard that decides, in debug mode, what happens to the ring's memory after the ring is replaced or
    /// the session is gone. Later rings adopt it.
    pub fn guard(&self) -> &Guard {
        self.ring.producer.guard()
    }

    /// Gives up the replaced rings that were shown. Call it when nothing outside works with their bytes any more.
    pub fn forget_replaced(&mut self) {
        self.replaced.clear();
    }

    /// Drops the output without ending the sights of its rings: see [`Shown::abandon`].
    pub(super) fn abandon(self) {
        self.ring.abandon();
        self.replaced.into_iter().for_each(Shown::abandon);
    }

    /// Restores the first size of the ring if the ring is empty.
    pub(super) fn shrink(&mut self) {
        if self.available() == 0 && self.size() > self.smallest {
            self.replace_ring(self.smallest);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let replaced: usize = self.replaced.iter().map(|ring| ring.consumer.size()).sum();
        self.size() + self.queue.memory_bytes() + replaced
    }

    /// Moves queued bytes to the ring. If the ring has no room for all of them and `more` bytes, a larger ring replaces
    /// it first, up to the largest size.
    fn refill(&mut self, more: usize) {
        if self.size() < self.largest {
            let needed = self.pending().saturating_add(more);
            if needed > self.size() {
                self.replace_ring(
                    needed.checked_next_power_of_two().map_or(self.largest, |size| size.min(self.largest)),
                );
            }
        }
        if !self.queue.is_empty() {
            let written = self.ring.owner_mut().producer.write(self.queue.front());
            self.queue.consume(written);
        }
    }

    /// Replaces the ring by one of `size` bytes, which must have room for the current bytes. Without memory the current
    /// ring stays, and the queue takes what does not fit.
    fn replace_ring(&mut self, size: usize) {
        if let Ok(ring) = Ring::new(size) {
            ring.producer.guard().follow(self.ring.producer.guard());
            let mut old = mem::replace(&mut self.ring, Shown::new(ring));
            self.before = self.before.wrapping_add(old.consumer.position());
            // The bytes are copied and not taken, so that a view of the old ring keeps its content. A count of 0 is
            // always valid.
            let _ = old.owner_mut().consumer.io_slices(|bytes, _| {
                for part in bytes {
                    self.ring.owner_mut().producer.write(part);
                }
                Ok(0)
            });
            self.generation = self.generation.wrapping_add(1);
            if old.is_exposed() {
                self.replaced.push(old);
            }
        }
    }
}
