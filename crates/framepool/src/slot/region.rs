//! The preallocated memory of a pool, with the state that its slices share.
//!
//! The memory lives until the pool and its last slice are gone.

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

/// Alignment of a region's first byte, in bytes: a cache line.
const ALIGN: usize = 64;

/// The memory of one pool. The pool and its slices share it, and the last of them frees it.
///
/// The order of the fields matters: another thread that drops a slice looks at `closed`, and changes `live` and the counts of the
/// `Arc`. All of them share a cache line as long as `live` and `closed` come first.
#[derive(Debug)]
#[repr(C)]
pub struct Region {
    pub(super) live: LiveSlots,
    /// Whether the pool is gone.
    closed: AtomicBool,
    base: NonNull<u8>,
    len: usize,
    pub(super) held: HeldSlots,
    /// `None` only while it is being dropped.
    allocation: Option<Allocation>,
    guard: Guard,
    /// The end of the pool, for those that wait for it. Apart from the memory, so that a wait need not keep that.
    end: Arc<End>,
}

/// Whether the pool is gone.
#[derive(Debug, Default)]
struct End {
    reached: AtomicBool,
    notify: Notify,
}

// SAFETY: the region owns the memory, and any thread may free it. A shared reference gives only the address and
// atomics; the pool gives each range of bytes to at most one slice.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Allocates `len` zeroed bytes. Where the system maps lazily, pages that are never touched cost no memory.
    pub(super) fn new(len: usize) -> Result<Self, OutOfMemory> {
        let out_of_memory = OutOfMemory { bytes: len };
        let allocation = Allocation::new(len).ok_or(out_of_memory)?;
        let start = allocation.start;
        // SAFETY: for a byte pointer the offset is at most ALIGN - 1, and the allocation has that many bytes more than
        // `len`.
        let base = unsafe { start.add(start.align_offset(ALIGN)) };
        Ok(Self {
            live: LiveSlots::new(),
            closed: AtomicBool::new(false),
            base,
            len,
            held: HeldSlots::default(),
            allocation: Some(allocation),
            guard: Guard::default(),
            end: Arc::default(),
        })
    }

    /// Returns the guard that decides, in debug mode, what happens to the memory after the pool and its slices are
    /// gone.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Returns the address of the first byte, aligned to 64. It must not be accessed if [`len`](Self::len) is 0.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Returns the number of bytes, which is the capacity of the pool.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns true for a pool of capacity 0.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Notes that the pool is gone, so no more slices will come.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.end.reached.store(true, Ordering::SeqCst);
        self.end.notify.notify_waiters();
    }

    /// Returns the length of each slot that the pool holds without a slice. May be called on any thread; the values may
    /// have changed just now.
    pub fn held_lengths(&self) -> impl Iterator<Item = usize> {
        self.held.lengths()
    }

    /// Returns true if the pool is gone. The memory then lives only for the slices that are alive.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Waits until the pool is gone. Does not keep the memory alive.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let end = Arc::clone(&self.end);
        async move {
            // Registered before the check, so that no notification between is missed.
            let notified = end.notify.notified();
            if !end.reached.load(Ordering::SeqCst) {
                notified.await;
            }
        }
    }
}

// SAFETY: a share of the region keeps its memory alive, which has `len` bytes and never moves.
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

/// Zeroed bytes from the system's allocator, [`ALIGN`] − 1 more than needed.
#[derive(Debug)]
struct Allocation {
    start: NonNull<u8>,
    layout: Layout,
}

impl Allocation {
    /// Allocates without an alignment, so that the caller aligns by hand. For an alignment beyond the allocator's own,
    /// the standard library would clear the memory itself and so touch every page.
    fn new(len: usize) -> Option<Self> {
        let layout = Layout::from_size_align(len.checked_add(ALIGN - 1)?, 1).ok()?;
        // SAFETY: the layout has at least ALIGN - 1 bytes, so its size is not 0.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { start, layout })
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: `new` allocated the block with this layout, and this value is its only owner.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// The memory that a region leaves for its guard.
struct RegionMemory {
    base: NonNull<u8>,
    len: usize,
    _allocation: Allocation,
}

// SAFETY: the allocation owns the memory, and any thread may free it.
unsafe impl Send for RegionMemory {}

// SAFETY: the bytes lie in the allocation, which does not move. The region and its slices are gone, so nothing else
// refers to them.
unsafe impl Keep for RegionMemory {
    fn span(&mut self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.base, self.len)
    }
}
