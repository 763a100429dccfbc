//! Signals that make waits ask the crate again.

use tokio::sync::Notify;

/// Capacities that are chunks of slabs, in bytes.
pub(super) const CHUNKS: [usize; 3] = [16 << 10, 64 << 10, 256 << 10];

/// One signal for each chunk size, and a last one for all larger buffers.
#[derive(Debug, Default)]
pub(super) struct Retries([Notify; 4]);

impl Retries {
    pub(super) fn of(&self, size: usize) -> &Notify {
        &self.0[CHUNKS.iter().position(|&chunk| size <= chunk).unwrap_or(CHUNKS.len())]
    }

    pub(super) fn all(&self) {
        for retry in &self.0 {
            retry.notify_waiters();
        }
    }
}
