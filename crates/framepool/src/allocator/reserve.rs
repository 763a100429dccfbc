//! A global allocator with a reserve: small requests succeed even when the system has no memory.
//!
//! Rust ends the process when a box, a string or a list of a crate cannot be allocated. Such requests are small.
//! [`Reserved`] serves them from chunks that it has allocated before. [`Reserved::is_ready`] tells whether enough is
//! left for another piece of work. Large requests fail as they would without the reserve, so code that makes one must
//! be able to fail.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::hint;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::set_aside::{self, LARGEST_SMALL};

/// Bytes of a chunk. The system maps lazily, so an unused chunk costs no memory.
const CHUNK: usize = 4 << 20;

/// Bytes that a chunk must have left for another piece of work to begin.
const ENOUGH: usize = CHUNK / 2;

/// The most chunks. The reserve adds one when the others have too little left and the system has memory again.
const MOST_CHUNKS: usize = 16;

const CHUNK_LAYOUT: Layout = match Layout::from_size_align(CHUNK, 4096) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

/// A global allocator that serves small requests from a reserve when the allocator beneath has no memory.
///
/// Call [`is_ready`](Self::is_ready) before each piece of work that must not fail halfway. A process has one reserve.
#[derive(Debug)]
pub struct Reserved<A> {
    beneath: A,
    /// Whether too little of the reserve is left. True at first, when there is no reserve.
    short: AtomicBool,
    /// Addresses of the reserve's blocks lie in `lowest .. lowest + span`. Other blocks may lie there, too.
    lowest: AtomicUsize,
    span: AtomicUsize,
    locked: AtomicBool,
    chunks: UnsafeCell<Chunks>,
}

// SAFETY: `chunks` is accessed only while `locked` is held. The other fields are atomics, and the allocator beneath,
// which is `Sync` itself.
unsafe impl<A: Sync> Sync for Reserved<A> {}

#[derive(Debug)]
struct Chunks {
    all: [Chunk; MOST_CHUNKS],
    /// Index of the chunk that blocks are cut off first.
    current: usize,
}

#[derive(Clone, Copy, Debug)]
struct Chunk {
    /// First byte of the chunk; null if there is none.
    start: *mut u8,
    /// The first free piece. Pieces are linked in the order of their addresses, and never touch each other.
    first: *mut Piece,
    /// Bytes in the free pieces.
    free: usize,
}

/// Header of a run of free bytes, stored in its first bytes.
#[derive(Debug)]
struct Piece {
    next: *mut Piece,
    size: usize,
}

/// The unit of pieces and blocks, in bytes. Each begins at a multiple of it and has a multiple of it.
const GRAIN: usize = size_of::<Piece>();

impl Chunk {
    const NONE: Self = Self { start: ptr::null_mut(), first: ptr::null_mut(), free: 0 };
}

impl<A: GlobalAlloc> Reserved<A> {
    /// Makes an allocator without a reserve. `beneath` serves all requests that it can.
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

    /// Returns true if the reserve has at least some megabytes left. Makes or extends the reserve if necessary; false
    /// means that the system has no memory for that.
    ///
    /// Call it before each piece of work that must not fail halfway.
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
        // SAFETY: the layout's size is not 0.
        let start = unsafe { self.beneath.alloc(CHUNK_LAYOUT) };
        if start.is_null() {
            return false;
        }
        // SAFETY: `start` is a fresh block of `CHUNK_LAYOUT`, and nothing else has its address.
        chunks.all[index] = unsafe { Chunk::new(start) };
        chunks.current = index;
        let starts = chunks.all.iter().filter(|chunk| !chunk.start.is_null()).map(|chunk| chunk.start.addr());
        let (lowest, highest) = starts.fold((usize::MAX, 0), |(low, high), start| (low.min(start), high.max(start)));
        // Between the stores the two values may not belong together. That does no harm: blocks of the new chunk are
        // handed out only after the last store, and blocks of the other chunks lie within the old bounds and within the
        // new ones, whichever a reader sees.
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

    /// Returns true if the block may be the reserve's.
    #[inline]
    fn may_hold(&self, block: *mut u8) -> bool {
        // `lowest` must be read before `span`: see `add_chunk`.
        let lowest = self.lowest.load(Ordering::Acquire);
        block.addr().wrapping_sub(lowest) < self.span.load(Ordering::Acquire)
    }

