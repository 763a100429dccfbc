//! The buddy pool: buffers of 16 KiB to 64 MiB from blocks of 64 MiB, on the crate `ruapc-bufpool`.
//!
//! The crate allocates, splits, merges and waits. This module adds what its users rely on:
//!
//! - **Blocks** are announced by the crate's `Devices` hook, which also applies the [`BlockPolicy`].
//! - **Growth** maps a block, and with `prefault` touches all of it. It never runs on the thread that polls
//!   [`BuddyPool::allocate`], but on a thread of its own, which ends when there is nothing to do.
//! - **Waits** that the crate would forget ask again: after a growth that failed, beside free chunks of a slab or of a
//!   cache, and behind a reservation whose waiter is gone. `tests/buddy_limits.rs` shows each case.
//! - **Closing**: a closed pool refuses requests, and [`BuddyPool::drained`] tells when nothing of it is in use.
//!
//! ```
//! use framepool::buddy::{BuddyPool, Options};
//!
//! let pool = BuddyPool::new(Options::default());
//! let mut buffer = pool.try_allocate(20_000)?;
//! assert_eq!(buffer.capacity(), 64 * 1024);
//! buffer.as_mut_slice()[0] = 1;
//! drop(buffer);
//! assert_eq!(pool.stats().live_buffers, 0);
//! # Ok::<(), framepool::buddy::Error>(())
//! ```

mod backend;
mod block;
mod buffer;
mod error;
mod growth;
mod lent;
mod options;
mod policy;
mod pool;
mod retired;
mod retries;
mod shared;
mod wait;

pub use backend::Backend;
pub use block::{BLOCK_SIZE, Block};
pub use buffer::Buffer;
pub use error::Error;
pub use lent::{LENT_ALIGNMENT, Unfit};
pub use options::{BlockPolicy, Options};
pub use pool::{BuddyPool, Change, Stats};
