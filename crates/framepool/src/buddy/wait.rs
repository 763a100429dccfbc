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

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use super::block::without_growth;
use super::buffer::Buffer;
use super::error::{Error, Failure};
use super::shared::{Shared, check_size};

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
            // Others took what was there: then wait for it.
            Err(Failure::Refused | Failure::Error(Error::Limit { .. })) => {}
            Err(Failure::Error(_)) if pool.empty_quarantine() => {}
            Err(Failure::Error(error)) => return Err(error),
        }
    }
}
