//! The Node-API binding of framepool: it converts types and lifetimes, and holds no logic of its own.
//!
//! - `allocations`: a count of them, in builds that ask for it.
//! - `allocator`: what becomes of requests when the system has no memory; `test_allocator` has it have none.
//! - `blocked`: waits that block the thread.
//! - `boundary`: how JavaScript calls in on per-message paths.
//! - `transferable`, `ticket`, `regions`: how objects change isolates.
//! - `control`: the words that such calls pass.
//! - `debug`: what is guarded in debug mode.
//! - `env`: what one isolate has alive.
//! - `external`: memory that JavaScript sees through an `ArrayBuffer`.
//! - `inspect`: what is alive in the process.
//! - `io`: native I/O on file descriptors.
//! - `last_turn`: how the end of an isolate is noticed in time.
//! - `link_memory`: the memory budget of a relay.
//! - `settle`: how waits end.
//! - `test_allocator`: makes allocations fail, and freed memory inaccessible, in builds that ask for it.
//! - `slot_pool`, `system_memory`, `heap_slice`, `budget_pool`, `buddy_pool`, `ring`, `sv2_session`: one file for each kind of object.
#![allow(unreachable_pub, reason = "what #[napi] exports must be pub")]
#![allow(clippy::cast_precision_loss, reason = "counters do not reach 2^53")]
#![allow(clippy::needless_pass_by_value, reason = "napi-rs gives owned values")]
#![allow(clippy::unnecessary_wraps, reason = "every bound function has the same type")]

#[cfg(feature = "count-allocations")]
mod allocations;
mod allocator;
mod blocked;
mod boundary;
mod buddy_pool;
mod budget_pool;
mod channel;
mod control;
mod debug;
mod env;
mod errors;
mod external;
mod heap_slice;
mod inspect;
#[cfg(unix)]
mod io;
mod last_turn;
mod link_memory;
mod pin;
mod polled;
mod regions;
mod ring;
mod settle;
mod slot_pool;
mod sv2_session;
mod system_memory;
#[cfg(feature = "failing-allocator")]
mod test_allocator;
mod ticket;
mod transferable;
