//! Memory for the time when the system has none.
//!
//! Rust ends the process when a box, a string or a crate's list cannot be allocated. Such requests are small. [`Reserved`]
//! serves them from chunks that it has allocated before, and says by [`Reserved::is_ready`] whether enough of them is left
//! for another piece of work. Large requests fail as they would without it: code that makes one must be able to fail.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::hint;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::set_aside;

/// The largest request, in bytes, that the reserve serves.
pub const LARGEST_SMALL: usize = 256 << 10;

/// Bytes of a chunk. The system maps lazily, so that it costs no memory before it is needed.
const CHUNK: usize = 4 << 20;

/// Bytes that must be left of a chunk for another piece of work to begin.
const ENOUGH: usize = CHUNK / 2;

/// Chunks that there can be. A new one is made when what is left of the others is too little, and the system has memory again.
const MOST_CHUNKS: usize = 16;

const CHUNK_LAYOUT: Layout = match Layout::from_size_align(CHUNK, 4096) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

/// A global allocator that serves small requests from a reserve when the allocator beneath has no memory.
///
/// There is one reserve in a process: see [`is_ready`](Self::is_ready).
#[derive(Debug)]
pub struct Reserved<A> {
    beneath: A,
    /// Whether too little of the reserve is left, as at first, when there is none.
    short: AtomicBool,
    /// The reserve's blocks have addresses from `lowest`, and below `lowest + span`. Other blocks may have, too.
    lowest: AtomicUsize,
    span: AtomicUsize,
    locked: AtomicBool,
    chunks: UnsafeCell<Chunks>,
}

// SAFETY: `chunks` is used only with `locked` held; all else are atomics, and the allocator beneath is shared as it says itself.
unsafe impl<A: Sync> Sync for Reserved<A> {}

#[derive(Debug)]
struct Chunks {
    all: [Chunk; MOST_CHUNKS],
    /// The one that blocks are taken from.
    current: usize,
}

#[derive(Clone, Copy, Debug)]
struct Chunk {
    /// Null if there is none.
    start: *mut u8,
    /// Bytes from the start that have been given out.
    used: usize,
    /// Blocks in them that have not been freed.
    live: usize,
}

impl<A: GlobalAlloc> Reserved<A> {
    /// Serves from `beneath` what that can give.
    pub const fn new(beneath: A) -> Self {
        Self {
            beneath,
            short: AtomicBool::new(true),
            lowest: AtomicUsize::new(0),
            span: AtomicUsize::new(0),
            locked: AtomicBool::new(false),
            chunks: UnsafeCell::new(Chunks {
                all: [Chunk { start: ptr::null_mut(), used: 0, live: 0 }; MOST_CHUNKS],
                current: 0,
            }),
        }
    }

    /// Whether there is a reserve of some megabytes: if not, it is made, and false means that the system has no memory for it.
    /// To be asked before each piece of work that must not fail half done.
    #[inline]
    pub fn is_ready(&self) -> bool {
        !self.short.load(Ordering::Relaxed) || self.replenish()
    }

    #[cold]
    fn replenish(&self) -> bool {
        set_aside::rely_on_reserve();
        self.with_chunks(|chunks| {
            let ready = chunks.choose() || self.add_chunk(chunks);
            self.short.store(!ready, Ordering::Relaxed);
            ready
        })
    }

    fn add_chunk(&self, chunks: &mut Chunks) -> bool {
        let Some(index) = chunks.all.iter().position(|chunk| chunk.start.is_null()) else { return false };
        // SAFETY: the layout is not empty.
        let start = unsafe { self.beneath.alloc(CHUNK_LAYOUT) };
        if start.is_null() {
            return false;
        }
        chunks.all[index] = Chunk { start, used: 0, live: 0 };
        chunks.current = index;
        let starts = chunks.all.iter().filter(|chunk| !chunk.start.is_null()).map(|chunk| chunk.start.addr());
        let (lowest, highest) = starts.fold((usize::MAX, 0), |(low, high), start| (low.min(start), high.max(start)));
        // For a moment the two may not belong together. That matters to nobody: blocks of the new chunk are given out only
        // after this, and those of the others lie within the old bounds and the new, whichever is read first.
        self.span.store(usize::MAX, Ordering::Release);
        self.lowest.store(lowest, Ordering::Release);
        self.span.store(highest + CHUNK - lowest, Ordering::Release);
        true
    }

    #[cold]
    fn serve(&self, layout: Layout) -> *mut u8 {
        if let Some(block) = set_aside::take(layout) {
            return block;
        }
        if layout.size() > LARGEST_SMALL {
            return ptr::null_mut();
        }
        self.with_chunks(|chunks| {
            let block = chunks.take(layout);
            if block.is_null() || chunks.all[chunks.current].used > CHUNK - ENOUGH {
                self.short.store(true, Ordering::Relaxed);
            }
            block
        })
    }

