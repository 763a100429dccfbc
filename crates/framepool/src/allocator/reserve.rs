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

use super::set_aside::{self, LARGEST_SMALL};

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
    /// The first of its free pieces, which are linked in the order of their addresses, and never touch each other.
    first: *mut Piece,
    /// Bytes in them.
    free: usize,
}

/// Free bytes begin with this.
#[derive(Debug)]
struct Piece {
    next: *mut Piece,
    size: usize,
}

/// Every piece and every block begins at a multiple of this, and has a multiple of it.
const GRAIN: usize = size_of::<Piece>();

impl Chunk {
    const NONE: Self = Self { start: ptr::null_mut(), first: ptr::null_mut(), free: 0 };
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
            chunks: UnsafeCell::new(Chunks { all: [Chunk::NONE; MOST_CHUNKS], current: 0 }),
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
        // SAFETY: the chunk is as long as its layout says, and nobody else has it.
        chunks.all[index] = unsafe { Chunk::new(start) };
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
            if block.is_null() || chunks.all[chunks.current].free < ENOUGH {
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
    ///
    /// # Safety
    /// As for `dealloc`.
    #[cold]
    unsafe fn take_back(&self, block: *mut u8, layout: Layout) -> bool {
        self.with_chunks(|chunks| {
            let Some(index) = chunks.of(block) else { return false };
            // SAFETY: as the caller promises.
            unsafe { chunks.all[index].free(block, layout) };
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
        let enough = |chunk: &Chunk| chunk.free >= ENOUGH;
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

#[allow(clippy::cast_ptr_alignment, reason = "it is a multiple of `GRAIN`")]
fn piece_at(place: *mut u8) -> *mut Piece {
    place.cast()
}

/// What a block of a layout takes.
fn grains(layout: Layout) -> Option<usize> {
    layout.size().max(1).checked_next_multiple_of(GRAIN)
}

impl Chunk {
    /// # Safety
    /// `start` is the start of a block of `CHUNK_LAYOUT` that nothing else uses.
    unsafe fn new(start: *mut u8) -> Self {
        let first = piece_at(start);
        // SAFETY: the chunk is longer than a piece, and aligned to more.
        unsafe { first.write(Piece { next: ptr::null_mut(), size: CHUNK }) };
        Self { start, first, free: CHUNK }
    }

    fn take(&mut self, layout: Layout) -> Option<*mut u8> {
        let size = grains(layout)?;
        let mut link: *mut *mut Piece = &raw mut self.first;
        // SAFETY: links lead to free pieces of this chunk, which nobody else uses; what is written to lies in one of them.
        unsafe {
            while !(*link).is_null() {
                let piece = *link;
                let Piece { next, size: free } = piece.read();
                let address = piece.addr();
                let before = address.checked_next_multiple_of(layout.align())? - address;
                if before + size <= free {
                    let block = piece.cast::<u8>().add(before);
                    let mut rest = next;
                    if before + size < free {
                        rest = piece_at(block.add(size));
                        rest.write(Piece { next, size: free - before - size });
                    }
                    if before == 0 {
                        *link = rest;
                    } else {
                        piece.write(Piece { next: rest, size: before });
                    }
                    self.free -= size;
                    return Some(block);
                }
                link = &raw mut (*piece).next;
            }
        }
        None
    }

    /// # Safety
    /// The block is one that was taken from this chunk with this layout, and that nothing uses any more.
    unsafe fn free(&mut self, block: *mut u8, layout: Layout) {
        let Some(mut size) = grains(layout) else { return };
        self.free += size;
        // SAFETY: links lead to free pieces of this chunk; the block is about to become one, and is as long as `size`.
        unsafe {
            let mut link: *mut *mut Piece = &raw mut self.first;
            let mut before: *mut Piece = ptr::null_mut();
            while !(*link).is_null() && (*link).addr() < block.addr() {
                before = *link;
                link = &raw mut (*before).next;
            }
            let mut next = *link;
            if !next.is_null() && block.addr() + size == next.addr() {
                size += (*next).size;
                next = (*next).next;
            }
            if !before.is_null() && before.addr() + (*before).size == block.addr() {
                before.write(Piece { next, size: (*before).size + size });
            } else {
                piece_at(block).write(Piece { next, size });
                *link = piece_at(block);
            }
        }
    }
}

// SAFETY: a block comes from the allocator beneath, from a chunk of its own bytes, or was set aside with the same layout; and it
// goes back where it comes from, which its address tells. Blocks of a chunk do not overlap: each is cut off a piece that is
// free. Nothing here panics or allocates.
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
        // SAFETY: the caller keeps the contract of `dealloc`; if the block is not the reserve's, it comes from beneath.
        unsafe {
            if !(self.may_hold(block) && self.take_back(block, layout)) {
                self.beneath.dealloc(block, layout);
            }
        }
    }
}
