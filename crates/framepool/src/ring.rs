//! A byte ring for one producer and one consumer, on [`bytering`].
//!
//! A thin layer. What can be read is told as offsets into the ring's memory, not as slices, because the Node binding
//! shows that memory to JavaScript as one array buffer and makes its views there.

use std::convert::Infallible;
use std::fmt;
use std::io::{Read, Write};
use std::ops::Range;
use std::ptr::NonNull;

/// Makes a ring of `size` bytes whose memory starts at a multiple of `align`; both are powers of two.
///
/// Allocates here and never again (`bytering::new`).
pub fn new(size: usize, align: usize) -> Result<(Producer, Consumer), RingError> {
    let (mut producer, consumer) = bytering::new(size, align)?;
    let mut base = None;
    let offered = producer.slices(|free, _| {
        // Nothing is written yet: the first span of free space is the whole ring.
        base = free.first_mut().map(|span| NonNull::from(&mut **span).cast());
        Ok::<_, Infallible>(0)
    });
    let (Ok(_), Some(base)) = (offered, base) else { return Err(RingError::NoMemory) };
    Ok((Producer { half: producer }, Consumer { half: consumer, base, size }))
}

/// The half that writes.
#[derive(Debug)]
pub struct Producer {
    half: bytering::Producer,
}

impl Producer {
    /// Writes as much of `source` as there is room for; returns the bytes written, 0 when the ring is full.
    pub fn write(&mut self, source: &[u8]) -> usize {
        // bytering fails only on a count above what it offered, and its own copy returns none.
        self.half.write(source).unwrap_or(0)
    }

    /// Bytes that can be written now.
    pub fn available(&mut self) -> usize {
        let mut available = 0;
        // A count of 0 is always valid.
        let _ = self.half.slices(|_, free| {
            available = free;
            Ok::<_, Infallible>(0)
        });
        available
    }

    /// Bytes ever written.
    pub fn position(&self) -> u64 {
        self.half.position() as u64
    }
}

/// The half that reads.
#[derive(Debug)]
pub struct Consumer {
    half: bytering::Consumer,
    /// Start of the ring's memory. Only handed out, never dereferenced here.
    base: NonNull<u8>,
    size: usize,
}

// SAFETY: `bytering::Consumer` is `Send`; `base` is an address into the memory that it owns a share of, which does not
//         move with the half, and no method of this type reads or writes through it.
unsafe impl Send for Consumer {}

impl Consumer {
    /// What can be read now, without taking it. It stays unchanged until [`consume`](Self::consume) or
    /// [`read`](Self::read).
    pub fn peek(&mut self) -> Spans {
        let available = self.available();
        // The size is a power of two, so the counter's low bits are the place, also after the counter has wrapped.
        let start = self.half.position() & (self.size - 1);
        let end = self.size.min(start + available);
        Spans { first: start..end, second: 0..available - (end - start) }
    }

    /// Frees the first `count` readable bytes. More than [`available`](Self::available): nothing is freed.
    pub fn consume(&mut self, count: usize) -> Result<(), InvalidCount> {
        match self.half.slices(|_, _| Ok::<_, Infallible>(count)) {
            Ok(_) => Ok(()),
            Err(bytering::ConsumerError::InvalidCount { n, len }) => Err(InvalidCount { count: n, available: len }),
            Err(bytering::ConsumerError::Callback(never)) => match never {},
        }
    }

    /// Copies out and frees as much as `target` takes; returns the bytes read, 0 when the ring is empty.
    pub fn read(&mut self, target: &mut [u8]) -> usize {
        // As in `Producer::write`: a copy made by bytering itself has a valid count.
        self.half.read(target).unwrap_or(0)
    }

    /// Bytes that can be read now.
    pub fn available(&mut self) -> usize {
        let mut available = 0;
        // A count of 0 is always valid.
        let _ = self.half.slices(|_, filled| {
            available = filled;
            Ok::<_, Infallible>(0)
        });
        available
    }

    /// Bytes ever read.
    pub fn position(&self) -> u64 {
        self.half.position() as u64
    }

    /// The ring's size in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Start of the ring's memory: [`size`](Self::size) bytes, valid as long as either half lives.
    ///
    /// Through it only the bytes that [`peek`](Self::peek) describes may be read; the rest belongs to the producer.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }
}

/// What can be read, as offsets into the ring's memory: `first`, then `second`, which is empty unless the bytes wrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans {
    /// From the oldest byte to the last, or to the ring's end.
    pub first: Range<usize>,
    /// What wrapped to the ring's start.
    pub second: Range<usize>,
}

/// Why a ring could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RingError {
    /// The size is not a power of two, or beyond the address space.
    Size(usize),
    /// The alignment is not a power of two.
    Align(usize),
    /// The allocator gave no memory.
    NoMemory,
}

impl From<bytering::BufferError> for RingError {
    fn from(error: bytering::BufferError) -> Self {
        match error {
            bytering::BufferError::BadSize(size) => Self::Size(size),
            bytering::BufferError::BadAlignment(align) => Self::Align(align),
            bytering::BufferError::AllocFailed => Self::NoMemory,
        }
    }
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => write!(f, "a ring's size must be a power of two that fits in memory, not {size}"),
            Self::Align(align) => write!(f, "a ring's alignment must be a power of two, not {align}"),
            Self::NoMemory => f.write_str("no memory for the ring"),
        }
    }
}

impl std::error::Error for RingError {}

/// More bytes were to be freed than could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidCount {
    /// Bytes asked for.
    pub count: usize,
    /// Bytes that could be read.
    pub available: usize,
}

impl fmt::Display for InvalidCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot consume {} bytes: only {} can be read", self.count, self.available)
    }
}

impl std::error::Error for InvalidCount {}
