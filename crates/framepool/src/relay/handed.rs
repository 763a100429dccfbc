//! Memory of the frames that are handed to the user of a relay.

use buffer_sv2::Buffer;

use crate::slot::{MAX_SLOTS, Options, OutOfMemory, Refused, Slice, SlotPool};

/// Number of pools. Together they have slots for the frames of some hundred links at once.
const POOLS: usize = 8;

/// Capacity of each of them, in bytes.
const CAPACITY: usize = 1 << 16;

/// Slot pools that take turns: there may be more slices than one pool has slots. Beyond that slices come from the heap, and
/// each of those costs the user an `ArrayBuffer` of its own. Pools are made when they are needed.
#[derive(Default)]
pub(super) struct Handed {
    pools: Vec<SlotPool>,
    current: usize,
    /// The present pool is full.
    full: bool,
}

impl Handed {
    /// Returns a slice with a copy of `bytes`.
    pub(super) fn copy(&mut self, bytes: &[u8]) -> Result<Slice, Refused> {
        if std::mem::take(&mut self.full) || self.pools.is_empty() {
            self.go_on()?;
        }
        let pool = &mut self.pools[self.current];
        pool.try_get_writable(bytes.len())?.copy_from_slice(bytes);
        let slice = pool.get_data_owned();
        self.full = slice.slot().is_none();
        Ok(slice)
    }

    /// Goes on with another pool.
    fn go_on(&mut self) -> Result<(), OutOfMemory> {
        if self.pools.len() < POOLS {
            self.current = self.pools.len();
            self.pools.push(SlotPool::with_options(CAPACITY, Options { slots: MAX_SLOTS, heap: None })?);
        } else {
            self.current = (self.current + 1) % POOLS;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_slices_than_a_pool_has_slots_lie_in_pools() {
        let mut handed = Handed::default();
        let slices: Vec<_> = (0..=u8::MAX).map(|byte| handed.copy(&[byte; 100]).unwrap()).collect();
        let on_heap = slices.iter().filter(|slice| slice.slot().is_none()).count();
        assert!(on_heap < POOLS, "{on_heap}");
        for (slice, byte) in slices.iter().zip(0..=u8::MAX) {
            assert_eq!(slice.as_ref(), [byte; 100]);
        }
    }
}
