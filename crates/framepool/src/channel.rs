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

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::ring::{self, Consumer, Half, Producer, RingError};

/// The most that a channel can hold.
pub const MAX_CAPACITY: usize = 1 << 16;

/// The objects on their way, each where its token is in the ring. Whose turn it is the ring says, so that no lock is ever
/// waited for, but in the moment when the receiver goes.
type Places<T> = Arc<[Mutex<Option<T>>]>;

/// Makes a channel that holds at most `capacity` objects, 1 to [`MAX_CAPACITY`].
pub fn channel<T: Send>(capacity: usize) -> Result<(Sender<T>, Receiver<T>), RingError> {
    if capacity == 0 || capacity > MAX_CAPACITY {
        return Err(RingError::Size(capacity));
    }
    let (producer, consumer) = ring::new(capacity.next_power_of_two(), 1)?;
    let places: Places<T> = (0..producer.size()).map(|_| Mutex::new(None)).collect();
    let sender = Sender { producer, places: Arc::clone(&places), capacity };
    Ok((sender, Receiver { consumer, places }))
}

fn place<'a, T>(places: &'a Places<T>, half: &dyn Half) -> &'a Mutex<Option<T>> {
    // Truncated or not: the size is a power of two.
    &places[half.position() as usize % places.len()]
}

fn take<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
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
    places: Places<T>,
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
        let place = place(&self.places, &self.producer);
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(item);
        if self.producer.other_ended()
            // A receiver that goes empties every place after it has ended: it may have come by before the item did.
            && let Some(item) = take(place)
        {
            return Err(SendError::Closed(item));
        }
        // There is room, and only this end makes it less.
        let _ = self.producer.advance(1);
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
        self.places.len() - self.capacity
    }
}

/// The end that receives. Dropped, it drops what was sent and not received.
#[derive(Debug)]
pub struct Receiver<T: Send> {
    consumer: Consumer,
    places: Places<T>,
}

impl<T: Send> Receiver<T> {
    /// The next object, if one is there.
    pub fn receive(&mut self) -> Option<T> {
        if self.consumer.available() == 0 {
            return None;
        }
        let item = take(place(&self.places, &self.consumer));
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
        // In this order: the sender looks for the end after it has left something.
        self.consumer.end();
        for place in &*self.places {
            drop(take(place));
        }
    }
}
