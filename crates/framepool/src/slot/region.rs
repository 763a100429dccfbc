//! The preallocated memory of a pool, and which of its slots are alive.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ptr::NonNull,
    sync::atomic::{AtomicU8, AtomicUsize, Ordering},
};

use super::{OutOfMemory, SLOTS};

/// Alignment of a region's first byte: a cache line.
const ALIGN: usize = 64;

/// The memory of one pool. Shared by the pool and its slices, and given back with the last of them.
#[derive(Debug)]
pub struct Region {
    allocation: NonNull<u8>,
    base: NonNull<u8>,
    len: usize,
    /// Bit *i*: a slice in slot *i* + 1 is alive.
    live: AtomicU8,
    /// What the pool holds without slices, and how many bytes each slot has: for those who look on from other threads.
    held: AtomicU8,
    lengths: [AtomicUsize; SLOTS],
}

// SAFETY: the memory belongs to the region alone, whichever thread drops it. Shared access hands out a pointer and an
// atomic; who may use which bytes is decided by the pool, which gives each range to one slice.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// `len` zeroed bytes. Pages that are never touched cost no memory where the system maps lazily.
    pub(super) fn new(len: usize) -> Result<Self, OutOfMemory> {
        let out_of_memory = OutOfMemory { bytes: len };
        let layout = Self::layout(len).ok_or(out_of_memory)?;
        // SAFETY: the layout is at least ALIGN - 1 bytes, never 0.
        let allocation = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(out_of_memory)?;
        // SAFETY: for a byte pointer this is at most ALIGN - 1, which the layout has in excess of `len`.
        let base = unsafe { allocation.add(allocation.align_offset(ALIGN)) };
        Ok(Self { allocation, base, len, live: AtomicU8::new(0), held: AtomicU8::new(0), lengths: Default::default() })
    }

    /// Aligned by hand: asked for an alignment beyond the allocator's own, the standard library clears the memory
    /// itself, which touches every page.
    fn layout(len: usize) -> Option<Layout> {
        Layout::from_size_align(len.checked_add(ALIGN - 1)?, 1).ok()
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

    /// Acquire: whoever sees a slot free also sees the last access to its bytes as done.
    pub(super) fn live(&self) -> u8 {
        self.live.load(Ordering::Acquire)
    }

    /// The bytes of each slot that the pool holds without a slice, as the pool last knew: from any thread, which may find a
    /// slot that has just been taken or given back either way, or with its former length.
    pub fn held_lengths(&self) -> impl Iterator<Item = usize> {
        let held = self.held.load(Ordering::Relaxed);
        let held_slots = (0..SLOTS).filter(move |slot| held & (1 << slot) != 0);
        held_slots.map(|slot| self.lengths[slot].load(Ordering::Relaxed))
    }

    /// A slot (counted from 0) is held, and with it those of `held`.
    pub(super) fn show_held(&self, slot: usize, len: usize, held: u8) {
        self.lengths[slot].store(len, Ordering::Relaxed);
        self.show_free(held);
    }

    /// No slots are held but those of `held`.
    pub(super) fn show_free(&self, held: u8) {
        self.held.store(held, Ordering::Relaxed);
    }

    /// Marks a slot (counted from 0) alive. Only the pool takes slots, so nothing is ordered by this.
    pub(super) fn take(&self, slot: usize) {
        self.live.fetch_or(1 << slot, Ordering::Relaxed);
    }

    /// Marks a slot (counted from 0) free. Release: see [`live`](Self::live).
    pub(super) fn release(&self, slot: usize) {
        self.live.fetch_and(!(1 << slot), Ordering::Release);
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let layout = Self::layout(self.len).expect("it was legal when the region was made");
        // SAFETY: allocated in `new` with this layout, and the last owner is gone.
        unsafe { dealloc(self.allocation.as_ptr(), layout) }
    }
}
