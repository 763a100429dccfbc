//! The preallocated memory of a pool, and which of its slots are alive.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use crate::quarantine::{Guard, Keep};
use crate::shown::Memory;

use super::error::OutOfMemory;
use super::held::HeldSlots;
use super::live::LiveSlots;

/// Alignment of a region's first byte: a cache line.
const ALIGN: usize = 64;

/// The memory of one pool. Shared by the pool and its slices, and given back with the last of them.
#[derive(Debug)]
pub struct Region {
    /// `None` only while it is being dropped.
    allocation: Option<Allocation>,
    base: NonNull<u8>,
    len: usize,
    pub(super) live: LiveSlots,
    pub(super) held: HeldSlots,
    guard: Guard,
    /// Apart from the memory, which who waits for the end of the pool need not keep.
    end: Arc<End>,
}

/// Whether the pool is gone.
#[derive(Debug, Default)]
struct End {
    reached: AtomicBool,
    notify: Notify,
}

// SAFETY: the memory belongs to the region alone, whichever thread drops it. Shared access hands out a pointer and
// atomics; who may use which bytes is decided by the pool, which gives each range to one slice.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// `len` zeroed bytes. Pages that are never touched cost no memory where the system maps lazily.
    pub(super) fn new(len: usize) -> Result<Self, OutOfMemory> {
        let out_of_memory = OutOfMemory { bytes: len };
        let allocation = Allocation::new(len).ok_or(out_of_memory)?;
        let start = allocation.start;
        // SAFETY: for a byte pointer this is at most ALIGN - 1, which the allocation has in excess of `len`.
        let base = unsafe { start.add(start.align_offset(ALIGN)) };
        Ok(Self {
            allocation: Some(allocation),
            base,
            len,
            live: LiveSlots::new(),
            held: HeldSlots::default(),
            guard: Guard::default(),
            end: Arc::default(),
        })
    }

    /// What becomes of the memory when the pool and its slices are gone, for debug mode.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The first byte, aligned to 64. Not to be read or written when [`len`](Self::len) is 0.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Bytes: the capacity of the pool.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for a pool of capacity 0.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pool is gone: no more slices will be taken.
    pub(super) fn close(&self) {
        self.end.reached.store(true, Ordering::SeqCst);
        self.end.notify.notify_waiters();
    }

    /// The bytes of each slot whose slice has no object of its own: from any thread, to which it may have changed just now.
    pub fn held_lengths(&self) -> impl Iterator<Item = usize> {
        self.held.lengths()
    }

    /// Whether the pool is gone, so that the memory is there only for the slices that are alive.
    pub fn is_closed(&self) -> bool {
        self.end.reached.load(Ordering::SeqCst)
    }

    /// Ends when the pool is gone. Does not keep the memory.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let end = Arc::clone(&self.end);
        async move {
            // Made before the look, so that nothing is missed in between.
            let notified = end.notify.notified();
            if !end.reached.load(Ordering::SeqCst) {
                notified.await;
            }
        }
    }
}

// SAFETY: a share of the region keeps its memory, which is as long as it says and never moves.
unsafe impl Memory for Arc<Region> {
    fn span(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.base(), self.len())
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let allocation = self.allocation.take().expect("it is there until the region is dropped");
        self.guard.leave(RegionMemory { base: self.base, len: self.len, _allocation: allocation });
    }
}

/// Bytes of the system's allocator: zeroed, and [`ALIGN`] − 1 more than are needed.
#[derive(Debug)]
struct Allocation {
    start: NonNull<u8>,
    layout: Layout,
}

impl Allocation {
    /// Aligned by hand: asked for an alignment beyond the allocator's own, the standard library clears the memory
    /// itself, which touches every page.
    fn new(len: usize) -> Option<Self> {
        let layout = Layout::from_size_align(len.checked_add(ALIGN - 1)?, 1).ok()?;
        // SAFETY: the layout is at least ALIGN - 1 bytes, never 0.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { start, layout })
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and the owner is gone.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// What a region leaves.
struct RegionMemory {
    base: NonNull<u8>,
    len: usize,
    _allocation: Allocation,
}

// SAFETY: the memory belongs to the allocation, which any thread may free.
unsafe impl Send for RegionMemory {}

// SAFETY: the bytes lie in the allocation, which does not move. They were the region's and its slices', which are gone.
unsafe impl Keep for RegionMemory {
    fn span(&mut self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.base, self.len)
    }
}
