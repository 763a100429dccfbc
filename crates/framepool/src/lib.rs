//! The core of framepool: memory systems for network programs, and Stratum V2 sessions that run on them.
//!
//! It knows nothing of Node-API, and can be used from Rust alone.
//!
//! - [`slot`]: slices of one preallocated region, handed out in order.
//! - [`budget`]: buffers of one size within a memory budget.
//! - [`buddy`]: buffers of 16 KiB to 64 MiB.
//! - [`ring`]: a byte ring for one producer and one consumer. `ring::io` moves bytes between rings and file descriptors.
//! - [`threads`]: objects that change hands, through a channel or by ticket.
//! - [`framing`]: length-prefixed and delimited frames out of a stream of bytes.
//! - [`memory_budget`]: a number of bytes that holders of any memory share.
//! - [`sv2`]: Stratum V2 sessions without I/O, and the memory budget of a relay.
//! - [`relay`]: a relay between miners and mining pools, on threads of its own.
//! - [`shown`]: memory that code outside may see. [`quarantine`] finds writes to it after its release.
//! - [`handle`], [`census`]: how objects are named and are listed.
//! - [`allocator`]: what happens when the system has no memory.
//!
//! Every error states its code of the public contract through [`Coded`].

pub mod allocator;
pub mod buddy;
pub mod budget;
pub mod census;
mod coded;
pub mod framing;
pub mod handle;
mod ledger;
pub mod memory_budget;
mod prefetch;
pub mod quarantine;
pub mod relay;
pub mod ring;
pub mod shown;
pub mod slot;
pub mod sv2;
mod system_error;
pub mod threads;

/// The crate whose traits the buffers implement.
pub use buffer_sv2;
pub use coded::Coded;
pub use system_error::SystemError;
