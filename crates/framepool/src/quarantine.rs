//! Debug mode: freed memory is kept for a while, so that who still writes to it is caught.
//!
//! [`Guarded`] memory is filled with [`FILL`] when it is dropped, and goes into its [`Quarantine`], which holds what came
//! last; so does the memory of rings and slot pools that have a [`Guard`], and of guarded budget and buddy pools. When memory
//! leaves the quarantine it is looked at once more: where it is not as it was left, somebody wrote to it after it was
//! released, for example a read that the system had not yet finished.
//!
//! ```
//! use framepool::quarantine::{Guarded, Quarantine};
//!
//! let quarantine = Quarantine::new(1 << 20, 100);
//! let mut memory = Guarded::copy_of(b"hello", &quarantine)?;
//! let stale = memory.as_mut_ptr();
//! drop(memory);
//! // SAFETY: what is in quarantine is not freed.
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

/// What released memory is filled with.
pub const FILL: u8 = 0xDB;

/// Memory in quarantine that was written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disturbance {
    /// How many bytes the memory has.
    pub bytes: usize,
    /// The first byte that was written.
    pub offset: usize,
    /// Who had acquired it: see [`Guarded::set_origin`].
    pub origin: Option<Arc<str>>,
}

/// Memory that can be kept in quarantine: its owner, which frees it or gives it back when it is dropped.
///
/// # Safety
/// What [`span`](Self::span) gives stays where it is, and valid for reads and writes, until the owner is dropped, wherever that is
/// moved. Once it is in quarantine nothing refers to it but the quarantine.
pub unsafe trait Keep: Send + 'static {
    /// The memory.
    fn span(&mut self) -> NonNull<[u8]>;

    /// What may need the memory back before its time: see [`Quarantine::give_back`].
    fn pool(&self) -> Option<usize> {
        None
    }
}

// SAFETY: a vector does not move or free its memory when it is moved itself, and what owns it has no reference to it.
unsafe impl Keep for Vec<u8> {
    fn span(&mut self) -> NonNull<[u8]> {
        NonNull::from(self.as_mut_slice())
    }
}

/// A first-in, first-out queue of freed memory. It is bounded; what no longer fits is freed.
pub struct Quarantine {
    max_bytes: usize,
    max_entries: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By number, in the order in which they came. Not a queue in one piece, which would have to grow where memory is freed.
    queue: BTreeMap<u64, Entry>,
    /// The number of the next entry.
    next: u64,
    /// The size of what is in the queue.
    bytes: usize,
    disturbances: Vec<Disturbance>,
}

struct Entry {
    memory: Box<dyn Keep>,
    bytes: usize,
    origin: Option<Arc<str>>,
}

impl Quarantine {
    /// Keeps at most `max_bytes` bytes and `max_entries` pieces of memory. Memory that is larger is freed at once.
    pub fn new(max_bytes: usize, max_entries: usize) -> Arc<Self> {
        Arc::new(Self { max_bytes, max_entries, state: Mutex::default() })
    }

    /// How many bytes are in quarantine.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// What was found since this was last called.
    pub fn take_disturbances(&self) -> Vec<Disturbance> {
        mem::take(&mut self.lock().disturbances)
    }

    /// Frees everything, after a last look at it.
    pub fn clear(&self) {
        self.shrink(0, 0);
    }

    /// Frees what [belongs to `pool`](Keep::pool), after a last look at it; false if there was nothing.
    pub fn give_back(&self, pool: usize) -> bool {
        let (mut found, mut after) = (false, Bound::Unbounded);
        while let Some((number, entry)) = self.take_after(after, pool) {
            self.free(entry);
            (found, after) = (true, Bound::Excluded(number));
        }
        found
    }

    /// The first entry of `pool` behind a number.
    fn take_after(&self, after: Bound<u64>, pool: usize) -> Option<(u64, Entry)> {
        let mut state = self.lock();
        let mut behind = state.queue.range((after, Bound::Unbounded));
        let number = *behind.find(|(_, entry)| entry.memory.pool() == Some(pool))?.0;
        state.take(number).map(|entry| (number, entry))
    }

