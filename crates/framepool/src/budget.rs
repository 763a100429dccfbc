//! A pool of buffers of one size within a memory budget, on [`frozen_core::bufpool`].
//!
//! The crate allocates and frees. This module decides who may allocate, before the crate is called. A ledger reserves
//! the budget in the order of the requests, so the crate's own waiting is never reached: it is unfair and can lose a
//! wake-up (`tests/budget_defects.rs` shows that and other faults). Every [`Allocation`] keeps the crate's pool alive
//! and in place, so that pool's blocking drop never blocks.
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
