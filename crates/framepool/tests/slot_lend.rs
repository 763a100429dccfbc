//! Slots that a pool holds and lends. They are free again after their slices are gone and the pool has looked.

use std::thread;

use buffer_sv2::Buffer;
use framepool::slot::{SlotPool, Taken};

/// Takes a message of `len` bytes in a slot that the pool holds.
fn hold(pool: &mut SlotPool, len: usize) -> usize {
    pool.get_writable(len).fill(len as u8);
    let Taken::Held { slot, .. } = pool.take_held() else { panic!("there is room") };
    slot.into()
}

#[test]
fn a_lent_slot_is_free_when_its_slice_is_gone_and_the_pool_has_looked() {
    let mut pool = SlotPool::new(64).unwrap();
    let slot = hold(&mut pool, 5);
    let slice = pool.lend(slot).unwrap();
    assert_eq!((slice.as_ref(), slice.slot(), slice.offset()), ([5; 5].as_slice(), Some(1), Some(0)));
    assert_eq!(pool.collect(), 0);
    thread::spawn(move || drop(slice)).join().unwrap();
    // Until then the pool counts the slot, and uses the next one for the next message.
    assert_eq!(pool.live(), 0b1);
    assert_eq!(hold(&mut pool, 6), 2);
    assert_eq!(pool.collect(), 0b1);
    assert_eq!(pool.collect(), 0);
    assert_eq!(pool.live(), 0b10);
}

#[test]
fn lent_bytes_are_the_borrowers_alone() {
    let mut pool = SlotPool::new(64).unwrap();
    let slot = hold(&mut pool, 5);
    let slice = pool.lend(slot).unwrap();
    assert!(pool.lend(slot).is_none(), "twice");
    assert!(pool.held(slot).is_none(), "its bytes");
    pool.give_back(u32::MAX);
    assert_eq!(pool.live(), 0b1, "to give back");
    drop(slice);
    assert_eq!(pool.collect(), 0b1);
    for stranger in [0, 1, 2, 9] {
        assert!(pool.lend(stranger).is_none());
    }
}

#[test]
fn a_lent_slice_that_comes_home_is_held_as_before() {
    let mut pool = SlotPool::new(64).unwrap();
    let slot = hold(&mut pool, 5);
    let slice = pool.lend(slot).unwrap();
    assert!(matches!(pool.hold(slice), Taken::Held { slot: 1, offset: 0, len: 5 }));
    assert_eq!(pool.collect(), 0);
    assert_eq!(pool.held(slot), Some([5; 5].as_slice()));
    pool.give_back(0b1);
    assert_eq!(pool.live(), 0);
}

#[test]
fn the_end_of_the_pool_can_be_waited_for() {
    use std::task::{Context, Poll, Waker};

    let mut pool = SlotPool::new(64).unwrap();
    let slot = hold(&mut pool, 5);
    let slice = pool.lend(slot).unwrap();
    let region = pool.region().clone();
    let mut closed = Box::pin(region.closed());
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(closed.as_mut().poll(&mut context), Poll::Pending);
    drop(pool);
    assert_eq!(closed.as_mut().poll(&mut context), Poll::Ready(()));
    assert_eq!(Box::pin(region.closed()).as_mut().poll(&mut context), Poll::Ready(()));
    assert_eq!(slice.as_ref(), [5; 5], "its slices stay what they are");
}
