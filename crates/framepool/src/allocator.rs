//! Handles a system without memory, and returns memory to the system.
//!
//! - [`Reserved`]: a global allocator that serves small requests from a reserve when the system has no memory.
//! - [`set_aside()`]: secures memory for code that cannot report a failed allocation.
//! - [`trim`]: returns freed memory to the system.

mod reserve;
mod set_aside;

pub use reserve::Reserved;
pub use set_aside::{LARGEST_SMALL, SetAside, set_aside};

/// Freed bytes that make a [`trim`] worth its cost. It looks at every free block.
pub const WORTH_TRIMMING: usize = 1 << 20;

/// Returns freed memory to the system.
///
/// The allocator keeps freed memory for later. After much traffic that can be most of the process. Takes some
/// milliseconds for each 100 MiB. Does nothing with allocators other than glibc's.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` may be called at any time, on any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
