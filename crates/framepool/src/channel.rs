//! A channel of owned objects for one sender and one receiver: a byte ring of tokens.
//!
//! The ring ([`ring`](crate::ring)) does what it does for bytes: it keeps the order and the count, wakes whoever waits, and
//! tells either end that the other has gone. Each of its bytes stands for one object, which lies in a place of its own: the
//! ring's counters say which, and to whom it belongs at the moment.
//!
//! ```
//! use framepool::channel::{SendError, channel};
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

/// The most that a channel can hold.
pub const MAX_CAPACITY: usize = 1 << 16;

/// The objects on their way, each where its token is in the ring, which says whose turn it is: places with a token are the
/// receiver's, all others the sender's.
#[derive(Debug)]
struct Places<T> {
    places: Box<[UnsafeCell<Option<T>>]>,
    /// Held while the receiver goes, and while it empties one of its places then.
    going: Mutex<()>,
}

// SAFETY: an object is moved by one end to the other, for which `T` is `Send`. A place is used by the end alone whose turn it
//         is: the ring's counters pass it on with release and acquire.
unsafe impl<T: Send> Sync for Places<T> {}

impl<T> Places<T> {
    /// Puts `item` where the next token goes.
    ///
    /// # Safety
    /// For the sender, while there is room in the ring: the place stays its own until it advances.
    unsafe fn put(&self, position: u64, item: T) {
        // SAFETY: as the caller promises.
        unsafe { *self.at(position).get() = Some(item) }
    }

    /// Takes what is there.
    ///
    /// # Safety
    /// For the receiver, where its next token is: the place stays its own until it advances. For the sender, once the receiver
    /// has gone.
    unsafe fn take(&self, position: u64) -> Option<T> {
        // SAFETY: as the caller promises.
        unsafe { (*self.at(position).get()).take() }
    }

    fn at(&self, position: u64) -> &UnsafeCell<Option<T>> {
        // Truncated or not: the size is a power of two.
        &self.places[position as usize % self.places.len()]
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a channel that holds at most `capacity` objects, 1 to [`MAX_CAPACITY`].
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
    Ok((sender, Receiver { consumer, places }))
}

/// Why an object was not sent, and the object.
#[derive(Debug, PartialEq, Eq)]
pub enum SendError<T> {
    /// The channel is full.
    Full(T),
    /// The receiver has gone, or the sender has ended.
    Closed(T),
}

/// The end that sends. Dropped, it ends: what was sent can still be received.
#[derive(Debug)]
pub struct Sender<T: Send> {
    producer: Producer,
    places: Arc<Places<T>>,
    capacity: usize,
}

impl<T: Send> Sender<T> {
    /// Objects that can be sent now. Only this end makes it less.
    pub fn room(&mut self) -> usize {
        self.producer.available().saturating_sub(self.spare())
    }

    /// Sends `item`, which is the receiver's from here on.
    pub fn send(&mut self, item: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            return Err(SendError::Closed(item));
        }
        if self.room() == 0 {
            return Err(SendError::Full(item));
        }
        let position = self.producer.position();
        // SAFETY: there is room.
        unsafe { self.places.put(position, item) };
        // There is room, and only this end makes it less.
        let _ = self.producer.advance(1);
        // Behind the fence with which `advance` looks for whoever waits, as the receiver's is between its end and its last look:
        // so either it has seen the object there, or its end is seen here.
        if self.producer.other_ended() {
            let _gone = self.places.lock();
            // SAFETY: the receiver has ended, which it does with the lock held, as it is whenever it empties a place after that.
            if let Some(item) = unsafe { self.places.take(position) } {
                return Err(SendError::Closed(item));
            }
        }
        Ok(())
    }

    /// True when nothing can be sent any more: this end has ended, or the receiver has gone.
    pub fn is_closed(&self) -> bool {
        self.producer.has_ended() || self.producer.other_ended()
    }

    /// Nothing more will be sent.
    pub fn end(&mut self) {
        self.producer.end();
    }

    /// Ready when there is room, or the channel is closed.
    pub fn poll_room(&mut self, waker: &Waker) -> Poll<()> {
        let wanted = self.spare() + 1;
        self.producer.poll(wanted, waker).map(|_| ())
    }

    /// `waker` waits no more.
    pub fn forget(&mut self, waker: &Waker) {
        self.producer.forget(waker);
    }

    /// By how much the ring, whose size is a power of two, is larger than the channel.
    fn spare(&self) -> usize {
        self.places.places.len() - self.capacity
    }
}

/// The end that receives. Dropped, it drops what was sent and not received.
#[derive(Debug)]
pub struct Receiver<T: Send> {
    consumer: Consumer,
    places: Arc<Places<T>>,
}

impl<T: Send> Receiver<T> {
    /// The next object, if one is there.
    pub fn receive(&mut self) -> Option<T> {
        if self.consumer.available() == 0 {
            return None;
        }
        // SAFETY: one is available. Once this end has gone, the lock is held here and by the sender.
        let item = unsafe { self.places.take(self.consumer.position()) };
        // One is available, and only this end makes that less.
        let _ = self.consumer.advance(1);
        item
    }

    /// True when nothing is there, and nothing will come.
    pub fn is_at_end(&mut self) -> bool {
        // In this order: what came before the end is counted.
        self.consumer.other_ended() && self.consumer.available() == 0
    }

    /// Ready when something is there, or nothing will come.
    pub fn poll(&mut self, waker: &Waker) -> Poll<()> {
        self.consumer.poll(1, waker).map(|_| ())
    }

    /// `waker` waits no more.
    pub fn forget(&mut self, waker: &Waker) {
        self.consumer.forget(waker);
    }

    /// Blocks this thread until something is there or nothing will come. False: `timeout` has passed first.
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
            // With nothing locked: what it takes to drop it is not known here. None: the sender has just taken it back.
            drop(item);
        }
    }
}
