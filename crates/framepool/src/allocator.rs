//! What the system's allocator keeps.

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
