//! The allocator of test builds, with the feature `failing-allocator` or `guard-pages`. No published build has it.
//!
//! - [`fail_allocation`] lets one allocation fail.
//! - With `guard-pages`, in a process that has `FRAMEPOOL_GUARD_PAGES` in its environment, memory that JavaScript can be
//!   shown lies on separate pages. They become inaccessible when the memory is freed, and are never used again, so a
//!   process that still reads or writes there dies of a fault.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::Relaxed};

use napi_derive::napi;

/// Number of allocations before the one that fails; below 0 none fails.
static UNTIL_FAILURE: AtomicI64 = AtomicI64::new(-1);
/// The size of the smallest allocation that counts, in bytes.
static COUNTED_FROM: AtomicUsize = AtomicUsize::new(0);
/// Whether all allocations fail.
static ALL_FAIL: AtomicBool = AtomicBool::new(false);

/// Lets one allocation of at least `at_least` bytes fail, on any thread. `after` is the number of such allocations that succeed
/// before it; below 0 none fails. Those after it succeed again.
#[napi]
pub fn fail_allocation(after: i32, at_least: u32) {
    UNTIL_FAILURE.store(-1, Relaxed);
    COUNTED_FROM.store(at_least as usize, Relaxed);
    UNTIL_FAILURE.store(after.into(), Relaxed);
}

/// Returns whether the allocation that is to fail has not been asked for yet.
#[napi]
pub fn allocation_fails() -> bool {
    UNTIL_FAILURE.load(Relaxed) >= 0
}

/// Lets every allocation fail from here on, or none.
#[napi]
pub fn fail_all_allocations(all: bool) {
    ALL_FAIL.store(all, Relaxed);
}

fn fails(size: usize) -> bool {
    ALL_FAIL.load(Relaxed) || counts_down(size)
}

fn counts_down(size: usize) -> bool {
    size >= COUNTED_FROM.load(Relaxed)
        && UNTIL_FAILURE.load(Relaxed) >= 0
        && UNTIL_FAILURE.fetch_update(Relaxed, Relaxed, |left| (left >= 0).then(|| left - 1)) == Ok(0)
}

/// The system's allocator, changed as the features ask.
pub(crate) struct TestAllocator;

// SAFETY: each allocation is the system allocator's or, with guard pages, one of `guarded`. Its layout tells which, so it goes
// back to where it came from. An allocator may always give a null pointer. Nothing here panics or allocates.
unsafe impl GlobalAlloc for TestAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if fails(layout.size()) {
            return ptr::null_mut();
        }
        #[cfg(feature = "guard-pages")]
        if guarded::guards(layout) {
            return guarded::alloc(layout);
        }
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if fails(layout.size()) {
            return ptr::null_mut();
        }
        #[cfg(feature = "guard-pages")]
        if guarded::guards(layout) {
            // No page has been used before.
            return guarded::alloc(layout);
        }
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if fails(size) {
            return ptr::null_mut();
        }
        #[cfg(feature = "guard-pages")]
        {
            // SAFETY: the caller promises a size that is not 0 and fits a layout.
            let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
            if guarded::guards(layout) || guarded::guards(new) {
                // SAFETY: the caller keeps the contract of `realloc`.
                return unsafe { guarded::moved(memory, layout, new) };
            }
        }
        // SAFETY: the caller keeps the contract of `realloc`, and the memory is the system allocator's.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        #[cfg(feature = "guard-pages")]
        if guarded::guards(layout) {
            // SAFETY: the caller keeps the contract of `dealloc`, and memory of such a layout comes from there.
            return unsafe { guarded::dealloc(memory, layout) };
        }
        // SAFETY: the caller keeps the contract of `dealloc`, and the memory is the system allocator's.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Memory on separate pages.
///
/// Address space is taken from large reservations that nothing can access, from the bottom up and once only: a page that was freed
/// is never used again. Freed pages are mapped again as inaccessible. That gives their memory back and lets their mapping merge
/// with its neighbors, so there are at most two mappings for each piece of memory that is alive.
#[cfg(feature = "guard-pages")]
mod guarded {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::ffi::{c_int, c_void};
    use std::ptr;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

    const PAGE: usize = 4096;
    /// The address space that is reserved at once, in bytes.
    const RESERVATION: usize = 1 << 40;
    /// Objects of Rust are smaller, or are aligned to more than bytes and less than a cache line.
    const LARGE: usize = 1024;
    const CACHE_LINE: usize = 64;

    /// Start and end of the rest of the last reservation.
    static LEFT: Mutex<(usize, usize)> = Mutex::new((0, 0));

    /// Whether the process asks for guard pages: `YES`, `NO`, or 0 as long as that is not known.
    static ASKED_FOR: AtomicU8 = AtomicU8::new(0);
    const YES: u8 = 1;
    const NO: u8 = 2;

    /// Returns whether `FRAMEPOOL_GUARD_PAGES` is set. It is not set in processes with very many objects, which would have more
    /// mappings than Linux allows.
    fn asked_for() -> bool {
        match ASKED_FOR.load(Relaxed) {
            0 => {
                // SAFETY: the name ends with 0. Nothing changes the environment before the addon is loaded.
                let value = unsafe { libc::getenv(c"FRAMEPOOL_GUARD_PAGES".as_ptr()) };
                ASKED_FOR.store(if value.is_null() { NO } else { YES }, Relaxed);
                !value.is_null()
            }
            answer => answer == YES,
        }
    }

