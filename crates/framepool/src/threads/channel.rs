//! A channel of owned objects for one sender and one receiver.
//!
//! It is a byte [`ring`] of tokens. The ring keeps order and count, wakes waiters, and tells each end that
//! the other is gone. Each byte stands for one object, which lies in a place of its own. The ring's counters tell which
//! place that is, and which end owns it.
//!
//! ```
//! use framepool::threads::channel::{SendError, channel};
//!
//! let (mut sender, mut receiver) = channel(1)?;
//! sender.send("first").unwrap();
//! assert!(matches!(sender.send("second"), Err(SendError::Full("second"))));
//! assert_eq!(receiver.receive(), Some("first"));
//! assert_eq!(receiver.receive(), None);
//! # Ok::<(), framepool::ring::RingError>(())
//! ```

use std::cell::UnsafeCell;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::ring::{self, Consumer, Half, Producer, RingError};

/// The largest capacity of a channel, in objects.
pub const MAX_CAPACITY: usize = 1 << 16;

/// The objects on their way. The receiver owns the places whose token is in the ring, and the sender owns all others.
#[derive(Debug)]
struct Places<T> {
    places: Box<[UnsafeCell<Option<T>>]>,
    /// Held while the receiver ends, and while it empties each place after that.
    going: Mutex<()>,
}

// SAFETY: an object moves from one end to the other, for which `T` is `Send`. Only the end that owns a place accesses
// it: the ring's counters pass ownership with release and acquire, and after the receiver's end the lock does.
unsafe impl<T: Send> Sync for Places<T> {}

impl<T> Places<T> {
    /// Puts `item` into the place of the next token.
    ///
    /// # Safety
    ///
    /// Only the sender may call it, for its current position, while there is room in the ring. The place belongs to the
    /// sender until it advances.
    unsafe fn put(&self, position: u64, item: T) {
        // SAFETY: the caller owns the place, so this is the only access.
        unsafe { *self.at(position).get() = Some(item) }
    }

    /// Takes the object out of a place.
    ///
    /// # Safety
    ///
    /// The receiver may call it for its current position, while a token is there. The sender may call it for a place
    /// that it has just passed on, after the receiver has ended. After the receiver's end both must hold the lock.
    unsafe fn take(&self, position: u64) -> Option<T> {
        // SAFETY: the caller owns the place, so this is the only access.
        unsafe { (*self.at(position).get()).take() }
    }

