//! Makes the two halves of a ring over one piece of memory.

use std::convert::Infallible;
use std::ptr::NonNull;
use std::sync::Arc;

use super::consumer::Consumer;
use super::error::RingError;
use super::link::Link;
use super::producer::Producer;

/// Makes a ring of `size` bytes whose memory starts at a multiple of `align`. Both must be powers of two.
///
/// Allocates the ring's memory (`bytering::new`). Returns [`RingError::Size`] or [`RingError::Align`] for other values,
/// and [`RingError::NoMemory`] if the allocator has none.
pub fn new(size: usize, align: usize) -> Result<(Producer, Consumer), RingError> {
    let (mut producer, consumer) = bytering::new(size, align)?;
    let mut base = None;
    let offered = producer.slices(|free, _| {
        // Nothing is written yet, so the first span of free space is the whole ring.
        base = free.first_mut().map(|span| NonNull::from(&mut **span).cast());
        Ok::<_, Infallible>(0)
    });
    let (Ok(_), Some(base)) = (offered, base) else { return Err(RingError::NoMemory) };
    let link = Arc::new(Link::new(base, size));
    Ok((Producer::new(producer, Arc::clone(&link)), Consumer::new(consumer, link)))
}
