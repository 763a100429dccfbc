//! A fair ledger: reservations of a budget, granted in the order in which they were requested.
//!
//! It is a semaphore with exact accounts. Ordinary ones hand out permits piecemeal and wake after unlocking, so two
//! threads that release at the same time can wake waiters in the wrong order. Here a grant is all or nothing. One
//! thread at a time delivers the grants, in their order, while nothing is locked.

use std::collections::{BTreeMap, LinkedList};
use std::error::Error;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::coded::Coded;

/// The error for a request to a closed ledger.
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

/// Names a request that was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(u64);

struct Waiter {
    units: usize,
    deliver: Box<dyn FnOnce(Result<(), Closed>) + Send>,
}

#[derive(Default)]
struct State {
    reserved: usize,
    /// The most units that were ever reserved at once.
    peak: usize,
    reservations: usize,
    closed: bool,
    waiting: BTreeMap<RequestId, Waiter>,
    next_request: u64,
    /// Called when the ledger is closed and nothing is reserved any more.
    on_empty: LinkedList<Box<dyn FnOnce() + Send>>,
    /// Deliveries to come, in order. A linked list, because it grows where budget is returned, which must not fail.
    outbox: LinkedList<Box<dyn FnOnce() + Send>>,
    /// Whether a thread is delivering. That thread also delivers what is added meanwhile.
    handing_over: bool,
}

impl State {
    fn reserve(&mut self, units: usize) {
        self.reserved += units;
        self.reservations += 1;
        self.peak = self.peak.max(self.reserved);
    }

    /// Grants requests from the head of the queue until one does not fit.
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

/// Accounts of a [`Ledger`]. Sizes are in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accounts {
    pub(crate) reserved: usize,
    pub(crate) peak: usize,
    pub(crate) reservations: usize,
    pub(crate) waiting: usize,
}

/// A budget of a fixed number of units. Every granted reservation must be returned with [`release`](Self::release).
pub(crate) struct Ledger {
    limit: usize,
    state: Mutex<State>,
}

impl Ledger {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Reserves `units` now. Returns false if others wait, or if not enough is left.
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

    /// Queues a request for `units`. Calls `deliver` exactly once, when the request is granted or the ledger is closed:
    /// on this thread before this function returns, or later on the thread that makes room. Nothing is locked
    /// meanwhile.
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

    /// Removes a request from the queue. Returns false if it was granted or refused before.
    pub(crate) fn cancel(&self, request: RequestId) -> bool {
        let mut state = self.lock();
        let cancelled = state.waiting.remove(&request);
        // Requests behind it may fit where this one did not.
        state.serve(self.limit);
        self.hand_over(state);
        cancelled.is_some()
    }

    /// Returns one reservation of `units`.
    #[inline]
    pub(crate) fn release(&self, units: usize) {
        let mut state = self.lock();
        state.reserved -= units;
        state.reservations -= 1;
        state.serve(self.limit);
        self.hand_over(state);
    }

    /// Adds `units` to a reservation. Returns false if others wait, or if not enough is left.
    pub(crate) fn try_grow(&self, units: usize) -> bool {
        let mut state = self.lock();
        let granted = state.waiting.is_empty() && state.reserved + units <= self.limit;
        if granted {
            state.reserved += units;
            state.peak = state.peak.max(state.reserved);
        }
        granted
    }

    /// Returns `units` of a reservation that goes on.
    pub(crate) fn shrink(&self, units: usize) {
        let mut state = self.lock();
        state.reserved -= units;
        state.serve(self.limit);
        self.hand_over(state);
    }

    /// Notes that a reservation was split into two.
    pub(crate) fn split(&self) {
        self.lock().reservations += 1;
    }

    /// Refuses all new requests and all that wait. Calls `done` as soon as nothing is reserved, which may be at once.
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

