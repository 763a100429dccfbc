//! The budget pool's public face: allocation, requests that wait, figures and closing.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use frozen_core::bufpool::{BufPool, BufPoolCfg};
use frozen_core::utils::BufferSize;

use super::allocation::{Allocation, Reservation};
use super::error::BudgetError;
use super::request::Request;
use super::shared::{MAX_COUNT, Shared};
use crate::ledger::{Accounts, Closed, Ledger, RequestId};
use crate::quarantine::Quarantine;

/// Figures of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes allocated, including reservations that were granted and not allocated yet.
    pub allocated_bytes: usize,
    /// Number of these allocations and reservations.
    pub live_allocations: usize,
    /// Number of requests that wait.
    pub waiting: usize,
    /// The most bytes that were allocated at once.
    pub peak_bytes: usize,
}

/// A pool of buffers of one size within a memory budget. Clones are the same pool. Dropping them does not close it, and
/// never blocks.
#[derive(Clone)]
pub struct BudgetPool {
    pub(super) shared: Arc<Shared>,
}

impl BudgetPool {
    /// Makes a pool of buffers of `buffer_size` bytes, a power of two from 8 to 16,384 (`BufPool::new`). All
    /// allocations together never have more than `max_memory` bytes, which must be above `buffer_size`.
    ///
    /// Returns [`BudgetError::BufferSize`] or [`BudgetError::MaxMemory`] for other values.
    pub fn new(buffer_size: usize, max_memory: usize) -> Result<Self, BudgetError> {
        Self::make(buffer_size, max_memory, None)
    }

    /// Makes a pool for debug mode: the memory of its allocations goes into `quarantine`, where it does not count.
    /// Arguments and errors are those of [`new`](Self::new).
    pub fn guarded(buffer_size: usize, max_memory: usize, quarantine: &Arc<Quarantine>) -> Result<Self, BudgetError> {
        Self::make(buffer_size, max_memory, Some(Arc::clone(quarantine)))
    }

    fn make(buffer_size: usize, max_memory: usize, quarantine: Option<Arc<Quarantine>>) -> Result<Self, BudgetError> {
        let size = match buffer_size {
            8 => BufferSize::S8,
            16 => BufferSize::S16,
            32 => BufferSize::S32,
            64 => BufferSize::S64,
            128 => BufferSize::S128,
            256 => BufferSize::S256,
            512 => BufferSize::S512,
            1024 => BufferSize::S1024,
            2048 => BufferSize::S2048,
            4096 => BufferSize::S4096,
            8192 => BufferSize::S8192,
            16384 => BufferSize::S16384,
            _ => return Err(BudgetError::BufferSize(buffer_size)),
        };
        if max_memory <= buffer_size {
            return Err(BudgetError::MaxMemory(max_memory));
        }
        let backing = BufPool::new(BufPoolCfg { buffer_size: size, max_memory });
        let ledger = Ledger::new(max_memory / buffer_size);
        Ok(Self { shared: Arc::new(Shared { backing, ledger, buffer_size: size, max_memory, quarantine }) })
    }

    /// Returns the size of one buffer, in bytes.
    pub fn buffer_size(&self) -> usize {
        self.shared.buffer_size()
    }

    /// Returns the budget, in bytes.
    pub fn max_memory(&self) -> usize {
        self.shared.max_memory
    }

    /// Returns true if `other` is a clone of this pool.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Returns true if [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.shared.ledger.is_closed()
    }

    /// Allocates `count` buffers without waiting. Returns `None` if others wait or the budget has no room. The bytes
    /// are 0 if `zero` is true.
    ///
    /// Returns [`BudgetError::Count`], [`BudgetError::Closed`] or [`BudgetError::NoMemory`].
    #[inline]
    pub fn try_allocate(&self, count: usize, zero: bool) -> Result<Option<Allocation>, BudgetError> {
        self.check(count)?;
        if !self.shared.ledger.try_reserve(count)? {
            return Ok(None);
        }
        Reservation { shared: Arc::clone(&self.shared), count }.allocate(zero).map(Some)
    }

    /// Allocates `count` buffers when the request is granted. Blocks the thread for at most `timeout`. The bytes are 0
    /// if `zero` is true.
    ///
    /// Returns [`BudgetError::TimedOut`] after that time, or the errors of [`try_allocate`](Self::try_allocate).
    pub fn allocate_within(&self, count: usize, zero: bool, timeout: Duration) -> Result<Allocation, BudgetError> {
        let granted = self.line_up(count)?.wait(timeout).ok_or(BudgetError::TimedOut)?;
        granted?.allocate(zero)
    }

    /// Queues a request for `count` buffers, for a thread that waits for it.
    ///
    /// Returns [`BudgetError::Count`] or [`BudgetError::Closed`].
    pub fn line_up(&self, count: usize) -> Result<Request, BudgetError> {
        let (sender, granted) = mpsc::sync_channel(1);
        let id = self.enqueue(count, move |grant| drop(sender.send(grant)))?;
        Ok(Request { shared: Arc::clone(&self.shared), id, granted })
    }

    /// Queues a request for `count` buffers. Calls `deliver` exactly once, when the request is granted or the pool is
    /// closed: on this thread before this function returns, or later on the thread that makes room. Grants are
    /// delivered in the order of the requests.
    ///
    /// `deliver` must not panic. It may use the pool, but should be short. Returns [`BudgetError::Count`] or
    /// [`BudgetError::Closed`].
    pub fn enqueue(
        &self,
        count: usize,
        deliver: impl FnOnce(Result<Reservation, Closed>) + Send + 'static,
    ) -> Result<RequestId, BudgetError> {
        self.check(count)?;
        let shared = Arc::clone(&self.shared);
        let deliver = move |granted: Result<(), Closed>| deliver(granted.map(|()| Reservation { shared, count }));
        Ok(self.shared.ledger.enqueue(count, deliver)?)
    }

    /// Removes a request from the queue, so that those behind it move up. Returns false if `deliver` was called or is
    /// about to be called.
    pub fn cancel(&self, request: RequestId) -> bool {
        self.shared.ledger.cancel(request)
    }

    /// Returns the figures of the pool.
    pub fn stats(&self) -> Stats {
        let Accounts { reserved, peak, reservations, waiting } = self.shared.ledger.accounts();
        let size = self.shared.buffer_size();
        Stats { allocated_bytes: reserved * size, live_allocations: reservations, waiting, peak_bytes: peak * size }
    }

    /// Closes the pool: new requests and those that wait fail with [`Closed`]. Calls `done` when the last allocation is
    /// gone, which may be at once. May be called again.
    pub fn close(&self, done: impl FnOnce() + Send + 'static) {
        self.shared.ledger.close(done);
    }

    fn check(&self, count: usize) -> Result<(), BudgetError> {
        let most = MAX_COUNT.min(self.shared.max_memory / self.shared.buffer_size());
        if (1..=most).contains(&count) { Ok(()) } else { Err(BudgetError::Count(count)) }
    }
}

impl Allocation {
    /// Returns true if this is an allocation of `pool`.
    pub fn is_of(&self, pool: &BudgetPool) -> bool {
        Arc::ptr_eq(self.shared(), &pool.shared)
    }
}
