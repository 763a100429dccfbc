//! The queue through which slices come back to their pool, in every order that the memory model allows.
//!
//! It uses the pool's own file with loom's atomics.

#[path = "../src/slot"]
mod slot {
    mod atomic {
        pub(super) use loom::sync::atomic::{AtomicU32, Ordering};
    }

    #[path = "live.rs"]
    mod live;

    use live::LiveSlots;
    use loom::{cell::UnsafeCell, sync::Arc, thread};

    struct Region {
        live: LiveSlots,
        /// The bytes of two slots.
        bytes: [UnsafeCell<u8>; 2],
    }

    // SAFETY: loom reports accesses to the bytes that are not ordered.
    unsafe impl Sync for Region {}

    impl Region {
        fn write(&self, slot: usize, value: u8) {
            // SAFETY: loom checks that there is no other access now.
            self.bytes[slot].with_mut(|byte| unsafe { *byte = value });
        }

        fn read(&self, slot: usize) -> u8 {
            // SAFETY: loom checks that there is no write now.
            self.bytes[slot].with(|byte| unsafe { *byte })
        }
    }

    /// Two slices are filled, sent to one thread each, read and written there, and given back. The pool takes each slot
    /// again for other bytes as soon as it sees it free.
    #[test]
    fn slots_come_back_with_all_that_was_done_to_them() {
        loom::model(|| {
            let region = Arc::new(Region { live: LiveSlots::new(), bytes: [UnsafeCell::new(0), UnsafeCell::new(0)] });
            for slot in [0, 1] {
                region.live.take(slot);
                region.write(slot, 1);
            }
            let holders = [0, 1].map(|slot| {
                let region = Arc::clone(&region);
                thread::spawn(move || {
                    assert_eq!(region.read(slot), 1);
                    region.write(slot, 2);
                    region.live.release(slot);
                })
            });
            let free = !region.live.get();
            for slot in [0, 1].into_iter().filter(|slot| free & (1 << slot) != 0) {
                assert_eq!(region.read(slot), 2);
                region.live.take(slot);
                region.write(slot, 3);
            }
            for holder in holders {
                holder.join().unwrap();
            }
            for slot in [0, 1] {
                let taken_again = free & (1 << slot) != 0;
                assert_eq!(region.read(slot), if taken_again { 3 } else { 2 });
                assert_eq!(region.live.get() & (1 << slot) != 0, taken_again);
            }
        });
    }
}
