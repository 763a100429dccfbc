//! Who may have how much of a budget, in the order asked.
//!
//! A fair semaphore with exact accounts. The usual ones hand out permits piecemeal and wake after unlocking, so that two
//! threads that release at once can wake in the wrong order; here a grant is all or nothing, and what is granted is handed
//! over in the order in which it was granted, by one thread at a time, with nothing locked.

use std::collections::{BTreeMap, LinkedList};
use std::error::Error;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::coded::Coded;

/// The pool is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pool is closed")
    }
}

impl Error for Closed {}

impl Coded for Closed {
    fn code(&self) -> &'static str {
        "ERR_CLOSED"
    }
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(u64);

struct Waiter {
    units: usize,
    deliver: Box<dyn FnOnce(Result<(), Closed>) + Send>,
}

#[derive(Default)]
struct State {
    reserved: usize,
    /// The most that was ever reserved at once.
    peak: usize,
    reservations: usize,
    closed: bool,
    waiting: BTreeMap<RequestId, Waiter>,
    next_request: u64,
    /// Called when the ledger is closed and nothing is reserved any more.
    on_empty: LinkedList<Box<dyn FnOnce() + Send>>,
    /// What is to be handed over, in order. Not in one piece, since it grows where budget is given back.
    outbox: LinkedList<Box<dyn FnOnce() + Send>>,
    /// A thread is handing over: what is added to the outbox now is its business.
    handing_over: bool,
}

impl State {
    fn reserve(&mut self, units: usize) {
        self.reserved += units;
        self.reservations += 1;
        self.peak = self.peak.max(self.reserved);
    }

    /// Grants to the head of the queue for as long as it fits.
    fn serve(&mut self, limit: usize) {
        while let Some(head) = self.waiting.first_entry()
            && self.reserved + head.get().units <= limit
        {
            let Waiter { units, deliver } = head.remove();
            self.reserve(units);
            self.outbox.push_back(Box::new(move || deliver(Ok(()))));
        }
        if self.closed && self.reservations == 0 {
            self.outbox.append(&mut self.on_empty);
        }
    }
}

/// What a [`Ledger`] has in its books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accounts {
    pub(crate) reserved: usize,
    pub(crate) peak: usize,
    pub(crate) reservations: usize,
    pub(crate) waiting: usize,
}

/// A budget of so many units. A reservation that was granted must be given back with [`release`](Self::release).
pub(crate) struct Ledger {
    limit: usize,
    state: Mutex<State>,
}

impl Ledger {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Reserves `units` now; false while others wait, or if there is not enough left.
    #[inline]
    pub(crate) fn try_reserve(&self, units: usize) -> Result<bool, Closed> {
        let mut state = self.lock();
        if state.closed {
            return Err(Closed);
        }
        let granted = state.waiting.is_empty() && state.reserved + units <= self.limit;
        if granted {
            state.reserve(units);
        }
        Ok(granted)
    }

    /// Reserves `units` when it is this request's turn, perhaps at once, and then calls `deliver`, once, on whichever
    /// thread made room, with nothing locked.
    pub(crate) fn enqueue(
        &self,
        units: usize,
        deliver: impl FnOnce(Result<(), Closed>) + Send + 'static,
    ) -> Result<RequestId, Closed> {
        let mut state = self.lock();
        if state.closed {
            return Err(Closed);
        }
        let request = RequestId(state.next_request);
        state.next_request += 1;
        state.waiting.insert(request, Waiter { units, deliver: Box::new(deliver) });
        state.serve(self.limit);
        self.hand_over(state);
        Ok(request)
    }

    /// Takes a request out of the queue; false if it has been granted or refused.
    pub(crate) fn cancel(&self, request: RequestId) -> bool {
        let mut state = self.lock();
        let cancelled = state.waiting.remove(&request);
        // Those behind may fit where this one did not.
        state.serve(self.limit);
        self.hand_over(state);
        cancelled.is_some()
    }

    /// Gives back one reservation of `units`.
    #[inline]
    pub(crate) fn release(&self, units: usize) {
        let mut state = self.lock();
        state.reserved -= units;
        state.reservations -= 1;
        state.serve(self.limit);
        self.hand_over(state);
    }

    /// Refuses all that is asked for from now on, and all who wait. `done` is called when nothing is reserved any more.
    pub(crate) fn close(&self, done: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        state.closed = true;
        for Waiter { deliver, .. } in std::mem::take(&mut state.waiting).into_values() {
            state.outbox.push_back(Box::new(move || deliver(Err(Closed))));
        }
        state.on_empty.push_back(Box::new(done));
        state.serve(self.limit);
        self.hand_over(state);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(crate) fn accounts(&self) -> Accounts {
        let state = self.lock();
        Accounts {
            reserved: state.reserved,
            peak: state.peak,
            reservations: state.reservations,
            waiting: state.waiting.len(),
        }
    }

    /// Handing over may release and reserve again, so it happens with nothing locked, in turn.
    #[inline]
    fn hand_over<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        if state.handing_over {
            return;
        }
        while let Some(next) = state.outbox.pop_front() {
            state.handing_over = true;
            drop(state);
            next();
            state = self.lock();
            state.handing_over = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