    /// Fills the memory and keeps it. `origin`: who had acquired it, for the report of a [`Disturbance`].
    pub fn admit(&self, mut memory: impl Keep, origin: Option<Arc<str>>) {
        let span = memory.span();
        if span.len() > self.max_bytes {
            return;
        }
        // SAFETY: the span is valid for writes, and nothing else refers to it.
        unsafe { span.cast::<u8>().write_bytes(FILL, span.len()) };
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.bytes += span.len();
        state.queue.insert(number, Entry { memory: Box::new(memory), bytes: span.len(), origin });
        drop(state);
        self.shrink(self.max_bytes, self.max_entries);
    }

    /// Frees what came first, until the rest is no more than that.
    fn shrink(&self, max_bytes: usize, max_entries: usize) {
        loop {
            let Some(entry) = self.lock().beyond(max_bytes, max_entries) else { return };
            self.free(entry);
        }
    }

    /// Not while the state is locked: to whom the memory goes back may have to be woken.
    fn free(&self, mut entry: Entry) {
        if let Some(offset) = first_written(entry.memory.span()) {
            let disturbances = &mut self.lock().disturbances;
            // Without memory for more of them, those that are there must do.
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
    /// What came first, if the rest is not yet no more than that.
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

/// Where the memory is not as it was left.
fn first_written(memory: NonNull<[u8]>) -> Option<usize> {
    (0..memory.len()).find(|&at| {
        // Volatile, since who writes here does so without anybody's knowledge.
        // SAFETY: the memory in quarantine is valid for reads.
        unsafe { memory.cast::<u8>().add(at).read_volatile() != FILL }
    })
}

/// Where memory goes when its last owner is dropped, and who acquired it. At first it is simply freed. Can be set once each,
/// from any thread.
#[derive(Debug, Default)]
pub struct Guard {
    quarantine: OnceLock<Arc<Quarantine>>,
    origin: OnceLock<Arc<str>>,
}

impl Guard {
    /// The memory goes into `quarantine`.
    pub fn set(&self, quarantine: &Arc<Quarantine>) {
        let _ = self.quarantine.set(Arc::clone(quarantine));
    }

    /// Says who acquired the memory, for the report of a [`Disturbance`]. The first counts.
    pub fn set_origin(&self, origin: Arc<str>) {
        let _ = self.origin.set(origin);
    }

    /// What `other` says holds for this memory, too.
    pub(crate) fn follow(&self, other: &Self) {
        if let Some(quarantine) = other.quarantine.get() {
            self.set(quarantine);
        }
        if let Some(origin) = other.origin.get() {
            self.set_origin(Arc::clone(origin));
        }
    }

    /// The memory's owner is not needed any more.
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
    /// Takes memory over. It stays where it is, now and in quarantine.
    pub fn new(memory: Vec<u8>, quarantine: &Arc<Quarantine>) -> Self {
        Self { memory, quarantine: Arc::clone(quarantine), origin: None }
    }

    /// New memory with these bytes.
    pub fn copy_of(bytes: &[u8], quarantine: &Arc<Quarantine>) -> Result<Self, TryReserveError> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(bytes.len())?;
        memory.extend_from_slice(bytes);
        Ok(Self::new(memory, quarantine))
    }

    /// New memory of `length` bytes, all of them `byte`.
    pub fn filled(byte: u8, length: usize, quarantine: &Arc<Quarantine>) -> Result<Self, TryReserveError> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(length)?;
        memory.resize(length, byte);
        Ok(Self::new(memory, quarantine))
    }

    /// The first byte. It neither moves nor is freed before the memory leaves its quarantine.
    pub fn base(&self) -> NonNull<u8> {
        NonNull::new(self.memory.as_ptr().cast_mut()).expect("a vector's pointer is not null")
    }

    /// Says who acquired the memory, for the report of a [`Disturbance`].
    pub fn set_origin(&mut self, origin: Arc<str>) {
        self.origin = Some(origin);
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.quarantine.admit(mem::take(&mut self.memory), self.origin.take());
    }
}

// SAFETY: as for the vector in it. Its drop fills the memory and hands it on where it is.
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
