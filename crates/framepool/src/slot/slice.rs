//! Slices: bytes that a buffer has handed out, in a slot of a pool or on the heap.
//!
//! Two slices never share bytes.

use std::{ops::Range, slice, sync::Arc};

use crate::memory_budget::Reservation;
use crate::prefetch::prefetch;
use crate::quarantine::{FILL, Guarded, Quarantine};
use crate::shown::{Shown, Sight};

use super::charge::Charge;
use super::error::OutOfMemory;
use super::region::Region;

/// Bytes taken from a buffer. A slice of a pool keeps the pool's memory alive. Dropping it frees its slot, on any
/// thread. There is no `Clone`, because two slices never share bytes.
#[derive(Debug)]
pub struct Slice {
    // Dropped first: a budget has room only after the memory is free.
    bytes: Bytes,
    charge: Charge,
}

#[derive(Debug)]
enum Bytes {
    Held(Held),
    Heap(Shown<Vec<u8>>),
    /// Boxed, so that it does not make slices larger.
    Guarded(Box<GuardedBytes>),
}

#[derive(Debug)]
struct GuardedBytes {
    bytes: Shown<Guarded>,
    /// Only its slot counts. Freed after the bytes.
    held: Option<Held>,
}

/// A range of a region that belongs to one slot, counted from 0, until this is dropped.
#[derive(Debug)]
struct Held {
    region: Arc<Region>,
    slot: usize,
    range: Range<usize>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.region.live.release(self.slot);
    }
}

impl Slice {
    /// Makes a slice of the bytes of `range`, and marks `slot`, counted from 0, alive.
    ///
    /// # Safety
    ///
    /// `range` lies in the region. Until the slice is dropped, nothing else accesses its bytes or uses the slot.
    pub(super) unsafe fn in_region(region: Arc<Region>, slot: usize, range: Range<usize>) -> Self {
        region.live.take(slot);
        Self::new(Bytes::Held(Held { region, slot, range }))
    }

    fn new(bytes: Bytes) -> Self {
        Self { bytes, charge: Charge::default() }
    }

    /// Keeps `reservation` until the slice is dropped, wherever that is, and returns it to its budget then.
    pub fn charge(&mut self, reservation: Reservation) {
        self.charge.add(reservation);
    }

    /// Takes the reservations of the slice out.
    pub(super) fn take_charge(&mut self) -> Charge {
        std::mem::take(&mut self.charge)
    }

    /// Adds reservations that were taken out of a slice.
    pub(super) fn with_charge(mut self, charge: Charge) -> Self {
        debug_assert!(self.charge.is_empty());
        self.charge = charge;
        self
    }

    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        match &self.bytes {
            Bytes::Held(held) => held.range.len(),
            Bytes::Heap(bytes) => bytes.len(),
            Bytes::Guarded(guarded) => guarded.bytes.len(),
        }
    }

    /// Asks the processor to fetch the first bytes, and what the end of the slice will need. A hint for a slice that another thread
    /// has filled and this thread is about to use.
    #[inline]
    pub fn prefetch(&self) {
        if let Bytes::Held(Held { region, range, .. }) = &self.bytes {
            prefetch(region.base().as_ptr().wrapping_add(range.start));
        }
    }

    /// Returns true if the slice has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the slot, in range `1 ..=` [`MAX_SLOTS`](super::MAX_SLOTS), or `None` for a slice on the heap.
    pub fn slot(&self) -> Option<u8> {
        match &self.bytes {
            Bytes::Held(held) => Some(held.slot as u8 + 1),
            Bytes::Heap(_) => None,
            Bytes::Guarded(guarded) => guarded.held.as_ref().map(|held| held.slot as u8 + 1),
        }
    }

    /// Returns where the bytes begin in the pool's region, or `None` for a slice that is on the heap or guarded.
    pub fn offset(&self) -> Option<usize> {
        match &self.bytes {
            Bytes::Held(held) => Some(held.range.start),
            Bytes::Heap(_) | Bytes::Guarded(_) => None,
        }
    }

    /// Makes a guarded slice for debug mode: its bytes go into `quarantine` when it is dropped. The bytes of a pool's
    /// slice move to separate memory; their old place is filled, and the slot stays occupied.
    ///
    /// Returns [`OutOfMemory`], and drops the slice, if the system has no memory for that.
    pub fn guarded(self, quarantine: &Arc<Quarantine>) -> Result<Self, OutOfMemory> {
        let own = match &self.bytes {
            Bytes::Held(_) => reserve(self.len())?,
            _ => Vec::new(),
        };
        Ok(self.guarded_in(own, quarantine))
    }

    /// Makes a guarded slice in `own`, which must have room for the bytes of a pool's slice: see
    /// [`guarded`](Self::guarded).
    pub(super) fn guarded_in(mut self, mut own: Vec<u8>, quarantine: &Arc<Quarantine>) -> Self {
        if let Bytes::Held(_) = &self.bytes {
            let bytes = self.as_mut();
            own.extend_from_slice(bytes);
            bytes.fill(FILL);
        }
        let (bytes, held) = match self.bytes {
            Bytes::Held(held) => (Shown::new(own), Some(held)),
            Bytes::Heap(bytes) => (bytes, None),
            bytes @ Bytes::Guarded(_) => return Self { bytes, charge: self.charge },
        };
        let bytes = bytes.map(|bytes| Guarded::new(bytes, quarantine));
        Self { bytes: Bytes::Guarded(Box::new(GuardedBytes { bytes, held })), charge: self.charge }
    }

    /// Notes where the slice was acquired, if it is guarded: see [`Guarded::set_origin`].
    pub fn set_origin(&mut self, origin: Arc<str>) {
        if let Bytes::Guarded(guarded) = &mut self.bytes {
            guarded.bytes.owner_mut().set_origin(origin);
        }
    }
}

