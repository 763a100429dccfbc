use std::ptr::NonNull;
use std::{io, mem};

use super::allowance::Allowance;
use super::error::Error;
use super::queue::Queue;
#[cfg(unix)]
use crate::io::{Descriptor, Port};
use crate::quarantine::Guard;
use crate::ring::{self, Consumer, Half, InvalidCount, Producer, Spans};
use crate::shown::{Memory, Shown, Sight};
#[cfg(unix)]
use crate::system_error::SystemError;

/// What must go out on the wire: a byte ring, with a queue behind it for what the ring has no room for.
///
/// Bytes go to the ring while the queue is empty, and to the queue after that; each time the ring is drained it is
/// refilled from the queue. So nothing is ever dropped or reordered, and a frame larger than the ring goes out whole.
///
/// The ring starts small. When more must go out than it holds, a larger one takes its place and its bytes, up to the largest
/// allowed; [`Session::shrink`](super::Session::shrink) brings the first size back. The largest size is the high-water mark:
/// with as much pending, [`is_over_high_water`](Self::is_over_high_water) is true; with half of it or less,
/// [`is_drained`](Self::is_drained) is.
#[derive(Debug)]
pub struct Output {
    ring: Shown<Ring>,
    /// Empty unless the ring is full and the largest: every drain refills it. So what the ring takes is never ahead of the
    /// queue.
    queue: Queue,
    smallest: usize,
    largest: usize,
    allowance: Allowance,
    /// Rings so far, the first apart.
    generation: u32,
    /// Bytes drained from earlier rings.
    before: u64,
    /// Rings that were shown and have been replaced, until they are [forgotten](Self::forget_replaced).
    replaced: Vec<Shown<Ring>>,
}

#[derive(Debug)]
struct Ring {
    producer: Producer,
    consumer: Consumer,
}

// SAFETY: either half keeps the ring's memory, which is as long as its size and never moves.
unsafe impl Memory for Ring {
    fn span(&self) -> NonNull<[u8]> {
        self.consumer.span()
    }
}

/// What allocators give anyway. With more, the memory is cleared page by page when it is made, and what is freed does not
/// fit the next ring, since a search for aligned memory asks for more than its size: closing sessions would not make room
/// for new ones.
const ALIGN: usize = 16;

impl Ring {
    fn new(size: usize) -> Result<Self, Error> {
        let (producer, consumer) = ring::new(size, ALIGN)?;
        Ok(Self { producer, consumer })
    }

    /// Bytes at hand.
    fn available(&self) -> usize {
        self.producer.position().wrapping_sub(self.consumer.position()) as usize
    }

    /// Bytes that have room.
    fn room(&self) -> usize {
        self.consumer.size() - self.available()
    }

    /// Bytes that have room in one piece.
    fn room_in_one_piece(&self) -> usize {
        let size = self.consumer.size();
        // The size is a power of two.
        let start = self.producer.position() as usize & (size - 1);
        self.room().min(size - start)
    }
}

impl Output {
    /// A ring that starts with `smallest` bytes and grows to `largest`, both powers of two; it starts with `largest` if
    /// that is less.
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

    /// How much memory the session may have.
    pub(super) fn allowance(&self) -> Allowance {
        self.allowance
    }

    /// Sets how much memory the session may have.
    pub(super) fn limit(&mut self, allowance: Allowance) {
        self.allowance = allowance;
    }

    /// Makes room for `length` bytes more, in pieces of at most `longest`, so that neither [`put`](Self::put) nor
    /// [`put_through_queue`](Self::put_through_queue) can fail for want of memory. [`Error::MemoryLimit`] beyond the
    /// allowance.
    pub(super) fn reserve(&mut self, length: usize, longest: usize) -> Result<(), Error> {
        self.allowance.check(self.pending().saturating_add(length))?;
        self.refill(length);
        if self.queue.is_empty() && length <= self.ring.room_in_one_piece() {
            return Ok(());
        }
        // What is beyond the ring's room is queued, and so is, for a moment, the piece that does not lie in the ring in one.
        let beyond = length.saturating_sub(self.ring.room());
        self.queue.reserve(length.min(beyond.saturating_add(longest)), self.allowance)
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let written = if self.queue.is_empty() { self.ring.owner_mut().producer.write(bytes) } else { 0 };
        self.queue.back().extend_from_slice(&bytes[written..]);
    }

    /// Lets `fill` write `length` bytes where they go out from. `None`, and `fill` is not called, if the ring has no room
    /// for them in one piece, or others are queued before them. They do not go out if `fill` fails.
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

    /// Lets `append` put bytes behind all others in one piece of memory, from where they come
    /// into the ring. They do not go out if it fails.
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

