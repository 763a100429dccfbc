//! Waiting for a buffer.
//!
//! The crate queues waits and passes freed memory to them. In four cases it leaves a wait until something else happens,
//! which may be never. This module helps:
//!
//! - A growth fails while others wait because its 64 MiB counted towards the limit. All of them ask again.
//! - Small buffers wait for a whole MiB for a slab, beside free chunks. The first asks again at each release of its
//!   size, and after each wait for its size that was served.
//! - A small buffer that is allocated while others wait fills its thread's cache with more chunks, which keep their
//!   slabs from going back. Whenever a small buffer came or went, the caches are emptied.
//! - A wait ends for which memory was set aside. The crate notices that memory at the next allocation and passes it on
//!   at the next release, so one of each is made.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use super::block::without_growth;
use super::buffer::Buffer;
use super::error::{Error, Failure};
use super::shared::{Shared, check_size};

/// One wait, counted in its pool until it is dropped.
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

/// Waits for a buffer of `size` bytes. Never grows the pool on the thread that polls.
pub(super) async fn allocate(pool: Arc<Shared>, size: usize) -> Result<Buffer, Error> {
    check_size(size)?;
    let mut waiting = Waiting::new(pool, size);
    let pool = Arc::clone(&waiting.pool);
    loop {
        // Registered before the crate is asked, so that no signal between is missed.
        let mut retry = pin!(pool.retries.of(size).notified());
        pool.check_open()?;
        let outcome = {
            let mut granted = pin!(pool.backing.async_allocate(size));
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
            // The user lends a block first, and waits only at the limit.
            Err(Failure::Refused) if pool.blocks.are_lent() => return Err(pool.limit()),
            Err(Failure::Refused) => {
                let grown = pool.grow(size).map_err(Error::System)?;
                grown.await.expect("the thread answers, or it panicked")
            }
            other => other,
        };
        match granted {
            Ok(buffer) => {
                waiting.served = true;
                return Buffer::new(buffer, &pool);
            }
            // Other requests took the free memory, so the wait continues.
            Err(Failure::Refused | Failure::Error(Error::Limit { .. })) => {}
            Err(Failure::Error(_)) if pool.empty_quarantine() => {}
            Err(Failure::Error(error)) => return Err(error),
        }
    }
}
