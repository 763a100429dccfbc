//! Pools and slices that are dropped in any order, on any thread.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use buffer_sv2::Buffer;
use framepool::slot::{SLOTS, Slice, SlotPool};

fn take(pool: &mut SlotPool, bytes: &[u8]) -> Slice {
    pool.get_writable(bytes.len()).copy_from_slice(bytes);
    pool.get_data_owned()
}

#[test]
fn the_last_slice_gives_the_memory_back() {
    let mut pool = SlotPool::new(64).expect("memory");
    let region = Arc::downgrade(pool.region());
    let first = take(&mut pool, b"first");
    let second = take(&mut pool, b"second");
    drop(pool);
    assert_eq!((first.as_ref(), second.as_ref()), (b"first".as_slice(), b"second".as_slice()));
    drop(first);
    assert!(region.upgrade().is_some());
    thread::spawn(move || {
        assert_eq!(second.as_ref(), b"second");
        drop(second);
    })
    .join()
    .expect("the slice is readable");
    assert!(region.upgrade().is_none());
}

#[test]
fn a_pool_dropped_in_another_thread_leaves_its_slices_readable() {
    let mut pool = SlotPool::new(64).expect("memory");
    let region = Arc::downgrade(pool.region());
    let slice = take(&mut pool, b"still here");
    thread::spawn(move || drop(pool)).join().expect("dropping does not wait for slices");
    assert_eq!(slice.as_ref(), b"still here");
    drop(slice);
    assert!(region.upgrade().is_none());
}

#[test]
fn a_pool_without_slices_gives_the_memory_back_itself() {
    let mut pool = SlotPool::new(64).expect("memory");
    let region = Arc::downgrade(pool.region());
    drop(take(&mut pool, b"gone"));
    drop(pool);
    assert!(region.upgrade().is_none());
}

/// Another thread writes to each slice until it drops it there. If a slot were handed out again too early, those writes
/// would show in the next message.
#[test]
fn bytes_released_in_another_thread_are_left_alone() {
    const MESSAGES: u32 = 200_000;
    let mut pool = SlotPool::new(256).expect("memory");
    let (to_scribbler, slices) = mpsc::sync_channel::<(u32, Slice)>(SLOTS * 2);
    let scribbler = thread::spawn(move || {
        for (message, mut slice) in slices {
            let pattern = message.to_le_bytes();
            assert!(slice.as_ref().chunks(4).all(|chunk| chunk == pattern), "message {message}");
            slice.as_mut().fill(0xff);
        }
    });
    for message in 0..MESSAGES {
        let len = 4 + (message as usize % 9) * 4;
        for chunk in pool.get_writable(len).chunks_mut(4) {
            chunk.copy_from_slice(&message.to_le_bytes());
        }
        to_scribbler.send((message, pool.get_data_owned())).expect("the scribbler is alive");
    }
    drop(to_scribbler);
    scribbler.join().expect("every message arrived as it was written");
    let stats = pool.stats();
    assert_eq!(stats.live_slices, 0);
    assert!(stats.heap_fallbacks < u64::from(MESSAGES), "slots were used again: {stats:?}");
    assert!(stats.resets + stats.mode_changes > 0, "slots were used again: {stats:?}");
}
