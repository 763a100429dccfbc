//! Memory of released buffers in quarantine.
//!
//! It goes back to the pool as soon as anything needs it.

use std::mem;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crate::quarantine::Keep;

use super::shared::Shared;

/// Keeps the memory of a released buffer in quarantine, if the pool has one and nothing needs the memory.
pub(super) fn keep_back(pool: &Arc<Shared>, bytes: &mut ruapc_bufpool::Buffer, origin: Option<Arc<str>>) {
    let Some(quarantine) = &pool.quarantine else { return };
    let bytes = mem::replace(bytes, ruapc_bufpool::Buffer::empty(&pool.backing));
    quarantine.admit(Retired::new(bytes, pool), origin);
    // Waits and `close` announce themselves before they empty the quarantine. So either they find this memory, or they
    // are seen here.
    if pool.waiting.load(Ordering::SeqCst) > 0 || pool.check_open().is_err() {
        pool.empty_quarantine();
    }
}

/// The memory of a released buffer. Dropping it frees the memory and tells the pool.
struct Retired {
    // Dropped first, as in `Buffer`.
    bytes: ruapc_bufpool::Buffer,
    notice: Notice,
}

/// Tells the pool. Holds no share of the pool, because the pool holds the quarantine.
struct Notice {
    pool: Weak<Shared>,
    capacity: usize,
}

impl Retired {
    fn new(bytes: ruapc_bufpool::Buffer, pool: &Arc<Shared>) -> Self {
        let notice = Notice { pool: Arc::downgrade(pool), capacity: bytes.capacity() };
        Self { bytes, notice }
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.help_beside_chunk(self.capacity);
        }
    }
}

// SAFETY: the crate's buffer has its memory to itself until it is dropped, and the memory does not move.
unsafe impl Keep for Retired {
    fn span(&mut self) -> NonNull<[u8]> {
        NonNull::from(self.bytes.as_mut_slice())
    }

    fn pool(&self) -> Option<usize> {
        Some(self.notice.pool.as_ptr().addr())
    }
}