    /// Delivers what is in the outbox. A delivery may release and reserve again, so nothing is locked while it runs.
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Outcomes of requests, in the order of their delivery.
    type Outcomes = Arc<Mutex<Vec<(&'static str, bool)>>>;

    fn note(outcomes: &Outcomes, name: &'static str) -> impl FnOnce(Result<(), Closed>) + Send + 'static {
        let outcomes = Arc::clone(outcomes);
        move |granted| outcomes.lock().expect("no panic").push((name, granted.is_ok()))
    }

    fn noted(outcomes: &Outcomes) -> Vec<(&'static str, bool)> {
        std::mem::take(&mut *outcomes.lock().expect("no panic"))
    }

    #[test]
    fn a_grant_is_all_or_nothing_and_in_order() {
        let (ledger, outcomes) = (Ledger::new(10), Outcomes::default());
        assert_eq!(ledger.try_reserve(6), Ok(true));
        ledger.enqueue(5, note(&outcomes, "large")).expect("open");
        ledger.enqueue(1, note(&outcomes, "small")).expect("open");
        assert_eq!(noted(&outcomes), [], "the small request fits, but comes second");
        assert_eq!(ledger.try_reserve(1), Ok(false), "others wait");
        assert_eq!(ledger.accounts(), Accounts { reserved: 6, peak: 6, reservations: 1, waiting: 2 });
        ledger.release(6);
        assert_eq!(noted(&outcomes), [("large", true), ("small", true)]);
        assert_eq!(ledger.accounts(), Accounts { reserved: 6, peak: 6, reservations: 2, waiting: 0 });
    }

    #[test]
    fn canceling_the_head_lets_others_move_up() {
        let (ledger, outcomes) = (Ledger::new(4), Outcomes::default());
        assert_eq!(ledger.try_reserve(3), Ok(true));
        let head = ledger.enqueue(2, note(&outcomes, "head")).expect("open");
        ledger.enqueue(1, note(&outcomes, "next")).expect("open");
        assert!(ledger.cancel(head));
        assert_eq!(noted(&outcomes), [("next", true)]);
        assert!(!ledger.cancel(head));
    }

    #[test]
    fn a_closed_ledger_refuses_and_tells_when_it_is_empty() {
        let (ledger, outcomes) = (Ledger::new(1), Outcomes::default());
        assert_eq!(ledger.try_reserve(1), Ok(true));
        ledger.enqueue(1, note(&outcomes, "waits")).expect("open");
        let empty = note(&outcomes, "empty");
        ledger.close(move || empty(Ok(())));
        assert_eq!(noted(&outcomes), [("waits", false)]);
        assert_eq!(ledger.try_reserve(1), Err(Closed));
        assert!(ledger.enqueue(1, |_| unreachable!("it is refused")).is_err());
        ledger.release(1);
        assert_eq!(noted(&outcomes), [("empty", true)]);
    }

    #[test]
    fn a_reservation_can_change_its_size() {
        let (ledger, outcomes) = (Ledger::new(10), Outcomes::default());
        assert_eq!(ledger.try_reserve(4), Ok(true));
        assert!(ledger.try_grow(4));
        assert!(!ledger.try_grow(3));
        ledger.enqueue(5, note(&outcomes, "waits")).expect("open");
        assert!(!ledger.try_grow(1), "others wait");
        ledger.shrink(3);
        assert_eq!(noted(&outcomes), [("waits", true)]);
        ledger.split();
        assert_eq!(ledger.accounts(), Accounts { reserved: 10, peak: 10, reservations: 3, waiting: 0 });
        ledger.release(0);
        ledger.release(5);
        ledger.release(5);
        assert_eq!(ledger.accounts(), Accounts { reserved: 0, peak: 10, reservations: 0, waiting: 0 });
    }

    #[test]
    fn a_delivery_may_use_the_ledger() {
        let (ledger, outcomes) = (Arc::new(Ledger::new(1)), Outcomes::default());
        let (within, outcome) = (Arc::clone(&ledger), note(&outcomes, "inner"));
        let deliver = move |granted: Result<(), Closed>| {
            granted.expect("open");
            within.enqueue(1, outcome).expect("open");
            within.release(1);
        };
        ledger.enqueue(1, deliver).expect("open");
        assert_eq!(noted(&outcomes), [("inner", true)]);
    }
}
