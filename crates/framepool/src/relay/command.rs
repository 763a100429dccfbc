//! Commands of a relay's user to its threads.

use std::collections::LinkedList;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sv2::{Direction, FrameHeader, Grant};

/// An operation on one link.
pub enum Operation {
    /// Connects to the first of these addresses that answers, and accepts only a server with this key, if there is one.
    Connect {
        /// Addresses of the mining pool.
        addresses: Vec<SocketAddr>,
        /// Key that its certificate must be signed with.
        key: Option<String>,
    },
    /// Forwards frames of the batch that was handed over.
    Forward {
        /// Direction of the batch.
        way: Direction,
        /// Index of the first of them.
        from: usize,
        /// Index after the last of them.
        to: usize,
    },
    /// Forwards the header of a frame of the batch that was handed over, with another payload.
    Replace {
        /// Direction of the batch.
        way: Direction,
        /// Index of the frame.
        frame: usize,
        /// Payload that takes the place of the frame's.
        payload: Vec<u8>,
    },
    /// Forwards frames of the batch that was handed over, and goes on with the frames behind the batch.
    Done {
        /// Direction of the batch.
        way: Direction,
        /// Index of the first of them.
        from: usize,
        /// Index after the last of them. It may be `from`.
        to: usize,
    },
    /// Sends a frame.
    Send {
        /// Direction of the frame.
        way: Direction,
        /// Header of the frame.
        header: FrameHeader,
        /// Payload of the frame.
        payload: Vec<u8>,
    },
    /// Asks for a record when the output of a direction has drained as far as it should before more is sent.
    Watch {
        /// The direction.
        way: Direction,
    },
    /// Ends the link when all bytes that were sent have gone out, for which it has some seconds.
    Close,
}

/// A command for a link of a relay.
pub struct Command {
    /// Number of the connection.
    pub link: u64,
    /// The operation.
    pub operation: Operation,
}

/// A message to a worker.
pub(super) enum Message<S> {
    Command(Command),
    /// No connection is accepted any more, and nothing is read from miners.
    Drain,
    /// All links end at once.
    Destroy,
    /// A connection that another worker has accepted.
    Adopt(S, SocketAddr),
    /// Memory for a frame of a link.
    Grant(u64, Grant),
    /// The oldest handshake ends if it is slow, and this worker, which accepts connections, is told to resume.
    MakeRoom(usize),
    /// Connections may be accepted again.
    Resume,
}

/// The messages that a worker has not taken yet.
pub(super) struct Inbox<S> {
    /// `None` once the worker has ended. A linked list, because it grows where nothing may fail: each of its pieces is small.
    messages: Mutex<Option<LinkedList<Message<S>>>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl<S> Inbox<S> {
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { messages: Mutex::new(Some(LinkedList::new())), wake: Box::new(wake) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<LinkedList<Message<S>>>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds messages, and wakes the worker unless it has others to look at. Returns false if the worker has ended, and the messages are
    /// dropped.
    pub(super) fn send(&self, messages: impl IntoIterator<Item = Message<S>>) -> bool {
        let mut inbox = self.lock();
        let Some(waiting) = &mut *inbox else { return false };
        let idle = waiting.is_empty();
        waiting.extend(messages);
        let wake = idle && !waiting.is_empty();
        drop(inbox);
        if wake {
            (self.wake)();
        }
        true
    }

    /// Returns whether the worker takes messages: it has not ended.
    pub(super) fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    /// Takes all messages.
    pub(super) fn take(&self) -> LinkedList<Message<S>> {
        self.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes the last messages. None are added from here on.
    pub(super) fn close(&self) -> LinkedList<Message<S>> {
        self.lock().take().unwrap_or_default()
    }
}
