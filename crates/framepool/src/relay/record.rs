//! Records of the events on a relay, for its user.

use std::collections::LinkedList;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ending::Ending;
use super::figures::Reason;
use crate::slot::Slice;
use crate::sv2::Direction;

/// A link that has ended.
#[derive(Debug)]
pub struct Disconnected {
    /// Number of the connection.
    pub id: u64,
    /// Address that the miner connected from.
    pub address: SocketAddr,
    /// Reason for which it ended.
    pub ending: Ending,
    /// The mining pool's last message that it will not go on: its type, and its fields.
    pub told: Option<(u8, Vec<u8>)>,
    /// Frames passed on to the mining pool, and to the miner.
    pub frames: [u64; 2],
    /// Time from accepting the miner to the end.
    pub duration: Duration,
}

/// Something that has happened.
#[derive(Debug)]
pub enum Record {
    /// A miner has connected.
    Connected {
        /// Number of the connection.
        id: u64,
        /// Address that it connected from.
        address: SocketAddr,
    },
    /// A miner has sent its first genuine frame, and wants an [upstream](super::Operation::Connect).
    Wanted {
        /// Number of the connection.
        id: u64,
        /// Address that it connected from.
        address: SocketAddr,
    },
    /// Frames wait for [verdicts](super::Operation::Forward). Nothing more is read that way before
    /// [`Done`](super::Operation::Done).
    Frames {
        /// Number of the connection.
        id: u64,
        /// Address that the miner connected from.
        address: SocketAddr,
        /// Direction of the frames.
        way: Direction,
        /// Payloads and table.
        slice: Slice,
        /// Offset of the table in the slice.
        table: usize,
        /// Number of frames in the slice.
        frames: usize,
        /// Index of the first of them that is selected. Those before it have been forwarded.
        first: usize,
    },
    /// The bytes that were [watched](super::Operation::Watch) have gone out.
    Drained {
        /// Number of the connection.
        id: u64,
        /// Direction of those bytes.
        way: Direction,
    },
    /// A link has ended. No other record of it follows.
    Disconnected(Box<Disconnected>),
    /// Clients were refused something. This comes at most once a second for each reason.
    Refused {
        /// Reason of the refusals.
        reason: Reason,
        /// Number of refusals since the last such record.
        count: u64,
    },
    /// A thread has failed. The relay ends.
    Failed(String),
    /// All threads have ended. Nothing follows.
    Closed,
}

/// The number of records from which on no connection is accepted, until their user has caught up.
pub(super) const MANY: usize = 1 << 16;

/// Called once when there are records.
type Listener = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    /// A linked list, because it grows in turns that must not fail: each of its pieces is small.
    records: LinkedList<Record>,
    listener: Option<Listener>,
    /// Nothing is accepted, because there are too many records.
    congested: bool,
}

/// The records that nobody has taken yet.
#[derive(Default)]
pub(super) struct Records(Mutex<State>);

impl Records {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves all of `records` here.
    pub(super) fn add(&self, records: &mut LinkedList<Record>) {
        if records.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.records.append(records);
        state.congested |= state.records.len() >= MANY;
        let listener = state.listener.take();
        drop(state);
        if let Some(listener) = listener {
            listener();
        }
    }

    /// Returns whether nothing is to be accepted, because there are too many.
    pub(super) fn are_congested(&self) -> bool {
        self.lock().congested
    }

    /// Takes the first record. The second value tells that connections may be accepted again.
    pub(super) fn take(&self) -> (Option<Record>, bool) {
        let mut state = self.lock();
        let record = state.records.pop_front();
        let relieved = state.congested && state.records.len() < MANY / 2;
        state.congested &= !relieved;
        (record, relieved)
    }

    /// Calls `listener` once, when there are records: at once if there are some.
    pub(super) fn listen(&self, listener: Listener) {
        let mut state = self.lock();
        if state.records.is_empty() {
            state.listener = Some(listener);
        } else {
            drop(state);
            listener();
        }
    }

    /// Forgets the listener.
    pub(super) fn ignore(&self) {
        let listener = self.lock().listener.take();
        drop(listener);
    }
}
