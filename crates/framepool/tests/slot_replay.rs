//! `replay_lone` has the effect of taking each of the messages, and `try_find` that of beginning one.

use buffer_sv2::Buffer;
use framepool::slot::{Place, SlotPool, Taken};

const CAPACITY: usize = 64;

/// Makes a pool after `digits` messages, left in front mode or in alloc mode with nothing alive.
fn used(digits: usize, spill: bool) -> SlotPool {
    let mut pool = SlotPool::new(CAPACITY).unwrap();
    for _ in 0..digits {
        take(&mut pool, 3);
        pool.give_back(1);
    }
    for _ in 0..8 {
        take(&mut pool, 4);
    }
    if !spill {
        pool.give_back(0b11);
    }
    take(&mut pool, 4);
    pool.give_back(u32::MAX);
    pool
}

fn take(pool: &mut SlotPool, len: usize) -> Taken {
    pool.get_writable(len);
    pool.take_held()
}

#[test]
fn replaying_equals_asking() {
    for digits in [0, 1, 34, 35] {
        for spill in [false, true] {
            for lens in [vec![CAPACITY], vec![1, 2, 3], vec![7; 80]] {
                let (mut asked, mut replayed) = (used(digits, spill), used(digits, spill));
                for &len in &lens {
                    assert!(matches!(take(&mut asked, len), Taken::Held { slot: 1, offset: 0, .. }));
                    asked.give_back(1);
                }
                replayed.replay_lone(lens.len() as u32, *lens.last().unwrap());
                assert_eq!(asked.stats(), replayed.stats());

                // The next messages get equal places and digits.
                for len in [5, 6, 70, 60, 1] {
                    let (a, b) = (take(&mut asked, len), take(&mut replayed, len));
                    assert_eq!(format!("{a:?}"), format!("{b:?}"));
                    assert_eq!((asked.stats(), asked.room()), (replayed.stats(), replayed.room()));
                }
            }
        }
    }
}

#[test]
fn finding_first_changes_nothing() {
    for digits in [0, 1, 35] {
        for spill in [false, true] {
            let (mut plain, mut found) = (used(digits, spill), used(digits, spill));
            // Every third message is released at once, so that slots become free before, between and behind live slices.
            for (message, len) in
                [9, 3, 8, 1, 20, 70, 6, 2, 60, 5, 64, 7, 30, 4].into_iter().cycle().take(200).enumerate()
            {
                let place = found.try_find(len).unwrap();
                if place != Place::Heap {
                    assert!(found.is_empty());
                    found.get_writable(len);
                }
                plain.get_writable(len);
                assert_eq!((found.len(), found.place()), (plain.len(), place));
                let (a, b) = (plain.take_held(), found.take_held());
                assert_eq!(format!("{a:?}"), format!("{b:?}"));
                for pool in [&mut plain, &mut found] {
                    pool.give_back(if message % 3 == 0 { 1 << (message % 8) | 1 << (message % 5) } else { 0 });
                }
                assert_eq!((plain.stats(), plain.room()), (found.stats(), found.room()));
            }
        }
    }
}

#[test]
#[should_panic(expected = "no message is in hand")]
fn finding_no_place_for_a_second_message() {
    let mut pool = SlotPool::new(CAPACITY).unwrap();
    pool.get_writable(1);
    let _ = pool.try_find(1);
}

#[test]
#[should_panic(expected = "nothing else is alive")]
fn not_beside_a_live_slice() {
    let mut pool = SlotPool::new(CAPACITY).unwrap();
    take(&mut pool, 1);
    pool.replay_lone(1, 1);
}

#[test]
#[should_panic(expected = "it fits into the region")]
fn not_more_than_fits() {
    SlotPool::new(CAPACITY).unwrap().replay_lone(1, CAPACITY + 1);
}
