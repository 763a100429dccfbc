//! Waiting for a buffer.
//!
//! The crate queues waits and hands what is freed to them. Four cases it leaves waiting until something else happens, if
//! it does; here they are helped:
//!
//! - A growth fails while others wait because its 64 MiB counted towards the limit: all ask again.
//! - Small buffers wait for a whole MiB to make a slab of, beside free chunks: the first asks again at each release of
//!   its size, and after each of its size that was served.
//! - A small buffer that is allocated while others wait brings more chunks into its thread's cache, where they keep their
//!   slabs from going back: whenever a small one came or went, the caches are emptied.
//! - A wait for which memory was set aside ends: that memory is noticed at the next allocation and handed on at the next
//!   release, so one of each is made.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
};

use tokio::sync::Notify;

use super::{
    BLOCK_SIZE, Buffer, Error,
    block::without_growth,
    growth::Growth,
    pool::{Failure, Shared, check_size},
};

/// Capacities that are chunks of slabs, in bytes.
const CHUNKS: [usize; 3] = [16 << 10, 64 << 10, 256 << 10];

/// What makes waits ask again: one for each chunk size, the last for all larger buffers.
#[derive(Debug, Default)]
pub(super) struct Retries([Notify; 4]);

impl Retries {
    fn of(&self, size: usize) -> &Notify {
        &self.0[CHUNKS.iter().position(|&chunk| size <= chunk).unwrap_or(CHUNKS.len())]
    }

    pub(super) fn all(&self) {
        for retry in &self.0 {
            retry.notify_waiters();
        }
    }
}

impl Shared {
    /// A buffer of this size came or went. A wait that is not counted yet finds what there is by itself.
    pub(super) fn help_beside_chunk(&self, size: usize) {
        if size > CHUNKS[2] || self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        self.retries.of(size).notify_one();
        // Below the limit nobody waits for memory, only for a growth.
        if self.crates.allocated_memory() == self.crates.max_memory() {
            // Where no block is free, this empties the caches, and fails.
            self.allocate_and_drop(BLOCK_SIZE);
        }
    }

    fn allocate_and_drop(&self, size: usize) {
        drop(self.judge(without_growth(|| self.crates.allocate(size))));
    }
}

/// One wait, counted in its pool.
struct Waiting {
    pool: Arc<Shared>,
    size: usize,
    served: bool,
}

impl Waiting {
    fn new(pool: Arc<Shared>, size: usize) -> Self {
        pool.waiting.fetch_add(1, Ordering::SeqCst);
        Self { pool, size, served: false }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pool.leave(&self.pool.waiting);
        if self.served {
            self.pool.help_beside_chunk(self.size);
        } else if self.pool.waiting.load(Ordering::SeqCst) > 0 {
            self.pool.allocate_and_drop(1 << 20);
        }
    }
}

/// A buffer of `size` bytes, as soon as there is one. Never grows on the thread that polls.
pub(super) async fn allocate(pool: Arc<Shared>, size: usize) -> Result<Buffer, Error> {
    check_size(size)?;
    let mut waiting = Waiting::new(pool, size);
    let pool = Arc::clone(&waiting.pool);
    loop {
        // Made before the crate is asked, so that nothing is missed in between.
        let mut retry = pin!(pool.retries.of(size).notified());
        pool.check_open()?;
        let outcome = {
            let mut granted = pin!(pool.crates.async_allocate(size));
            poll_fn(|context| {
                loop {
                    if let Poll::Ready(granted) = without_growth(|| granted.as_mut().poll(context)) {
                        return Poll::Ready(Some(granted));
                    }
                    if !pool.empty_quarantine() {
                        break;
                    }
                }
                retry.as_mut().poll(context).map(|()| None)
            })
            .await
        };
        let Some(granted) = outcome else { continue };
        let granted = match pool.judge(granted) {
            Err(Failure::Refused) => {
                let grown = Growth::allocate(&pool, size).map_err(Error::System)?;
                grown.await.expect("the thread answers, or it panicked")
            }
            other => other,
        };
        match granted {
            Ok(buffer) => {
                waiting.served = true;
                return Buffer::new(buffer, &pool);
            }
            // Others took what was there: then wait for it.
            Err(Failure::Refused | Failure::Error(Error::Limit { .. })) => {}
            Err(Failure::Error(_)) if pool.empty_quarantine() => {}
            Err(Failure::Error(error)) => return Err(error),
        }
    }
}
