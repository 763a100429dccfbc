//! A list of what its owner has alive, which any thread may read.
//!
//! The owner's own tables belong to its thread. The owner notes in the census what it acquires and releases, at the
//! cost of one store. Readers take no lock and see each entry as it was a moment ago.

use std::collections::TryReserveError;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Places in the first row. Each further row has twice as many places as the row before. Rows are never moved or freed
/// before the census is, so readers need no lock.
const FIRST: usize = 64;
const ROWS: usize = 27;

/// Kinds and sizes of objects, by index. Only one thread may write.
#[derive(Debug, Default)]
pub struct Census {
    rows: [OnceLock<Box<[AtomicU64]>>; ROWS],
}

/// An object that was alive a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Place of the object.
    pub index: u32,
    /// Kind of the object, as its owner numbers kinds, in range `0 ..= 127`.
    pub kind: u8,
    /// Size in bytes, at most 2⁴⁸ − 1.
    pub bytes: u64,
}

/// The largest size that a word has room for.
const MAX_BYTES: u64 = (1 << 48) - 1;
/// Tells an occupied place from an empty one.
const ALIVE: u64 = 1 << 63;

impl Census {
    /// Makes room for an object at `index`. Returns an error, and changes nothing, if there is no memory.
    pub fn make_room(&self, index: u32) -> Result<(), TryReserveError> {
        let (row, _) = locate(index);
        if self.rows[row].get().is_none() {
            let mut words = Vec::new();
            words.try_reserve_exact(FIRST << row)?;
            words.resize_with(FIRST << row, AtomicU64::default);
            // Only one thread writes, so the row is still missing.
            let _ = self.rows[row].set(words.into_boxed_slice());
        }
        Ok(())
    }

    /// Notes an object of `kind` with `bytes` bytes at `index`. [`make_room`](Self::make_room) must have succeeded for
    /// that index. Sizes above 2⁴⁸ − 1 count as that.
    #[inline]
    pub fn set(&self, index: u32, kind: u8, bytes: u64) {
        let (row, at) = locate(index);
        if let Some(words) = self.rows[row].get() {
            words[at].store(ALIVE | u64::from(kind) << 48 | bytes.min(MAX_BYTES), Ordering::Relaxed);
        }
    }

    /// Notes that there is no object at `index` any more.
    #[inline]
    pub fn clear(&self, index: u32) {
        let (row, at) = locate(index);
        if let Some(words) = self.rows[row].get() {
            words[at].store(0, Ordering::Relaxed);
        }
    }

    /// Returns the objects in the order of their indices.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let words = self.rows.iter().map_while(|row| row.get()).flatten();
        words.zip(0..).filter_map(|(word, index)| {
            let word = word.load(Ordering::Relaxed);
            (word != 0).then_some(Entry { index, kind: (word >> 48) as u8 & 0x7F, bytes: word & MAX_BYTES })
        })
    }
}

/// Returns the row of an index, and its place in that row.
fn locate(index: u32) -> (usize, usize) {
    let number = index as usize + FIRST;
    let row = number.ilog2() - FIRST.ilog2();
    (row as usize, number - (FIRST << row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(census: &Census, index: u32, kind: u8, bytes: u64) {
        census.make_room(index).expect("memory");
        census.set(index, kind, bytes);
    }

    fn entry(index: u32, kind: u8, bytes: u64) -> Entry {
        Entry { index, kind, bytes }
    }

    #[test]
    fn it_knows_what_was_set_and_not_cleared() {
        let census = Census::default();
        census.clear(5);
        set(&census, 0, 0, 0);
        set(&census, 1, 127, MAX_BYTES);
        set(&census, 2, 3, 4);
        census.clear(2);
        set(&census, 200, 1, 10);
        // The row between stays empty.
        set(&census, 70, 2, 20);
        assert!(census.entries().eq([entry(0, 0, 0), entry(1, 127, MAX_BYTES), entry(70, 2, 20), entry(200, 1, 10)]));
    }

    #[test]
    fn a_place_can_be_used_again() {
        let census = Census::default();
        set(&census, 1, 2, 3);
        set(&census, 1, 4, 5);
        assert!(census.entries().eq([entry(1, 4, 5)]));
    }

    #[test]
    fn every_index_has_a_place_of_its_own() {
        let mut next = (0, 0);
        for index in 0..100_000 {
            let (row, place) = locate(index);
            assert_eq!((row, place), next);
            next = if place + 1 == FIRST << row { (row + 1, 0) } else { (row, place + 1) };
        }
        assert!(locate(u32::MAX).0 < ROWS);
    }

    #[test]
    fn another_thread_finds_what_is_there() {
        let census = Census::default();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (0..10_000).for_each(|index| set(&census, index, 1, u64::from(index))));
            while !writer.is_finished() {
                assert!(census.entries().all(|entry| entry.bytes == u64::from(entry.index)));
            }
        });
        assert_eq!(census.entries().count(), 10_000);
    }
}
