//! Debug mode: freed memory is kept for a while, so that late writes to it are found.
//!
//! A [`Quarantine`] fills memory with [`FILL`] when it is dropped, keeps the memory that came last, and looks at it
//! once more before it frees it. If a byte differs, something wrote there after the release, for example a read that
//! the system had not finished. [`Guarded`] memory goes into quarantine, as does the memory of rings and slot pools
//! that have a [`Guard`], and of guarded budget and buddy pools.
//!
//! ```
//! use framepool::quarantine::{Guarded, Quarantine};
//!
//! let quarantine = Quarantine::new(1 << 20, 100);
//! let mut memory = Guarded::copy_of(b"hello", &quarantine)?;
//! let stale = memory.as_mut_ptr();
//! drop(memory);
//! // SAFETY: memory in quarantine is not freed.
//! unsafe { stale.add(3).write(b'!') };
//! quarantine.clear();
//! assert_eq!(quarantine.take_disturbances()[0].offset, 3);
//! # Ok::<(), std::collections::TryReserveError>(())
//! ```

use std::collections::{BTreeMap, TryReserveError};
use std::fmt;
use std::mem;
use std::ops::Bound;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::shown::{InPlace, Memory};

/// The byte that released memory is filled with.
pub const FILL: u8 = 0xDB;

/// A report of memory that was written to while it was in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disturbance {
    /// Length of the memory, in bytes.
    pub bytes: usize,
    /// Offset of the first byte that was written.
    pub offset: usize,
    /// Place at which the memory was acquired: see [`Guarded::set_origin`].
    pub origin: Option<Arc<str>>,
}

/// An owner of memory that can be kept in quarantine. Dropping it frees the memory or returns it to its pool.
///
/// # Safety
///
/// The memory that [`span`](Self::span) returns stays in place, and valid for reads and writes, until the owner is
/// dropped, even if the owner is moved. While the owner is in quarantine, nothing else refers to the memory.
pub unsafe trait Keep: Send + 'static {
    /// Returns the memory.
    fn span(&mut self) -> NonNull<[u8]>;

    /// Returns the identity of the pool that may need the memory back early: see [`Quarantine::give_back`].
    fn pool(&self) -> Option<usize> {
        None
    }
}

// SAFETY: moving a vector neither moves nor frees its memory, and this value is its only owner.
unsafe impl Keep for Vec<u8> {
    fn span(&mut self) -> NonNull<[u8]> {
        NonNull::from(self.as_mut_slice())
    }
}

/// A bounded queue of freed memory, first in, first out. Memory that no longer fits is freed.
pub struct Quarantine {
    max_bytes: usize,
    max_entries: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Entries by number, in the order in which they came. A map, because a queue in one piece would have to grow where
    /// memory is freed.
    queue: BTreeMap<u64, Entry>,
    /// The number of the next entry.
    next: u64,
    /// Total size of the entries, in bytes.
    bytes: usize,
    disturbances: Vec<Disturbance>,
}

struct Entry {
    memory: Box<dyn Keep>,
    bytes: usize,
    origin: Option<Arc<str>>,
}

impl Quarantine {
    /// Makes a quarantine for at most `max_bytes` bytes in at most `max_entries` pieces. A larger piece of memory is
    /// freed at once.
    pub fn new(max_bytes: usize, max_entries: usize) -> Arc<Self> {
        Arc::new(Self { max_bytes, max_entries, state: Mutex::default() })
    }

    /// Returns the number of bytes in quarantine.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Returns the disturbances that were found since the last call.
    pub fn take_disturbances(&self) -> Vec<Disturbance> {
        mem::take(&mut self.lock().disturbances)
    }

    /// Checks and frees everything.
    pub fn clear(&self) {
        self.shrink(0, 0);
    }

    /// Checks and frees the memory that [belongs to `pool`](Keep::pool). Returns false if there was none.
    pub fn give_back(&self, pool: usize) -> bool {
        let (mut found, mut after) = (false, Bound::Unbounded);
        while let Some((number, entry)) = self.take_after(after, pool) {
            self.free(entry);
            (found, after) = (true, Bound::Excluded(number));
        }
        found
    }

    /// Removes the first entry of `pool` whose number lies behind `after`.
    fn take_after(&self, after: Bound<u64>, pool: usize) -> Option<(u64, Entry)> {
        let mut state = self.lock();
        let mut behind = state.queue.range((after, Bound::Unbounded));
        let number = *behind.find(|(_, entry)| entry.memory.pool() == Some(pool))?.0;
        state.take(number).map(|entry| (number, entry))
    }

    /// Fills the memory and keeps it. `origin` tells where the memory was acquired, for the report of a
    /// [`Disturbance`].
    pub fn admit(&self, mut memory: impl Keep, origin: Option<Arc<str>>) {
        let span = memory.span();
        if span.len() > self.max_bytes {
            return;
        }
        // SAFETY: by the contract of `Keep` the span is valid for writes, and nothing else refers to it.
        unsafe { span.cast::<u8>().write_bytes(FILL, span.len()) };
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.bytes += span.len();
        state.queue.insert(number, Entry { memory: Box::new(memory), bytes: span.len(), origin });
        drop(state);
        self.shrink(self.max_bytes, self.max_entries);
    }

