//! Debug mode: freed memory is kept for a while, so that who still writes to it is caught.
//!
//! [`Guarded`] memory is filled with [`FILL`] when it is dropped, and goes into its [`Quarantine`], which holds what came
//! last. When memory leaves the quarantine it is looked at once more: where it is not as it was left, somebody wrote to it
//! after it was released, for example a read that the system had not yet finished.
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

use std::collections::{TryReserveError, VecDeque};
use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// A first-in, first-out queue of freed memory. It is bounded; what no longer fits is freed.
pub struct Quarantine {
    max_bytes: usize,
    max_entries: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Entry>,
    /// Of what is in the queue.
    bytes: usize,
    disturbances: Vec<Disturbance>,
}

struct Entry {
    memory: Vec<u8>,
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
        self.lock().shrink(0, 0);
    }

    fn admit(&self, mut memory: Vec<u8>, origin: Option<Arc<str>>) {
        if memory.len() > self.max_bytes {
            return;
        }
        memory.fill(FILL);
        let mut state = self.lock();
        state.bytes += memory.len();
        state.queue.push_back(Entry { memory, origin });
        state.shrink(self.max_bytes, self.max_entries);
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
    fn shrink(&mut self, max_bytes: usize, max_entries: usize) {
        while self.bytes > max_bytes || self.queue.len() > max_entries {
            let Some(Entry { memory, origin }) = self.queue.pop_front() else { return };
            self.bytes -= memory.len();
            if let Some(offset) = first_written(&memory) {
                self.disturbances.push(Disturbance { bytes: memory.len(), offset, origin });
            }
        }
    }
}

/// Where the memory is not as it was left.
fn first_written(memory: &[u8]) -> Option<usize> {
    memory.iter().position(|byte| {
        // Volatile, since who writes here does so without anybody's knowledge.
        // SAFETY: a reference to an initialised byte.
        unsafe { std::ptr::read_volatile(byte) != FILL }
    })
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