    /// Returns whether memory of this layout lies on pages of its own: bytes, and everything that is large or aligned like the memory
    /// of a ring. That is more than JavaScript can be shown, but leaves out the many small objects, which would take two system
    /// calls each.
    pub(super) fn guards(layout: Layout) -> bool {
        (layout.align() == 1 || layout.align() >= CACHE_LINE || layout.size() >= LARGE) && asked_for()
    }

    /// Returns how many bytes of pages `layout` needs, with one page behind them that stays inaccessible.
    fn span(layout: Layout) -> Option<usize> {
        // Memory that is aligned to more than a page must find such a place.
        let beyond = layout.align().saturating_sub(PAGE);
        layout.size().checked_next_multiple_of(PAGE)?.checked_add(beyond)?.checked_add(PAGE)
    }

    /// Allocates fresh pages, which are zeroed. The memory ends where the pages end, as far as its alignment allows, so reading
    /// beyond it faults, too.
    pub(super) fn alloc(layout: Layout) -> *mut u8 {
        let Some(start) = span(layout).and_then(reserve) else { return ptr::null_mut() };
        let start = start.next_multiple_of(layout.align());
        let pages = layout.size().next_multiple_of(PAGE);
        let first = ptr::with_exposed_provenance_mut::<u8>(start);
        // SAFETY: the pages lie within what `reserve` gave, which nothing else has.
        if unsafe { libc::mprotect(first.cast(), pages, libc::PROT_READ | libc::PROT_WRITE) } != 0 {
            return ptr::null_mut();
        }
        let before = (pages - layout.size()) & !(layout.align() - 1);
        // SAFETY: it is at most a page less a byte, and the rest has room for the layout.
        unsafe { first.add(before) }
    }

    /// Frees memory of `alloc`.
    ///
    /// # Safety
    /// As for `GlobalAlloc::dealloc`; the memory is from `alloc`.
    pub(super) unsafe fn dealloc(memory: *mut u8, layout: Layout) {
        let first = memory.map_addr(|address| address & !(PAGE - 1));
        // SAFETY: these are the pages of this memory, which its owner gives up.
        unsafe { close(first.cast(), layout.size().next_multiple_of(PAGE)) };
    }

    /// Moves memory to a new layout.
    ///
    /// # Safety
    /// As for `GlobalAlloc::realloc`; one of the layouts at least is guarded.
    pub(super) unsafe fn moved(memory: *mut u8, old: Layout, new: Layout) -> *mut u8 {
        // SAFETY: the new layout is valid and not empty, as the caller promises.
        let fresh = if guards(new) { alloc(new) } else { unsafe { System.alloc(new) } };
        if fresh.is_null() {
            return fresh;
        }
        // SAFETY: both have at least this many bytes, and fresh memory overlaps nothing.
        unsafe { ptr::copy_nonoverlapping(memory, fresh, old.size().min(new.size())) };
        if guards(old) {
            // SAFETY: memory of such a layout is from `alloc`, and its owner gives it up.
            unsafe { dealloc(memory, old) };
        } else {
            // SAFETY: memory of other layouts is the system allocator's.
            unsafe { System.dealloc(memory, old) };
        }
        fresh
    }

    /// Makes pages inaccessible for good.
    ///
    /// # Safety
    /// They are whole pages that nothing needs any more.
    unsafe fn close(first: *mut c_void, bytes: usize) {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
        // SAFETY: only those pages are mapped again.
        let closed = unsafe { libc::mmap(first, bytes, libc::PROT_NONE, flags, -1, 0) };
        if closed == libc::MAP_FAILED {
            // There are too many mappings. Without guard pages the test would check nothing.
            std::process::abort();
        }
    }

    fn reserve(bytes: usize) -> Option<usize> {
        let mut left = LEFT.lock().ok()?;
        if left.1 - left.0 < bytes {
            if bytes > RESERVATION {
                return None;
            }
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            // SAFETY: it maps fresh address space, which nothing can access.
            let start = unsafe { libc::mmap(ptr::null_mut(), RESERVATION, libc::PROT_NONE, flags, -1, 0) };
            if start == libc::MAP_FAILED {
                return None;
            }
            let start = start.expose_provenance();
            *left = (start, start + RESERVATION);
        }
        let start = left.0;
        left.0 += bytes;
        Some(start)
    }

    /// Takes the place of munmap(2) in this module (see `build.rs`). The buddy pool's crate frees its blocks with it. Their addresses
    /// are not used again.
    ///
    /// # Safety
    /// As for munmap(2).
    #[unsafe(no_mangle)]
    unsafe extern "C" fn __wrap_munmap(first: *mut c_void, bytes: usize) -> c_int {
        unsafe extern "C" {
            fn __real_munmap(first: *mut c_void, bytes: usize) -> c_int;
        }
        if !asked_for() {
            // SAFETY: the caller keeps the contract of munmap(2).
            return unsafe { __real_munmap(first, bytes) };
        }
        // SAFETY: the caller gives up these pages.
        unsafe { close(first, bytes.next_multiple_of(PAGE)) };
        0
    }
}
