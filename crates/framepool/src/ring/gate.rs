//! Where one half of a ring waits for the other.
//!
//! Nothing is signalled while nobody waits: then passing bytes costs one fence and one load beside the counter.
//!
//! No wake-up is lost. The waiting side first says what it wants, then looks at the ring once more; the other side first
//! moves its counter, then looks at what is wanted. Between the two steps stands a `SeqCst` fence on both sides, so at
//! least one of them sees what the other did: either the wait is not begun, or it is ended.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// What is wanted while nobody waits: more than any ring has.
const NOTHING: usize = usize::MAX;

#[derive(Debug)]
pub(super) struct Gate {
    /// Bytes that the least demanding waiter wants, or [`NOTHING`]. Changed only with `waiters` locked.
    wanted: AtomicUsize,
    waiters: Mutex<Waiters>,
    /// Set once, when the half that is waited for will do nothing any more.
    ended: AtomicBool,
}

/// By number, in the order in which they came. Not in one piece of memory, which could not grow where there is none.
#[derive(Debug, Default)]
struct Waiters {
    all: BTreeMap<u64, Waiter>,
    /// The number of the next.
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
    /// The other side has moved its counter; `available` says how much the waiting side can use now.
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

    /// The other side will do nothing any more.
    pub(super) fn end(&self) {
        // What it did before is seen by whoever sees this.
        self.ended.store(true, Release);
        self.wake_all();
    }

    #[inline]
    pub(super) fn ended(&self) -> bool {
        self.ended.load(Acquire)
    }

    /// Whoever waits looks again.
    pub(super) fn wake_all(&self) {
        self.wake(NOTHING);
    }

    /// Ready with what is available once that is `wanted` bytes, or when no more will come. Until then `waker` is kept; a
    /// waker that is kept already is not kept twice.
    pub(super) fn poll(&self, wanted: usize, waker: &Waker, mut available: impl FnMut() -> usize) -> Poll<usize> {
        let mut look = || {
            // In this order: what came before the end is counted.
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

    /// `waker` waits no more.
    pub(super) fn forget(&self, waker: &Waker) {
        let mut waiters = self.lock();
        waiters.all.retain(|_, waiter| !waiter.waker.will_wake(waker));
        self.publish(&waiters);
    }

    fn wake(&self, available: usize) {
        let mut waiters = self.lock();
        // Those that come meanwhile look for themselves.
        let end = waiters.next;
        let mut after = Bound::Unbounded;
        loop {
            let mut behind = waiters.all.range((after, Bound::Excluded(end)));
            let Some((&number, _)) = behind.find(|(_, waiter)| waiter.wanted <= available) else { break };
            let satisfied = waiters.all.remove(&number);
            self.publish(&waiters);
            drop(waiters);
            // Wakers are foreign code: they run with nothing locked.
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
