//! Memory for code that ends the process when it gets none.
//!
//! Some crates allocate without a way to fail. What one is about to ask for is allocated before it is called, where failing is
//! possible. Under [`Reserved`](super::Reserved) the very block is then handed to it. Under another allocator the block is
//! freed first, and what other threads do meanwhile is left to luck.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::hint::black_box;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};

/// The largest request, in bytes, that the reserve serves.
pub const LARGEST_SMALL: usize = 256 << 10;

/// Whether the global allocator is one that hands out what was set aside, and never fails small requests.
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
    /// What was set aside on this thread and not handed out.
    static BLOCK: Cell<Block> = const { Cell::new(NONE) };
}

/// Hands out what was set aside with this layout.
#[inline]
pub(super) fn take(layout: Layout) -> Option<*mut u8> {
    let block = BLOCK.get();
    if block.start.is_null() || block.size != layout.size() || block.align != layout.align() {
        return None;
    }
    BLOCK.set(NONE);
    Some(block.start)
}

/// Memory that this thread's next allocation of the layout cannot fail to get. What it has not got by the time this is dropped
/// is freed.
#[derive(Debug)]
#[must_use]
pub struct SetAside {
    /// What was set aside here is freed on the thread that did it.
    _own: std::marker::PhantomData<*mut u8>,
}

/// Sets memory aside, of which the layout is not empty; `None` if the system has none.
#[inline]
pub fn set_aside(layout: Layout) -> Option<SetAside> {
    let handed_out = HANDED_OUT.load(Ordering::Relaxed);
    if !handed_out || layout.size() > LARGEST_SMALL {
        // SAFETY: the layout is not empty.
        let start = NonNull::new(black_box(unsafe { alloc(layout) }))?;
        if handed_out {
            put(Block { start: start.as_ptr(), size: layout.size(), align: layout.align() });
        } else {
            // SAFETY: it was just allocated with this layout.
            unsafe { dealloc(start.as_ptr(), layout) };
        }
    }
    Some(SetAside { _own: std::marker::PhantomData })
}

fn put(block: Block) {
    let earlier = BLOCK.replace(block);
    if !earlier.start.is_null() {
        // SAFETY: it was allocated in `set_aside` with that layout, and not handed out.
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
    }
}
