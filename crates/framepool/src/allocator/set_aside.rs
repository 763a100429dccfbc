//! Memory that is secured before code runs that cannot report a failed allocation.
//!
//! Some crates end the process when an allocation fails. [`set_aside`] makes that allocation first, where a failure can
//! be reported. Under [`Reserved`](super::Reserved) the crate then gets that very block. Under another allocator the
//! block is freed at once, and another thread may take the memory before the crate asks.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::hint::black_box;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};

/// The largest request, in bytes, that the reserve serves.
pub const LARGEST_SMALL: usize = 256 << 10;

/// Whether the global allocator hands out what was set aside, and never fails small requests.
static HANDED_OUT: AtomicBool = AtomicBool::new(false);

pub(super) fn rely_on_reserve() {
    HANDED_OUT.store(true, Ordering::Relaxed);
}

#[derive(Clone, Copy)]
struct Block {
    start: *mut u8,
    size: usize,
    align: usize,
}

const NONE: Block = Block { start: ptr::null_mut(), size: 0, align: 0 };

thread_local! {
    /// The block that this thread has set aside and not yet handed out.
    static BLOCK: Cell<Block> = const { Cell::new(NONE) };
}

/// Hands out the block that this thread has set aside, if it has this layout.
#[inline]
pub(super) fn take(layout: Layout) -> Option<*mut u8> {
    let block = BLOCK.get();
    if block.start.is_null() || block.size != layout.size() || block.align != layout.align() {
        return None;
    }
    BLOCK.set(NONE);
    Some(block.start)
}

/// A guarantee that this thread's next allocation of the layout succeeds. Dropping it frees the memory if it was not
/// handed out.
#[derive(Debug)]
#[must_use]
pub struct SetAside {
    /// Keeps the guarantee on the thread whose memory it is.
    _own: std::marker::PhantomData<*mut u8>,
}

/// Sets memory of `layout` aside for this thread's next allocation of that layout.
///
/// Returns `None` if the system has no memory for it.
#[inline]
pub fn set_aside(layout: Layout) -> Option<SetAside> {
    let handed_out = HANDED_OUT.load(Ordering::Relaxed);
    let needed = !handed_out || layout.size() > LARGEST_SMALL;
    if needed && layout.size() > 0 {
        // SAFETY: the layout's size is not 0.
        let start = NonNull::new(black_box(unsafe { alloc(layout) }))?;
        if handed_out {
            put(Block { start: start.as_ptr(), size: layout.size(), align: layout.align() });
        } else {
            // SAFETY: the block was just allocated with this layout, and nothing else has it.
            unsafe { dealloc(start.as_ptr(), layout) };
        }
    }
    Some(SetAside { _own: std::marker::PhantomData })
}

fn put(block: Block) {
    let earlier = BLOCK.replace(block);
    if !earlier.start.is_null() {
        // SAFETY: `set_aside` allocated the block with this layout, and it was not handed out.
        unsafe { dealloc(earlier.start, Layout::from_size_align_unchecked(earlier.size, earlier.align)) };
    }
}

impl Drop for SetAside {
    fn drop(&mut self) {
        put(NONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_does_not_exist_is_refused() {
        assert!(set_aside(Layout::array::<u8>(1 << 60).expect("a layout")).is_none());
        assert!(set_aside(Layout::array::<u8>(1 << 20).expect("a layout")).is_some());
        assert!(set_aside(Layout::new::<()>()).is_some());
    }
}
