//! Memory of buffers that were released, in quarantine.

use std::mem;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crate::quarantine::Keep;

use super::shared::Shared;

/// Keeps memory that a buffer leaves from being used again at once, if that is wanted and nobody needs it.
pub(super) fn keep_back(pool: &Arc<Shared>, bytes: &mut ruapc_bufpool::Buffer, origin: Option<Arc<str>>) {
    let Some(quarantine) = &pool.quarantine else { return };
    let bytes = mem::replace(bytes, ruapc_bufpool::Buffer::empty(&pool.backing));
    quarantine.admit(Retired::new(bytes, pool), origin);
    // Who waits, and who closes the pool, says so before it empties the quarantine: so either it finds this, or we find
    // it.
    if pool.waiting.load(Ordering::SeqCst) > 0 || pool.check_open().is_err() {
        pool.empty_quarantine();
    }
}

/// What was a buffer's. Dropped, it is free, and the pool hears of it.
struct Retired {
    // The order matters: as in `Buffer`.
    bytes: ruapc_bufpool::Buffer,
    notice: Notice,
}

/// Does not keep the pool, which keeps the quarantine.
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

// SAFETY: the crate's buffer has its memory, which does not move, to itself until it is dropped.
unsafe impl Keep for Retired {
    fn span(&mut self) -> NonNull<[u8]> {
        NonNull::from(self.bytes.as_mut_slice())
    }

    fn pool(&self) -> Option<usize> {
        Some(self.notice.pool.as_ptr().addr())
    }
}
