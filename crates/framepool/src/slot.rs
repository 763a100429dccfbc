//! The slot pool: slices of one preallocated region, handed out in order, with the heap behind it.
//!
//! [`SlotPool`] is our own implementation of what the README of `buffer_sv2` describes, behind that crate's traits
//! ([`buffer_sv2::Buffer`], [`buffer_sv2::AeadBuffer`], [`buffer_sv2::Write`]). The crate's own pool overwrites live
//! slices; `tests/slot_defects.rs` shows each of its faults. [`SystemMemory`] is the crate's buffer on the heap, with
//! checked arguments. Both hand out [`Slice`]s.
//!
//! A pool has [`SLOTS`] slots unless its [`Options`] say otherwise. A live slot holds a contiguous range of the region,
//! and the bytes of slot *i* lie below those of slot *i* + 1. So the free bytes form a few *gaps*: one before the first
//! live slot, one after the last, and holes between them. A hole is not used before a neighbor is free as well.
//!
//! ```text
//! slot         1    2    3      4    5          6  7  8
//!           |    |    |=====||====|=======|              |
//! region    0    front      live          back           capacity
//! ```
//!
//! - **Back**: the next slice gets the slot after the last one, while slots and bytes are left. Freed slots are looked
//!   at only when either runs out.
//! - **Reset**: when nothing is alive, the next write begins at slot 1, offset 0, in back mode.
//! - **Front**: the gap before the slot that was the first live one when the mode changed.
//! - **Alloc**: no gap holds the message, so it comes from the heap. Every message looks at the pool again.
//!
//! When slots or bytes run out, the pool uses the first of these gaps that holds the message:
//!
//! 1. In front mode, while a slice in the front is alive: the freed end of the front.
//! 2. The gap before the first live slot (front).
//! 3. The gap after the last live slot (back).
//! 4. In alloc mode: the freed end of an earlier front.
//!
//! Bytes that were written and not yet taken move to the new place, in order. Live slices never move.
//!
//! A message larger than the capacity comes from the heap, and changes neither mode nor placement. An empty message
//! gets no slot. A message that has begun on the heap stays there until it is taken.
//!
//! `tests/slot_random.rs` compares mode, slot and offset with the crate's pool after every step of random programs. In
//! a third of the programs they are equal to the end. In the others they are equal up to the first step at which the
//! crate uses the heap although its pool has room, moves a message back from the heap before it is taken, or shows one
//! of its faults. Ours is on the heap where the crate finds room only for a message that has begun there.
//!
//! ```
//! use buffer_sv2::Buffer;
//! use framepool::slot::SlotPool;
//!
//! let mut pool = SlotPool::new(4096)?;
//! pool.get_writable(5).copy_from_slice(b"hello");
//! let slice = pool.get_data_owned();
//! assert_eq!(slice.as_ref(), b"hello");
//! assert_eq!(pool.to_string(), "1-------  BACK MODE");
//! drop(slice);
//! assert_eq!(pool.to_string(), "--------  BACK MODE");
//! # Ok::<(), framepool::slot::OutOfMemory>(())
//! ```

mod atomic;
mod charge;
mod error;
mod gap;
mod held;
mod live;
mod pool;
mod region;
mod slice;
mod system_memory;
mod traits;

pub use error::{OutOfMemory, OutOfRange, Refused};
pub use gap::{MAX_SLOTS, SLOTS};
pub use pool::{Mode, Options, Place, Room, SlotPool, Stats, Taken};
pub use region::Region;
pub use slice::Slice;
pub use system_memory::SystemMemory;
pub use traits::TryBuffer;
