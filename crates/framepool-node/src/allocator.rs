//! The addon's allocator: the system's, with a reserve for the time when the system has no memory.
//!
//! Rust ends the process where a small allocation fails. So every entry into native code first makes sure of the reserve, or
//! fails with `ERR_NO_MEMORY`; only a call that gives something back goes on. Large requests can fail on their own.
//!
//! Builds for benchmarks and tests have another allocator beneath: one that counts, or one that fails.

#[cfg(not(any(feature = "count-allocations", feature = "failing-allocator")))]
use std::alloc::System as Beneath;

use framepool::allocator::Reserved;

#[cfg(feature = "count-allocations")]
use crate::allocator::counting::Counting as Beneath;
#[cfg(feature = "failing-allocator")]
use crate::allocator::failing::TestAllocator as Beneath;
use crate::errors::Fault;

#[cfg(feature = "count-allocations")]
mod counting;
#[cfg(feature = "failing-allocator")]
mod failing;

#[global_allocator]
static ALLOCATOR: Reserved<Beneath> = Reserved::new(Beneath);

/// Fails with `ERR_NO_MEMORY` while the system has no memory for the reserve.
#[inline]
pub(crate) fn check() -> Result<(), Fault> {
    if ALLOCATOR.is_ready() { Ok(()) } else { Err(Fault::no_memory()) }
}
