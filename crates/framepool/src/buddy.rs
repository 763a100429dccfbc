//! The buddy pool: buffers of 16 KiB to 64 MiB out of blocks of 64 MiB, over the crate `ruapc-bufpool`.
//!
//! The crate allocates, splits, merges and waits; what is added here is what its users need to rely on:
//!
//! - **Blocks** are learned through the crate's `Devices` hook, which is also where a [`BlockPolicy`] is applied.
//! - **Growth** (mapping a block, with `prefault` touching all of it) never runs on the thread that polls
//!   [`BuddyPool::allocate`]: it has a thread of its own as long as there is something to do.
//! - **Waits** that the crate would leave waiting are asked again: beside a growth that failed, beside free chunks of
//!   a slab or of a cache, behind a reservation whose waiter has gone (`tests/buddy_limits.rs` shows each).
//! - **Closing**: a closed pool refuses, and [`BuddyPool::drained`] says when nothing of it is in use.
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

mod block;
mod buffer;
mod error;
mod growth;
mod options;
mod policy;
mod pool;
mod retired;
mod retries;
mod shared;
mod wait;

pub use block::{BLOCK_SIZE, Block};
pub use buffer::Buffer;
pub use error::Error;
pub use options::{BlockPolicy, Options};
pub use pool::{BuddyPool, Change, Stats};