    #[cold]
    fn holds(&self, block: *mut u8) -> bool {
        self.with_chunks(|chunks| chunks.of(block).is_some())
    }

    /// Takes a block back. Returns false if the block is not the reserve's.
    ///
    /// # Safety
    ///
    /// The contract of [`GlobalAlloc::dealloc`] applies.
    #[cold]
    unsafe fn take_back(&self, block: *mut u8, layout: Layout) -> bool {
        self.with_chunks(|chunks| {
            let Some(index) = chunks.of(block) else { return false };
            // SAFETY: by the caller's promise the block was allocated with this layout and is unused. Its address lies
            // in this chunk, so it was taken from there.
            unsafe { chunks.all[index].free(block, layout) };
            true
        })
    }

    fn with_chunks<T>(&self, work: impl FnOnce(&mut Chunks) -> T) -> T {
        // A mutex might allocate. The lock is held only for moments, and only on threads that the system refused
        // memory.
        while self.locked.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            hint::spin_loop();
        }
        // SAFETY: the lock is held, so this is the only reference. `work` neither panics nor reaches this allocator
        // again: it only asks the allocator beneath.
        let outcome = work(unsafe { &mut *self.chunks.get() });
        self.locked.store(false, Ordering::Release);
        outcome
    }
}

impl Chunks {
    /// Makes a chunk current that has enough left. Returns false if there is none.
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

/// Returns the bytes that a block of this layout occupies, or `None` on overflow.
fn grains(layout: Layout) -> Option<usize> {
    layout.size().max(1).checked_next_multiple_of(GRAIN)
}

impl Chunk {
    /// Makes a chunk that is one free piece.
    ///
    /// # Safety
    ///
    /// `start` is the start of a block of `CHUNK_LAYOUT` that nothing else uses.
    unsafe fn new(start: *mut u8) -> Self {
        let first = piece_at(start);
        // SAFETY: the caller gives the whole block, which is longer than a piece and aligned to 4096.
        unsafe { first.write(Piece { next: ptr::null_mut(), size: CHUNK }) };
        Self { start, first, free: CHUNK }
    }

    fn take(&mut self, layout: Layout) -> Option<*mut u8> {
        let size = grains(layout)?;
        let mut link: *mut *mut Piece = &raw mut self.first;
        // SAFETY: links lead to free pieces of this chunk, which `&mut self` makes ours alone. Every write goes to such
        // a piece or to a link.
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

    /// Makes a block of this chunk free again, and merges it with free neighbors.
    ///
    /// # Safety
    ///
    /// The block was taken from this chunk with this layout, and nothing uses it any more.
    unsafe fn free(&mut self, block: *mut u8, layout: Layout) {
        let Some(mut size) = grains(layout) else { return };
        self.free += size;
        // SAFETY: links lead to free pieces of this chunk, which `&mut self` makes ours alone. The caller gives up the
        // block, which has `size` bytes.
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

// SAFETY: a block comes from the allocator beneath, from the free bytes of a chunk, or was set aside with the same
// layout. It returns to where it came from: chunks are recognized by their addresses, and blocks that were set aside
// come from one of the two. Blocks of a chunk do not overlap, because each is cut off a free piece. Nothing here panics
// or allocates through this allocator.
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
            // SAFETY: `serve` has just handed out the block with at least this size.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let reserved = self.may_hold(block) && self.holds(block);
        if !reserved {
            // SAFETY: the caller keeps the contract of `realloc`, and the block comes from the allocator beneath.
            let moved = unsafe { self.beneath.realloc(block, layout, size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: the caller keeps the contract of `realloc`: `size` is not 0 and valid for this alignment, and the
        // block has `layout`. The new block is apart from the old one, and both have the bytes that are copied.
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
        // SAFETY: the caller keeps the contract of `dealloc`. A block that is not the reserve's comes from the
        // allocator beneath.
        unsafe {
            if !(self.may_hold(block) && self.take_back(block, layout)) {
                self.beneath.dealloc(block, layout);
            }
        }
    }
}