    /// Gives back what was [reserved](Self::reserve) and is not needed any more.
    pub(super) fn release_unused(&mut self) {
        self.queue.release_unused(self.allowance);
    }

    /// The bytes at hand in the ring, as offsets into its memory ([`base`](Self::base)).
    pub fn peek(&mut self) -> Spans {
        self.ring.owner_mut().consumer.peek()
    }

    /// Frees the first `count` bytes of the ring and refills it. More than [`available`](Self::available): nothing is
    /// freed.
    pub fn consume(&mut self, count: usize) -> Result<(), InvalidCount> {
        self.ring.owner_mut().consumer.advance(count)?;
        self.refill(0);
        self.release_unused();
        Ok(())
    }

    /// Copies out as much as `target` takes of what is pending, and frees it; returns the bytes read.
    pub fn read(&mut self, target: &mut [u8]) -> usize {
        let mut read = 0;
        while read < target.len() && self.available() > 0 {
            read += self.ring.owner_mut().consumer.read(&mut target[read..]);
            self.refill(0);
        }
        self.release_unused();
        read
    }

    /// Writes what can be written now with one call, and refills the ring: see [`Port::transfer`].
    #[cfg(unix)]
    pub fn write_to(&mut self, descriptor: &Descriptor<'_>) -> Result<Option<usize>, SystemError> {
        let written = self.ring.owner_mut().consumer.transfer(descriptor, usize::MAX);
        self.refill(0);
        self.release_unused();
        written
    }

    /// Bytes at hand in the ring. 0 only when nothing is pending.
    pub fn available(&self) -> usize {
        self.ring.available()
    }

    /// Bytes that must still go out: in the ring and queued behind it.
    pub fn pending(&self) -> usize {
        self.available() + self.queue.len()
    }

    /// Whether no more should be sent until [`is_drained`](Self::is_drained): as much is pending as the largest ring holds.
    pub fn is_over_high_water(&self) -> bool {
        self.pending() >= self.largest
    }

    /// Whether no more than half the largest ring is pending.
    pub fn is_drained(&self) -> bool {
        self.pending() <= self.largest / 2
    }

    /// Bytes ever drained, modulo 2⁶⁴.
    pub fn position(&self) -> u64 {
        self.before.wrapping_add(self.ring.consumer.position())
    }

    /// The ring's size at present, in bytes.
    pub fn size(&self) -> usize {
        self.ring.consumer.size()
    }

    /// Start of the ring's memory: [`size`](Self::size) bytes. Through it only the bytes that [`peek`](Self::peek)
    /// describes may be read, and only until the next call that changes the output: the ring may be replaced then.
    pub fn base(&self) -> NonNull<u8> {
        self.ring.consumer.base()
    }

    /// How often the ring has been replaced, counting on from 0 after `u32::MAX`. The first byte that is at hand then lies
    /// at the start of the new one.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// What it takes to show the ring's memory. When the ring is replaced, what was shown stays as it is until
    /// [`forget_replaced`](Self::forget_replaced).
    pub fn sight(&mut self) -> Sight<'_> {
        self.ring.sight()
    }

    /// What becomes of the ring's memory when the ring is replaced or the session is gone, for debug mode. Rings to come follow
    /// the one at present.
    pub fn guard(&self) -> &Guard {
        self.ring.producer.guard()
    }

    /// Gives up the rings that were shown and have been replaced: nobody outside works with their bytes any more.
    pub fn forget_replaced(&mut self) {
        self.replaced.clear();
    }

    /// Ends without ending the sights of the rings: see [`Shown::abandon`].
    pub(super) fn abandon(self) {
        self.ring.abandon();
        self.replaced.into_iter().for_each(Shown::abandon);
    }

    /// Brings the first size of the ring back, if it is empty.
    pub(super) fn shrink(&mut self) {
        if self.available() == 0 && self.size() > self.smallest {
            self.replace_ring(self.smallest);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let replaced: usize = self.replaced.iter().map(|ring| ring.consumer.size()).sum();
        self.size() + self.queue.memory_bytes() + replaced
    }

    /// Puts what is queued into the ring, as far as it has room. If it has none for all of that and `more` bytes, a larger
    /// one takes its place first, as far as is allowed.
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

    /// Another ring, with what is in this one, which it has room for. Without memory for it this one goes on: the queue takes
    /// what it cannot.
    fn replace_ring(&mut self, size: usize) {
        if let Ok(ring) = Ring::new(size) {
            ring.producer.guard().follow(self.ring.producer.guard());
            let mut old = mem::replace(&mut self.ring, Shown::new(ring));
            self.before = self.before.wrapping_add(old.consumer.position());
            // Copied, not taken: whoever looks at the old one goes on seeing what it held. A count of 0 is always valid.
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
