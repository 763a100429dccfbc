//! The addon's allocator: the system's, with a reserve for the time when that has no memory.
//!
//! Rust ends the process where a small thing cannot be allocated. So every entry into native code first makes sure of the reserve,
//! or fails with `ERR_NO_MEMORY`; only what gives something back goes on. Large requests can fail on their own.

use framepool::allocator::Reserved;

#[cfg(feature = "count-allocations")]
use crate::allocations::Counting as Beneath;
use crate::errors::Fault;
#[cfg(feature = "failing-allocator")]
use crate::test_allocator::TestAllocator as Beneath;
#[cfg(not(any(feature = "count-allocations", feature = "failing-allocator")))]
use std::alloc::System as Beneath;

#[global_allocator]
static ALLOCATOR: Reserved<Beneath> = Reserved::new(Beneath);

/// Fails while the system has no memory for the reserve.
#[inline]
pub(crate) fn check() -> Result<(), Fault> {
    if ALLOCATOR.is_ready() { Ok(()) } else { Err(Fault::no_memory()) }
}
