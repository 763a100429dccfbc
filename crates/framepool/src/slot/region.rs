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

use super::{OutOfMemory, held::HeldSlots, live::LiveSlots};

/// Alignment of a region's first byte: a cache line.
const ALIGN: usize = 64;

/// The memory of one pool. Shared by the pool and its slices, and given back with the last of them.
#[derive(Debug)]
pub struct Region {
    allocation: NonNull<u8>,
    base: NonNull<u8>,
    len: usize,
    pub(super) live: LiveSlots,
    pub(super) held: HeldSlots,
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
        let layout = Self::layout(len).ok_or(out_of_memory)?;
        // SAFETY: the layout is at least ALIGN - 1 bytes, never 0.
        let allocation = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(out_of_memory)?;
        // SAFETY: for a byte pointer this is at most ALIGN - 1, which the layout has in excess of `len`.
        let base = unsafe { allocation.add(allocation.align_offset(ALIGN)) };
        Ok(Self { allocation, base, len, live: LiveSlots::new(), held: HeldSlots::default(), end: Arc::default() })
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

impl Drop for Region {
    fn drop(&mut self) {
        let layout = Self::layout(self.len).expect("it was legal when the region was made");
        // SAFETY: allocated in `new` with this layout, and the last owner is gone.
        unsafe { dealloc(self.allocation.as_ptr(), layout) }
    }
}
