//! Waiting for a buffer.
//!
//! The crate queues waits and hands what is freed to them. Three cases it leaves waiting until the next release, if there
//! is one; here they are asked again:
//!
//! - A growth fails while others wait because its 64 MiB counted towards the limit: all ask again.
//! - Small buffers wait for a whole MiB to make a slab of, beside free chunks: the first asks again at each release of
//!   its size, and after each of its size that was served.
//! - A wait for which memory was set aside ends: that memory is noticed at the next allocation or release, so one of
//!   each is made.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use tokio::sync::Notify;

use super::{
    Buffer, Error,
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

    /// A buffer went back. `waiting` is read after that: a wait that is not yet counted finds the buffer by itself.
    pub(super) fn after_release(&self, capacity: usize, waiting: &AtomicUsize) {
        if capacity <= CHUNKS[2] && waiting.load(Ordering::SeqCst) > 0 {
            self.of(capacity).notify_one();
        }
    }

    pub(super) fn all(&self) {
        for retry in &self.0 {
            retry.notify_waiters();
        }
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
            self.pool.retries.after_release(self.size, &self.pool.waiting);
        } else if self.pool.waiting.load(Ordering::SeqCst) > 0 {
            drop(self.pool.judge(without_growth(|| self.pool.crates.allocate(1 << 20))));
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
                if let Poll::Ready(granted) = without_growth(|| granted.as_mut().poll(context)) {
                    return Poll::Ready(Some(granted));
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
            Err(Failure::Error(error)) => return Err(error),
        }
    }
}
