//! Buffers that the sessions of a thread have filled and emptied, kept for the next session.
//!
//! A session needs memory for frames only while a chunk is incomplete or queued. With spare buffers, steady traffic
//! does not call the allocator, and a large frame does not wait for fresh pages, which takes longer than its ciphers.
//! Spare buffers have held only sealed bytes.

use std::cell::RefCell;

use super::error::Error;
use super::frame::{MAX_PAYLOAD, SEALED_HEADER};

/// The most that a thread keeps, in bytes: two frames of the largest size, as when one is forwarded, and one MiB.
const MOST: usize = 2 * (SEALED_HEADER + MAX_PAYLOAD + MAX_PAYLOAD / 4096) + (1 << 20);

/// The most buffers of one size class that a thread keeps.
const MOST_ALIKE: usize = 64;

/// Size of the smallest buffer, in bytes.
const SMALLEST: usize = 64;

/// The largest buffer, in bytes, whose size is rounded to a power of two, so that it fits other needs. Such a buffer is
/// used only for at least half of its size. Beyond this size rounding would waste too much, and growing step by step
/// would copy too much.
const ROUNDED: usize = 1 << 20;

/// A request above [`ROUNDED`] takes no buffer of a size class beyond this many times its size.
const SLACK: usize = 16;

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare { classes: [const { Vec::new() }; CLASSES], bytes: 0 }) };
}

/// One class for each number of bits in a capacity.
const CLASSES: usize = usize::BITS as usize;

struct Spare {
    /// Buffers by the logarithm of their capacity.
    classes: [Vec<Vec<u8>>; CLASSES],
    bytes: usize,
}

/// Returns the memory that this thread keeps for its sessions, in bytes. It does not count as memory of any session.
pub fn spare_bytes() -> usize {
    SPARE.with_borrow(|spare| spare.bytes)
}

/// Returns an empty buffer with room for `needed` bytes. A new large buffer gets room for growth, up to `most` bytes.
///
/// Returns [`Error::NoMemory`] if the allocator has none.
pub(super) fn take(needed: usize, most: usize) -> Result<Vec<u8>, Error> {
    if let Some(buffer) = SPARE.with_borrow_mut(|spare| spare.take(needed.max(SMALLEST))) {
        return Ok(buffer);
    }
    let mut buffer = Vec::new();
    let size = match needed.checked_next_power_of_two() {
        Some(size) if size <= ROUNDED => size.max(SMALLEST),
        Some(size) => size.min(most).max(needed),
        None => needed,
    };
    buffer.try_reserve_exact(size).map_err(|_| Error::NoMemory)?;
    Ok(buffer)
}

/// Keeps `buffer` for other sessions, or frees it. Its content does not matter.
pub(super) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() > 0 {
        buffer.clear();
        SPARE.with_borrow_mut(|spare| spare.give(buffer));
    }
}

impl Spare {
    fn take(&mut self, needed: usize) -> Option<Vec<u8>> {
        let largest = match needed.checked_next_power_of_two() {
            Some(size) if size <= ROUNDED => size,
            _ => needed.saturating_mul(SLACK),
        };
        for class in &mut self.classes[needed.ilog2() as usize..=largest.ilog2() as usize] {
            if let Some(index) = class.iter().rposition(|buffer| buffer.capacity() >= needed) {
                let buffer = class.swap_remove(index);
                self.bytes -= buffer.capacity();
                return Some(buffer);
            }
        }
        None
    }

    fn give(&mut self, buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if self.bytes + capacity > MOST {
            return;
        }
        let class = &mut self.classes[capacity.ilog2() as usize];
        if class.len() < MOST_ALIKE {
            self.bytes += capacity;
            class.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sv2::frame::sealed_payload;

    #[test]
    fn a_buffer_that_was_given_is_taken_again() {
        let buffer = take(1000, 1100).expect("memory");
        assert_eq!((buffer.capacity(), spare_bytes()), (1024, 0));
        give(buffer);
        assert_eq!(spare_bytes(), 1024);
        // It is used again for less, down to half, but not for more.
        for needed in [1000, 1024, 513] {
            let buffer = take(needed, needed).expect("memory");
            assert_eq!((buffer.capacity(), buffer.len(), spare_bytes()), (1024, 0, 0));
            give(buffer);
        }
        for (needed, made) in [(1025, 2048), (512, 512), (63, 64), (0, 64)] {
            assert_eq!(take(needed, needed).expect("memory").capacity(), made);
            assert_eq!(spare_bytes(), 1024);
        }
    }

    #[test]
    fn large_buffers_are_not_larger_than_they_can_have_to_be() {
        assert_eq!(take(3 << 20, 1 << 30).expect("memory").capacity(), 4 << 20);
        assert_eq!(take(3 << 20, (3 << 20) + 5).expect("memory").capacity(), (3 << 20) + 5);
        give(take(3 << 20, 0).expect("memory"));
        // The kept buffer has the right class, but is too small.
        assert_eq!(take((3 << 20) + 1, 0).expect("memory").capacity(), (3 << 20) + 1);
        assert_eq!(spare_bytes(), 3 << 20);
        // The kept buffer is far too large for a small need, but not for a large one.
        assert_eq!(take(1 << 20, 0).expect("memory").capacity(), 1 << 20);
        assert_eq!(take((1 << 20) + 1, 0).expect("memory").capacity(), 3 << 20);
    }

    #[test]
    fn no_more_is_kept_than_is_allowed() {
        for _ in 0..2 * MOST_ALIKE {
            give(Vec::with_capacity(100));
        }
        assert_eq!(spare_bytes(), MOST_ALIKE * 100);
        for _ in 0..10 {
            give(Vec::with_capacity(SEALED_HEADER + sealed_payload(MAX_PAYLOAD)));
        }
        assert!(spare_bytes() <= MOST);
        assert!(spare_bytes() > 2 * MAX_PAYLOAD);
    }

    #[test]
    fn memory_that_does_not_exist_is_refused() {
        assert_eq!(take(usize::MAX, usize::MAX), Err(Error::NoMemory));
    }
}