    fn at(&self, position: u64) -> &UnsafeCell<Option<T>> {
        // The number of places is a power of two, so the low bits of a position are its place.
        &self.places[position as usize & (self.places.len() - 1)]
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a channel that holds at most `capacity` objects, in range `1 ..= MAX_CAPACITY`.
///
/// Returns [`RingError::Size`] for other capacities, and [`RingError::NoMemory`] if the allocator has none.
pub fn channel<T: Send>(capacity: usize) -> Result<(Sender<T>, Receiver<T>), RingError> {
    if capacity == 0 || capacity > MAX_CAPACITY {
        return Err(RingError::Size(capacity));
    }
    let (producer, consumer) = ring::new(capacity.next_power_of_two(), 1)?;
    let mut places = Vec::new();
    places.try_reserve_exact(producer.size()).map_err(|_| RingError::NoMemory)?;
    places.resize_with(producer.size(), || UnsafeCell::new(None));
    let places = Arc::new(Places { places: places.into_boxed_slice(), going: Mutex::default() });
    let sender = Sender { producer, places: Arc::clone(&places), capacity };
    Ok((sender, Receiver { consumer, places, behind: 0 }))
}

/// The reason why an object was not sent, with that object.
#[derive(Debug, PartialEq, Eq)]
pub enum SendError<T> {
    /// The channel is full.
    Full(T),
    /// The receiver is gone, or the sender has ended.
    Closed(T),
}

/// The end that sends. Dropping it ends it: the receiver still gets everything that was sent.
#[derive(Debug)]
pub struct Sender<T: Send> {
    producer: Producer,
    places: Arc<Places<T>>,
    capacity: usize,
}

impl<T: Send> Sender<T> {
    /// Returns the number of objects that can be sent now. Only this end makes it smaller.
    pub fn room(&mut self) -> usize {
        self.producer.available().saturating_sub(self.spare())
    }

    /// Passes `item` to the receiver. Returns it in the error if the channel is full or closed.
    pub fn send(&mut self, item: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            return Err(SendError::Closed(item));
        }
        if self.room() == 0 {
            return Err(SendError::Full(item));
        }
        let position = self.producer.position();
        // SAFETY: there is room, and this is the sender at its position.
        unsafe { self.places.put(position, item) };
        // There is room, and only this end makes it smaller.
        let _ = self.producer.advance(1);
        // The load comes after the fence in `advance`. The receiver has a fence between its end and its last look. So
        // either the receiver has seen the object, or its end is seen here.
        if self.producer.other_ended() {
            let _gone = self.places.lock();
            // SAFETY: the receiver has ended. From then on it empties a place only while it holds the lock, which is
            // held here.
            if let Some(item) = unsafe { self.places.take(position) } {
                return Err(SendError::Closed(item));
            }
        }
        Ok(())
    }

    /// Returns true if nothing can be sent any more, because this end has ended or the receiver is gone.
    pub fn is_closed(&self) -> bool {
        self.producer.has_ended() || self.producer.other_ended()
    }

    /// Ends this end: nothing more can be sent.
    pub fn end(&mut self) {
        self.producer.end();
    }

    /// Returns `Ready` once there is room or the channel is closed. Otherwise `waker` is woken then.
    pub fn poll_room(&mut self, waker: &Waker) -> Poll<()> {
        let wanted = self.spare() + 1;
        self.producer.poll(wanted, waker).map(|_| ())
    }

    /// Removes `waker` from the waiters.
    pub fn forget(&mut self, waker: &Waker) {
        self.producer.forget(waker);
    }

    /// Returns the difference between the ring's places and the channel's capacity. The ring's size is a power of two.
    fn spare(&self) -> usize {
        self.places.places.len() - self.capacity
    }
}

/// The end that receives. Dropping it drops every object that was sent and not received.
#[derive(Debug)]
pub struct Receiver<T: Send> {
    consumer: Consumer,
    places: Arc<Places<T>>,
    /// Objects that were behind the last one when it was received.
    behind: usize,
}

impl<T: Send> Receiver<T> {
    /// Returns the next object, or `None` if there is none now.
    #[inline]
    pub fn receive(&mut self) -> Option<T> {
        let available = self.consumer.available();
        self.behind = available.saturating_sub(1);
        if available == 0 {
            return None;
        }
        // SAFETY: a token is available, and this is the receiver at its position. While this end is dropped, the caller
        // holds the lock.
        let item = unsafe { self.places.take(self.consumer.position()) };
        // One is available, and only this end makes that number smaller.
        let _ = self.consumer.advance(1);
        item
    }

    /// Returns the object at `index` behind the one that was [received](Self::receive) last, if it was there by then.
    pub fn behind(&self, index: usize) -> Option<&T> {
        if index >= self.behind {
            return None;
        }
        let place = self.places.at(self.consumer.position() + index as u64);
        // SAFETY: the token of the place was in the ring, and only this end takes tokens out. So this end owns the place, and
        // nothing changes it while `self` is borrowed. The sender takes objects back only after this end's end.
        unsafe { (*place.get()).as_ref() }
    }

    /// Returns true if no object is there and none will come.
    pub fn is_at_end(&mut self) -> bool {
        // The end must be read first, so that all objects that came before it are counted.
        self.consumer.other_ended() && self.consumer.available() == 0
    }

    /// Returns `Ready` once an object is there or none will come. Otherwise `waker` is woken then.
    pub fn poll(&mut self, waker: &Waker) -> Poll<()> {
        self.consumer.poll(1, waker).map(|_| ())
    }

    /// Removes `waker` from the waiters.
    pub fn forget(&mut self, waker: &Waker) {
        self.consumer.forget(waker);
    }

    /// Blocks this thread until an object is there or none will come. Returns false if `timeout` passes first.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        ring::wait(&mut self.consumer, 1, timeout).is_some()
    }
}

impl<T: Send> Drop for Receiver<T> {
    fn drop(&mut self) {
        let places = Arc::clone(&self.places);
        let going = places.lock();
        self.consumer.end();
        fence(Ordering::SeqCst);
        drop(going);
        while self.consumer.available() > 0 {
            let going = places.lock();
            let item = self.receive();
            drop(going);
            // Dropping the object may run any code, so nothing is locked. It is `None` if the sender has just taken it
            // back.
            drop(item);
        }
    }
}
