//! The pool.

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

/// What a pool reports of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes allocated, and reserved for those whose turn has come and who have not allocated yet.
    pub allocated_bytes: usize,
    /// How many allocations these are.
    pub live_allocations: usize,
    /// How many requests wait.
    pub waiting: usize,
    /// The most bytes that were allocated at once.
    pub peak_bytes: usize,
}

/// Equal buffers within a memory budget. Clones are the same pool; dropping them does not close it, and never blocks.
#[derive(Clone)]
pub struct BudgetPool {
    pub(super) shared: Arc<Shared>,
}

impl BudgetPool {
    /// A pool of buffers of `buffer_size` bytes: a power of two from 8 to 16,384. Together its allocations never have
    /// more than `max_memory` bytes, which must be above `buffer_size`. (`BufPool::new`)
    pub fn new(buffer_size: usize, max_memory: usize) -> Result<Self, BudgetError> {
        Self::make(buffer_size, max_memory, None)
    }

    /// The same for debug mode: the memory of its allocations goes into `quarantine`, where it does not count.
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

    /// Bytes of a buffer.
    pub fn buffer_size(&self) -> usize {
        self.shared.buffer_size()
    }

    /// The budget in bytes.
    pub fn max_memory(&self) -> usize {
        self.shared.max_memory
    }

    /// True for clones of each other.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.shared.ledger.is_closed()
    }

    /// `count` buffers now; `None` while others wait or if the budget has no room. Cleared with `zero`.
    #[inline]
    pub fn try_allocate(&self, count: usize, zero: bool) -> Result<Option<Allocation>, BudgetError> {
        self.check(count)?;
        if !self.shared.ledger.try_reserve(count)? {
            return Ok(None);
        }
        Reservation { shared: Arc::clone(&self.shared), count }.allocate(zero).map(Some)
    }

    /// `count` buffers when it is this request's turn. Blocks the thread for at most `timeout`, then
    /// [`BudgetError::TimedOut`].
    pub fn allocate_within(&self, count: usize, zero: bool, timeout: Duration) -> Result<Allocation, BudgetError> {
        let granted = self.line_up(count)?.wait(timeout).ok_or(BudgetError::TimedOut)?;
        granted?.allocate(zero)
    }

    /// Queues up for `count` buffers, for a thread that waits for its turn.
    pub fn line_up(&self, count: usize) -> Result<Request, BudgetError> {
        let (sender, granted) = mpsc::sync_channel(1);
        let id = self.enqueue(count, move |grant| drop(sender.send(grant)))?;
        Ok(Request { shared: Arc::clone(&self.shared), id, granted })
    }

    /// Queues up for `count` buffers. When it is this request's turn, or the pool is closed, `deliver` is called, once: on
    /// this thread before this function returns, or on whichever thread makes room. Requests are granted and delivered in
    /// the order in which they were queued. `deliver` must not panic; it may use the pool, but should be short.
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

    /// Takes a request out of the queue, so that those behind it move up; false if `deliver` has been called or is about
    /// to be.
    pub fn cancel(&self, request: RequestId) -> bool {
        self.shared.ledger.cancel(request)
    }

    /// What is allocated and who waits.
    pub fn stats(&self) -> Stats {
        let Accounts { reserved, peak, reservations, waiting } = self.shared.ledger.accounts();
        let size = self.shared.buffer_size();
        Stats { allocated_bytes: reserved * size, live_allocations: reservations, waiting, peak_bytes: peak * size }
    }

    /// Refuses new requests and those that wait with [`Closed`]; calls `done` when the last allocation is gone, perhaps at
    /// once. It can be called again.
    pub fn close(&self, done: impl FnOnce() + Send + 'static) {
        self.shared.ledger.close(done);
    }

    fn check(&self, count: usize) -> Result<(), BudgetError> {
        let most = MAX_COUNT.min(self.shared.max_memory / self.shared.buffer_size());
        if (1..=most).contains(&count) { Ok(()) } else { Err(BudgetError::Count(count)) }
    }
}

impl Allocation {
    /// True for an allocation of `pool`.
    pub fn is_of(&self, pool: &BudgetPool) -> bool {
        Arc::ptr_eq(self.shared(), &pool.shared)
    }
}