    /// Whether the block may be the reserve's.
    #[inline]
    fn may_hold(&self, block: *mut u8) -> bool {
        // In this order: see `add_chunk`.
        let lowest = self.lowest.load(Ordering::Acquire);
        block.addr().wrapping_sub(lowest) < self.span.load(Ordering::Acquire)
    }

    #[cold]
    fn holds(&self, block: *mut u8) -> bool {
        self.with_chunks(|chunks| chunks.of(block).is_some())
    }

    /// Takes a block back; false if it is not the reserve's.
    #[cold]
    fn take_back(&self, block: *mut u8, size: usize) -> bool {
        self.with_chunks(|chunks| {
            let Some(index) = chunks.of(block) else { return false };
            chunks.all[index].free(block, size);
            true
        })
    }

    fn with_chunks<T>(&self, work: impl FnOnce(&mut Chunks) -> T) -> T {
        // A mutex may allocate; and it is held for moments only, by those that the system refuses memory.
        while self.locked.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            hint::spin_loop();
        }
        // SAFETY: the lock is held, and `work` neither panics nor comes back here: the allocator beneath is another.
        let outcome = work(unsafe { &mut *self.chunks.get() });
        self.locked.store(false, Ordering::Release);
        outcome
    }
}

impl Chunks {
    /// Makes one current of which enough is left.
    fn choose(&mut self) -> bool {
        let enough = |chunk: &Chunk| !chunk.start.is_null() && chunk.used <= CHUNK - ENOUGH;
        if enough(&self.all[self.current]) {
            return true;
        }
        let Some(index) = self.all.iter().position(enough) else { return false };
        self.current = index;
        true
    }

    fn take(&mut self, layout: Layout) -> *mut u8 {
        let current = self.current;
        let others = (0..MOST_CHUNKS).filter(|&index| index != current);
        let block = std::iter::once(current).chain(others).find_map(|index| self.all[index].take(layout));
        block.unwrap_or(ptr::null_mut())
    }

    fn of(&self, block: *mut u8) -> Option<usize> {
        self.all
            .iter()
            .position(|chunk| !chunk.start.is_null() && block.addr().wrapping_sub(chunk.start.addr()) < CHUNK)
    }
}

impl Chunk {
    fn take(&mut self, layout: Layout) -> Option<*mut u8> {
        if self.start.is_null() {
            return None;
        }
        let free = self.start.addr() + self.used;
        let offset = free.checked_next_multiple_of(layout.align())? - self.start.addr();
        let end = offset.checked_add(layout.size())?;
        if end > CHUNK {
            return None;
        }
        self.used = end;
        self.live += 1;
        // SAFETY: the offset lies in the chunk.
        Some(unsafe { self.start.add(offset) })
    }

    fn free(&mut self, block: *mut u8, size: usize) {
        let offset = block.addr() - self.start.addr();
        self.live -= 1;
        if self.live == 0 {
            self.used = 0;
        } else if offset + size == self.used {
            // Most blocks are freed in the reverse order.
            self.used = offset;
        }
    }
}

// SAFETY: a block comes from the allocator beneath, from a chunk of its own bytes, or was set aside with the same layout; and it
// goes back where it comes from, which its address tells. Blocks of a chunk do not overlap: each begins behind all that is in
// use there. Nothing here panics or allocates.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Reserved<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LARGEST_SMALL
            && let Some(block) = set_aside::take(layout)
        {
            return block;
        }
        // SAFETY: the caller keeps the contract of `alloc`.
        let block = unsafe { self.beneath.alloc(layout) };
        if block.is_null() { self.serve(layout) } else { block }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        let block = unsafe { self.beneath.alloc_zeroed(layout) };
        if !block.is_null() {
            return block;
        }
        let block = self.serve(layout);
        if !block.is_null() {
            // SAFETY: it was just made with that size.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let reserved = self.may_hold(block) && self.holds(block);
        if !reserved {
            // SAFETY: the caller keeps the contract of `realloc`, and the block comes from beneath.
            let moved = unsafe { self.beneath.realloc(block, layout, size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: the caller keeps the contract of `realloc`, by which the new layout is valid and both sizes are not 0.
        unsafe {
            let wanted = Layout::from_size_align_unchecked(size, layout.align());
            let moved = if reserved { self.alloc(wanted) } else { self.serve(wanted) };
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, size.min(layout.size()));
                self.dealloc(block, layout);
            }
            moved
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.may_hold(block) && self.take_back(block, layout.size()) {
            return;
        }
        // SAFETY: the caller keeps the contract of `dealloc`, and the block comes from beneath.
        unsafe { self.beneath.dealloc(block, layout) }
    }
}
