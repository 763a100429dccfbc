//! Blocks whose memory the user lends to a pool.
//!
//! A pool never reads or writes lent memory, and keeps no pointer to it: it only knows where the memory lies, so that no part of it is lent
//! twice.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::block::BLOCK_SIZE;

/// Alignment that lent memory must have, in bytes: that of any allocation on a system of 64 bits.
pub const LENT_ALIGNMENT: usize = 16;

/// The addresses that are lent to the pools of this process.
static LENT: Mutex<Vec<Range<usize>>> = Mutex::new(Vec::new());

/// Memory that is lent to one pool, until this is dropped.
#[derive(Debug)]
pub(super) struct Lent(Range<usize>);

/// The reason why memory cannot be lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The memory has this number of bytes, which is not [`BLOCK_SIZE`].
    Size(usize),
    /// The first byte is not aligned to [`LENT_ALIGNMENT`].
    Alignment,
    /// A pool of this process has a part of the memory already.
    InUse,
}

impl Lent {
    /// Notes that the memory at `addresses` is lent.
    pub(super) fn new(addresses: Range<usize>) -> Result<Self, Unfit> {
        if addresses.len() != BLOCK_SIZE {
            return Err(Unfit::Size(addresses.len()));
        }
        if !addresses.start.is_multiple_of(LENT_ALIGNMENT) {
            return Err(Unfit::Alignment);
        }
        let mut lent = all();
        if lent.iter().any(|other| other.start < addresses.end && addresses.start < other.end) {
            return Err(Unfit::InUse);
        }
        lent.push(addresses.clone());
        Ok(Self(addresses))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        all().retain(|other| *other != self.0);
    }
}

fn all() -> MutexGuard<'static, Vec<Range<usize>>> {
    LENT.lock().unwrap_or_else(PoisonError::into_inner)
}
