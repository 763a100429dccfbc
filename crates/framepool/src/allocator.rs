//! What the system's allocator keeps, and what becomes of requests that it refuses.
//!
//! - [`Reserved`]: a global allocator that serves small requests from a reserve when the system has no memory.
//! - [`set_aside`]: makes sure of the memory that code which cannot fail is about to ask for.
//! - [`trim`]: lets the system have what was freed.

mod reserve;
mod set_aside;

pub use reserve::Reserved;
pub use set_aside::{LARGEST_SMALL, SetAside, set_aside};

/// Freed bytes from which on [`trim`] is worth its look at every free block.
pub const WORTH_TRIMMING: usize = 1 << 20;

/// Lets the system have the memory that was freed: the allocator keeps it for later, which after much traffic may be most of
/// the process. Takes some milliseconds for each 100 MiB. With other allocators than glibc's it does nothing.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time, on any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
