//! An allocator that fails when it is told to, in builds with the feature `failing-allocator`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use napi_derive::napi;

/// How many of the allocations that count come before the one that fails; negative: none fails.
static AFTER: AtomicI64 = AtomicI64::new(-1);
static AT_LEAST: AtomicUsize = AtomicUsize::new(0);
/// Whether all fail.
static ALL: AtomicBool = AtomicBool::new(false);

/// The system's allocator, but for requests that it refuses.
pub(crate) struct Failing;

fn refuses(size: usize) -> bool {
    if ALL.load(Ordering::Relaxed) {
        return true;
    }
    let counts = AFTER.load(Ordering::Relaxed) >= 0 && size >= AT_LEAST.load(Ordering::Relaxed);
    counts && AFTER.fetch_sub(1, Ordering::Relaxed) == 0
}

// SAFETY: every call goes to the system's allocator unchanged, or fails, which each caller must expect.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`.
        if refuses(layout.size()) { ptr::null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        if refuses(layout.size()) { ptr::null_mut() } else { unsafe { System.alloc_zeroed(layout) } }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `realloc`, and the memory is the system allocator's.
        if refuses(size) { ptr::null_mut() } else { unsafe { System.realloc(memory, layout, size) } }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and the memory is the system allocator's.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Has allocation number `after` (0: the next) of those of at least `at_least` bytes fail, once; a negative number none.
#[napi]
pub fn fail_allocation(after: i32, at_least: u32) {
    AT_LEAST.store(at_least as usize, Ordering::Relaxed);
    AFTER.store(after.into(), Ordering::Relaxed);
}

/// Whether the allocation that was to fail has not been asked for yet.
#[napi]
pub fn allocation_fails() -> bool {
    AFTER.load(Ordering::Relaxed) >= 0
}

/// Has every allocation fail from here on, or none.
#[napi]
pub fn fail_all_allocations(all: bool) {
    ALL.store(all, Ordering::Relaxed);
}
