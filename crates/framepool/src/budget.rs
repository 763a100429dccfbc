//! A pool of equal buffers within a memory budget, over [`frozen_core::bufpool`].
//!
//! The crate allocates and frees; who may allocate is decided here, before it is called. A `Ledger` reserves the budget
//! first come, first served, so that the crate's own waiting, which is unfair and can lose a wake-up, is never reached
//! (`tests/budget_defects.rs` shows that and its other faults). Every [`Allocation`] keeps the crate's pool alive and where
//! it is, so its blocking drop never blocks.
//!
//! ```
//! use framepool::budget::BudgetPool;
//!
//! let pool = BudgetPool::new(1024, 64 * 1024)?;
//! let allocation = pool.try_allocate(16, true)?.expect("nothing else is allocated");
//! assert_eq!(allocation.allocated_bytes(), 16 * 1024);
//! assert_eq!(pool.stats().allocated_bytes, 16 * 1024);
//! drop(allocation);
//! assert_eq!(pool.stats().allocated_bytes, 0);
//! # Ok::<(), framepool::budget::BudgetError>(())
//! ```

mod allocation;
mod error;
mod pool;
mod request;
mod shared;

pub use allocation::{Allocation, Reservation};
pub use error::BudgetError;
pub use pool::{BudgetPool, Stats};
pub use request::Request;
pub use shared::MAX_COUNT;

pub use crate::ledger::{Closed, RequestId};