    /// Checks and frees the oldest memory until at most `max_bytes` in `max_entries` pieces are left.
    fn shrink(&self, max_bytes: usize, max_entries: usize) {
        loop {
            let Some(entry) = self.lock().beyond(max_bytes, max_entries) else { return };
            self.free(entry);
        }
    }

    /// Checks and frees an entry. The state must not be locked: returning memory to a pool may wake its waiters.
    fn free(&self, mut entry: Entry) {
        if let Some(offset) = first_written(entry.memory.span()) {
            let disturbances = &mut self.lock().disturbances;
            // Without memory for another report, the earlier ones must do.
            if disturbances.try_reserve(1).is_ok() {
                disturbances.push(Disturbance { bytes: entry.bytes, offset, origin: entry.origin });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quarantine").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

impl State {
    /// Removes the oldest entry if there are more than `max_bytes` bytes or `max_entries` entries.
    fn beyond(&mut self, max_bytes: usize, max_entries: usize) -> Option<Entry> {
        if self.bytes <= max_bytes && self.queue.len() <= max_entries {
            return None;
        }
        let first = *self.queue.first_key_value()?.0;
        self.take(first)
    }

    fn take(&mut self, number: u64) -> Option<Entry> {
        let entry = self.queue.remove(&number)?;
        self.bytes -= entry.bytes;
        Some(entry)
    }
}

/// Returns the offset of the first byte that is not [`FILL`].
fn first_written(memory: NonNull<[u8]>) -> Option<usize> {
    (0..memory.len()).find(|&at| {
        // SAFETY: memory in quarantine is valid for reads. The read is volatile, because a late write comes from code
        // that the compiler does not know of.
        unsafe { memory.cast::<u8>().add(at).read_volatile() != FILL }
    })
}

/// Decides what happens to memory when its last owner is dropped. At first the memory is simply freed. Quarantine and
/// origin can be set once each, from any thread.
#[derive(Debug, Default)]
pub struct Guard {
    quarantine: OnceLock<Arc<Quarantine>>,
    origin: OnceLock<Arc<str>>,
}

impl Guard {
    /// Lets the memory go into `quarantine`. Only the first call counts.
    pub fn set(&self, quarantine: &Arc<Quarantine>) {
        let _ = self.quarantine.set(Arc::clone(quarantine));
    }

    /// Notes where the memory was acquired, for the report of a [`Disturbance`]. Only the first call counts.
    pub fn set_origin(&self, origin: Arc<str>) {
        let _ = self.origin.set(origin);
    }

    /// Adopts the quarantine and the origin of `other`.
    pub(crate) fn follow(&self, other: &Self) {
        if let Some(quarantine) = other.quarantine.get() {
            self.set(quarantine);
        }
        if let Some(origin) = other.origin.get() {
            self.set_origin(Arc::clone(origin));
        }
    }

    /// Takes memory whose last user is gone: keeps it in quarantine, or drops it.
    pub(crate) fn leave(&self, memory: impl Keep) {
        if let Some(quarantine) = self.quarantine.get() {
            quarantine.admit(memory, self.origin.get().cloned());
        }
    }
}

/// Memory that goes into quarantine when it is dropped.
#[derive(Debug)]
pub struct Guarded {
    memory: Vec<u8>,
    quarantine: Arc<Quarantine>,
    origin: Option<Arc<str>>,
}

impl Guarded {
    /// Takes over `memory`. The bytes stay where they are, now and in quarantine.
    pub fn new(memory: Vec<u8>, quarantine: &Arc<Quarantine>) -> Self {
        Self { memory, quarantine: Arc::clone(quarantine), origin: None }
    }

    /// Makes new memory with a copy of `bytes`.
    pub fn copy_of(bytes: &[u8], quarantine: &Arc<Quarantine>) -> Result<Self, TryReserveError> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(bytes.len())?;
        memory.extend_from_slice(bytes);
        Ok(Self::new(memory, quarantine))
    }

    /// Makes new memory of `length` bytes that are all `byte`.
    pub fn filled(byte: u8, length: usize, quarantine: &Arc<Quarantine>) -> Result<Self, TryReserveError> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(length)?;
        memory.resize(length, byte);
        Ok(Self::new(memory, quarantine))
    }

    /// Returns the address of the first byte. The memory neither moves nor is freed before it leaves the quarantine.
    pub fn base(&self) -> NonNull<u8> {
        NonNull::new(self.memory.as_ptr().cast_mut()).expect("a vector's pointer is not null")
    }

    /// Notes where the memory was acquired, for the report of a [`Disturbance`].
    pub fn set_origin(&mut self, origin: Arc<str>) {
        self.origin = Some(origin);
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.quarantine.admit(mem::take(&mut self.memory), self.origin.take());
    }
}

// SAFETY: the vector keeps its memory in place until it is dropped. Dropping `Guarded` passes the vector on without
// moving the bytes.
unsafe impl Memory for Guarded {
    fn span(&self) -> NonNull<[u8]> {
        self.memory.span()
    }
}

// SAFETY: a slice can neither move nor free the bytes.
unsafe impl InPlace for Guarded {
    type Access = [u8];

    fn access(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}

impl Deref for Guarded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}
