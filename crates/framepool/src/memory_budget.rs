//! A budget by itself: bytes that its holders reserve, whatever memory they have for them.
//!
//! ```
//! use framepool::memory_budget::MemoryBudget;
//!
//! let budget = MemoryBudget::new(1024)?;
//! let reservation = budget.try_reserve(1000)?.expect("nothing else is reserved");
//! assert!(budget.try_reserve(25)?.is_none());
//! drop(reservation);
//! assert_eq!(budget.stats().reserved_bytes, 0);
//! # Ok::<(), framepool::budget::BudgetError>(())
//! ```

use std::fmt;
use std::sync::Arc;

use crate::budget::BudgetError;
use crate::ledger::{Accounts, Closed, Ledger, RequestId};

/// Figures of a [`MemoryBudget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryStats {
    /// Bytes that are reserved.
    pub reserved_bytes: usize,
    /// Number of requests that wait.
    pub waiting: usize,
    /// The most bytes that were reserved at once.
    pub peak_bytes: usize,
}

/// A number of bytes that all holders together may have reserved. Requests that wait are served in their order. Clones
/// are the same budget, on any thread.
#[derive(Clone)]
pub struct MemoryBudget {
    ledger: Arc<Ledger>,
    limit: usize,
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBudget").field("limit", &self.limit).field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl MemoryBudget {
    /// Makes a budget of `limit` bytes.
    ///
    /// Returns [`BudgetError::Bytes`] for 0.
    pub fn new(limit: usize) -> Result<Self, BudgetError> {
        if limit == 0 {
            return Err(BudgetError::Bytes { bytes: 0, limit: usize::MAX });
        }
        Ok(Self { ledger: Arc::new(Ledger::new(limit)), limit })
    }

    /// Returns the number of bytes that may be reserved.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns true if `other` is a clone of this budget.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ledger, &other.ledger)
    }

    /// Reserves `bytes` now. Returns `None` if others wait, or if not enough is left.
    ///
    /// Returns [`BudgetError::Bytes`] for 0, and for more than the whole budget.
    pub fn try_reserve(&self, bytes: usize) -> Result<Option<Reservation>, BudgetError> {
        self.check(bytes)?;
        Ok(self.ledger.try_reserve(bytes)?.then(|| self.granted(bytes)))
    }

    /// Queues a request for `bytes`. Calls `deliver` when it is granted: on this thread before this function returns, or
    /// later on the thread that makes room. `deliver` must not panic, and should be short.
    ///
    /// Returns [`BudgetError::Bytes`] for 0, and for more than the whole budget.
    pub fn enqueue(
        &self,
        bytes: usize,
        deliver: impl FnOnce(Result<Reservation, Closed>) + Send + 'static,
    ) -> Result<RequestId, BudgetError> {
        self.check(bytes)?;
        let budget = self.clone();
        Ok(self.ledger.enqueue(bytes, move |granted| deliver(granted.map(|()| budget.granted(bytes))))?)
    }

    /// Removes a request from the queue. Returns false if `deliver` was called or is about to be called.
    pub fn cancel(&self, request: RequestId) -> bool {
        self.ledger.cancel(request)
    }

    /// Returns the figures of the budget.
    pub fn stats(&self) -> MemoryStats {
        let Accounts { reserved, peak, waiting, .. } = self.ledger.accounts();
        MemoryStats { reserved_bytes: reserved, waiting, peak_bytes: peak }
    }

    fn granted(&self, bytes: usize) -> Reservation {
        Reservation { ledger: Arc::clone(&self.ledger), bytes }
    }

    fn check(&self, bytes: usize) -> Result<(), BudgetError> {
        if (1..=self.limit).contains(&bytes) { Ok(()) } else { Err(BudgetError::Bytes { bytes, limit: self.limit }) }
    }
}

/// A part of a [`MemoryBudget`]. Dropping it returns it, on any thread.
pub struct Reservation {
    ledger: Arc<Ledger>,
    bytes: usize,
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Reservation {
    /// Returns the number of bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds bytes until there are `bytes`. Returns false, and changes nothing, if others wait or not enough is left.
    pub fn try_grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let granted = more == 0 || self.ledger.try_grow(more);
        if granted {
            self.bytes += more;
        }
        granted
    }

    /// Returns all but `bytes` to the budget.
    pub fn shrink_to(&mut self, bytes: usize) {
        let fewer = self.bytes.saturating_sub(bytes);
        if fewer > 0 {
            self.bytes -= fewer;
            self.ledger.shrink(fewer);
        }
    }

    /// Makes a reservation of its own out of at most `bytes` of these.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.ledger.split();
        Self { ledger: Arc::clone(&self.ledger), bytes }
    }

    /// Takes over another reservation of the same budget. Returns a reservation of another budget as it is.
    pub fn absorb(&mut self, mut other: Self) -> Option<Self> {
        if !Arc::ptr_eq(&self.ledger, &other.ledger) {
            return Some(other);
        }
        self.bytes += other.bytes;
        other.bytes = 0;
        None
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.ledger.release(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> MemoryBudget {
        MemoryBudget::new(100).expect("not 0")
    }

    #[test]
    fn parts_come_back_whole() {
        let budget = budget();
        let mut first = budget.try_reserve(60).expect("in range").expect("room");
        let second = first.split(20);
        assert!(first.try_grow_to(80));
        assert!(!first.try_grow_to(81));
        assert_eq!((first.bytes(), second.bytes(), budget.stats().reserved_bytes), (80, 20, 100));
        assert!(first.absorb(second).is_none());
        first.shrink_to(10);
        assert_eq!((first.bytes(), budget.stats().reserved_bytes), (10, 10));
        drop(first);
        assert_eq!(budget.stats(), MemoryStats { reserved_bytes: 0, waiting: 0, peak_bytes: 100 });
        let all = budget.try_reserve(100).expect("in range").expect("everything is back");
        assert!(budget.try_reserve(1).expect("in range").is_none());
        drop(all);
    }

    #[test]
    fn a_request_that_can_never_be_granted_is_an_error() {
        let budget = budget();
        for bytes in [0, 101, usize::MAX] {
            assert_eq!(budget.try_reserve(bytes).expect_err("out of range"), BudgetError::Bytes { bytes, limit: 100 });
        }
        assert!(MemoryBudget::new(0).is_err());
        let other = MemoryBudget::new(1).expect("not 0").try_reserve(1).expect("in range").expect("room");
        let mut own = budget.try_reserve(1).expect("in range").expect("room");
        assert_eq!(own.absorb(other).map(|other| other.bytes()), Some(1));
    }
}