/// Returns an empty vector with room for `bytes` bytes.
pub(super) fn reserve(bytes: usize) -> Result<Vec<u8>, OutOfMemory> {
    let mut own = Vec::new();
    own.try_reserve_exact(bytes).map_err(|_| OutOfMemory { bytes })?;
    Ok(own)
}

impl Slice {
    /// Returns the memory of its pool, or `None` for a slice that is on the heap or guarded.
    pub fn region(&self) -> Option<&Arc<Region>> {
        match &self.bytes {
            Bytes::Held(held) => Some(&held.region),
            Bytes::Heap(_) | Bytes::Guarded(_) => None,
        }
    }

    /// Returns the right to show memory that belongs to the slice, or `None` for a slice in the memory of its pool.
    pub fn sight(&mut self) -> Option<Sight<'_>> {
        match &mut self.bytes {
            Bytes::Held(_) => None,
            Bytes::Heap(bytes) => Some(bytes.sight()),
            Bytes::Guarded(guarded) => Some(guarded.bytes.sight()),
        }
    }

    /// Ends every sight of memory that belongs to the slice: see [`Shown::conceal`].
    pub fn conceal(&mut self) -> bool {
        match &mut self.bytes {
            Bytes::Held(_) => true,
            Bytes::Heap(bytes) => bytes.conceal(),
            Bytes::Guarded(guarded) => guarded.bytes.conceal(),
        }
    }

    /// Drops the slice without ending the sights of its memory: see [`Shown::abandon`].
    pub fn abandon(self) {
        match self.bytes {
            Bytes::Held(_) => {}
            Bytes::Heap(bytes) => bytes.abandon(),
            Bytes::Guarded(guarded) => guarded.bytes.abandon(),
        }
    }

    /// Returns true if the slice has a slot of the pool whose memory is `region`.
    pub fn is_of(&self, region: &Region) -> bool {
        let held = match &self.bytes {
            Bytes::Held(held) => Some(held),
            Bytes::Heap(_) => None,
            Bytes::Guarded(guarded) => guarded.held.as_ref(),
        };
        held.is_some_and(|held| std::ptr::eq(&raw const *held.region, region))
    }

    /// Returns the slot, counted from 0, that the slice has in `region`.
    pub(super) fn slot_in(&self, region: &Arc<Region>) -> Option<usize> {
        match &self.bytes {
            Bytes::Held(held) if Arc::ptr_eq(&held.region, region) => Some(held.slot),
            _ => None,
        }
    }
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        match &self.bytes {
            // SAFETY: by the promise of `in_region` the range lies in the region and nothing else accesses its bytes.
            // The slice keeps the region alive. All bytes of the region are initialized.
            Bytes::Held(held) => unsafe {
                slice::from_raw_parts(held.region.base().add(held.range.start).as_ptr(), held.range.len())
            },
            Bytes::Heap(bytes) => bytes,
            Bytes::Guarded(guarded) => &guarded.bytes,
        }
    }
}

impl AsMut<[u8]> for Slice {
    fn as_mut(&mut self) -> &mut [u8] {
        match &mut self.bytes {
            // SAFETY: as in `as_ref`; `&mut self` makes this the only reference.
            Bytes::Held(held) => unsafe {
                slice::from_raw_parts_mut(held.region.base().add(held.range.start).as_ptr(), held.range.len())
            },
            Bytes::Heap(bytes) => bytes.access(),
            Bytes::Guarded(guarded) => guarded.bytes.access(),
        }
    }
}

/// Makes a slice on the heap that owns `bytes`.
impl From<Vec<u8>> for Slice {
    fn from(bytes: Vec<u8>) -> Self {
        Shown::new(bytes).into()
    }
}

/// Makes a slice on the heap that owns `bytes`, which may have been shown.
impl From<Shown<Vec<u8>>> for Slice {
    fn from(bytes: Shown<Vec<u8>>) -> Self {
        Self::new(Bytes::Heap(bytes))
    }
}

/// Passes on the bytes of a heap slice without a copy, unless they were shown. Copies the bytes of any other slice and
/// frees its slot.
impl From<Slice> for Vec<u8> {
    fn from(mut slice: Slice) -> Self {
        match &mut slice.bytes {
            Bytes::Heap(bytes) => match bytes.unseen() {
                Some(bytes) => std::mem::take(bytes),
                None => bytes.to_vec(),
            },
            Bytes::Held(_) | Bytes::Guarded(_) => slice.as_ref().to_vec(),
        }
    }
}

/// Copies as for `Vec<u8>`, because the crate's slice cannot refer to our memory.
impl From<Slice> for buffer_sv2::Slice {
    fn from(slice: Slice) -> Self {
        Vec::from(slice).into()
    }
}
