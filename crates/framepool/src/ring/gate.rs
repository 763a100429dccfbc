//! The place where one half of a ring waits for the other.
//!
//! While nobody waits, nothing is signaled: passing bytes costs one fence and one load beside the counter.
//!
//! No wake-up is lost. The waiting side first publishes what it wants, then looks at the ring again. The other side
//! first moves its counter, then looks at what is wanted. A `SeqCst` fence stands between the two steps on both sides,
//! so at least one side sees what the other did: either the wait does not begin, or it ends.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The value of `wanted` while nobody waits. No ring has that many bytes.
const NOTHING: usize = usize::MAX;

#[derive(Debug)]
pub(super) struct Gate {
    /// Bytes that the least demanding waiter wants, or [`NOTHING`]. Changed only while `waiters` is locked.
    wanted: AtomicUsize,
    waiters: Mutex<Waiters>,
    /// Whether the half that is waited for has ended. Never becomes false again.
    ended: AtomicBool,
}

/// Waiters by number, in the order in which they came. A map, because a list in one piece could not grow without
/// memory.
#[derive(Debug, Default)]
struct Waiters {
    all: BTreeMap<u64, Waiter>,
    /// The number of the next waiter.
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    wanted: usize,
    waker: Waker,
}

impl Default for Gate {
    fn default() -> Self {
        Self { wanted: AtomicUsize::new(NOTHING), waiters: Mutex::default(), ended: AtomicBool::new(false) }
    }
}

impl Gate {
    /// Wakes waiters after the other side has moved its counter. `available` returns the bytes that the waiting side
    /// can use now.
    #[inline]
    pub(super) fn announce(&self, available: impl FnOnce() -> usize) {
        fence(SeqCst);
        let wanted = self.wanted.load(Relaxed);
        if wanted != NOTHING {
            let available = available();
            if available >= wanted {
                self.wake(available);
            }
        }
    }

    /// Notes that the other side has ended, and wakes all waiters.
    pub(super) fn end(&self) {
        // Release: a thread that sees the end also sees everything that was done before it.
        self.ended.store(true, Release);
        self.wake_all();
    }

    #[inline]
    pub(super) fn ended(&self) -> bool {
        self.ended.load(Acquire)
    }

    /// Wakes all waiters, so that they look again.
    pub(super) fn wake_all(&self) {
        self.wake(NOTHING);
    }

    /// Returns the available bytes once there are `wanted`, or once no more will come. Otherwise keeps `waker` to be
    /// woken then. A waker is kept only once.
    pub(super) fn poll(&self, wanted: usize, waker: &Waker, mut available: impl FnMut() -> usize) -> Poll<usize> {
        let mut look = || {
            // The end must be read first, so that all bytes that came before it are counted.
            let ended = self.ended();
            let available = available();
            (available >= wanted || ended).then_some(available)
        };
        if let Some(available) = look() {
            return Poll::Ready(available);
        }
        let mut waiters = self.lock();
        waiters.all.retain(|_, waiter| !waiter.waker.will_wake(waker));
        let number = waiters.next;
        waiters.next += 1;
        waiters.all.insert(number, Waiter { wanted, waker: waker.clone() });
        self.publish(&waiters);
        drop(waiters);
        fence(SeqCst);
        match look() {
            Some(available) => {
                self.forget(waker);
                Poll::Ready(available)
            }
            None => Poll::Pending,
        }
    }

    /// Removes `waker` from the waiters.
    pub(super) fn forget(&self, waker: &Waker) {
        let mut waiters = self.lock();
        waiters.all.retain(|_, waiter| !waiter.waker.will_wake(waker));
        self.publish(&waiters);
    }

    fn wake(&self, available: usize) {
        let mut waiters = self.lock();
        // Waiters that come from now on look for themselves.
        let end = waiters.next;
        let mut after = Bound::Unbounded;
        loop {
            let mut behind = waiters.all.range((after, Bound::Excluded(end)));
            let Some((&number, _)) = behind.find(|(_, waiter)| waiter.wanted <= available) else { break };
            let satisfied = waiters.all.remove(&number);
            self.publish(&waiters);
            drop(waiters);
            // Wakers run foreign code, so nothing is locked.
            if let Some(Waiter { waker, .. }) = satisfied {
                waker.wake();
            }
            after = Bound::Excluded(number);
            waiters = self.lock();
        }
    }

    fn publish(&self, waiters: &Waiters) {
        let wanted = waiters.all.values().map(|waiter| waiter.wanted).min().unwrap_or(NOTHING);
        self.wanted.store(wanted, Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
