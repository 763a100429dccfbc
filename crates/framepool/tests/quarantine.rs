//! Freed memory in quarantine: which memory stays, for how long, and which late writes are found.

mod buddy_support;
mod sv2_support;

use std::array;
use std::ptr::NonNull;
use std::sync::{Arc, mpsc};
use std::thread;

use buddy_support::{Wait, block_on};
use framepool::buddy::{self, BLOCK_SIZE, BuddyPool};
use framepool::budget::BudgetPool;
use framepool::buffer_sv2::Buffer;
use framepool::quarantine::{Disturbance, FILL, Guarded, Keep, Quarantine};
use framepool::ring::{self, Consumer, Half, Producer};
use framepool::slot::{Slice, SlotPool, SystemMemory};
use framepool::sv2::{FrameHeader, Options};
use sv2_support::{connected_with, options};

/// Frees `length` bytes and returns their address.
fn freed(length: usize, quarantine: &Arc<Quarantine>) -> *mut u8 {
    let mut memory = Guarded::filled(1, length, quarantine).unwrap();
    let start = memory.as_mut_ptr();
    drop(memory);
    start
}

fn read(start: *const u8, length: usize) -> Vec<u8> {
    // SAFETY: every test reads only memory in quarantine, which is not freed.
    unsafe { std::slice::from_raw_parts(start, length).to_vec() }
}

fn write(at: *mut u8, byte: u8) {
    // SAFETY: as in `read`. Nothing refers to the memory meanwhile.
    unsafe { at.write_volatile(byte) }
}

fn disturbance(bytes: usize, offset: usize) -> Disturbance {
    Disturbance { bytes, offset, origin: None }
}

#[test]
fn freed_memory_is_filled_and_kept() {
    let quarantine = Quarantine::new(100, 10);
    let start = freed(40, &quarantine);
    assert_eq!(read(start, 40), [FILL; 40]);
    assert_eq!(quarantine.bytes(), 40);
    quarantine.clear();
    assert_eq!(quarantine.bytes(), 0);
    assert_eq!(quarantine.take_disturbances(), []);
}

#[test]
fn memory_that_was_written_to_is_found_when_it_leaves() {
    let quarantine = Quarantine::new(100, 10);
    let start = freed(40, &quarantine);
    write(start.wrapping_add(7), 0);
    write(start.wrapping_add(30), 0);
    freed(60, &quarantine);
    assert_eq!(quarantine.take_disturbances(), [], "it is still there");
    freed(1, &quarantine);
    assert_eq!(quarantine.bytes(), 61);
    assert_eq!(quarantine.take_disturbances(), [disturbance(40, 7)]);
    assert_eq!(quarantine.take_disturbances(), [], "it is found once");
}

#[test]
fn the_first_and_the_last_byte_count() {
    let quarantine = Quarantine::new(100, 10);
    write(freed(8, &quarantine), 1);
    write(freed(8, &quarantine).wrapping_add(7), 1);
    quarantine.clear();
    assert_eq!(quarantine.take_disturbances(), [disturbance(8, 0), disturbance(8, 7)]);
}

#[test]
fn it_is_bounded_by_count_as_well() {
    let quarantine = Quarantine::new(100, 2);
    let first = freed(1, &quarantine);
    write(first, 0);
    freed(1, &quarantine);
    assert_eq!(quarantine.take_disturbances(), []);
    freed(1, &quarantine);
    assert_eq!(quarantine.bytes(), 2);
    assert_eq!(quarantine.take_disturbances(), [disturbance(1, 0)]);
}

#[test]
fn memory_larger_than_the_quarantine_is_freed_at_once() {
    let quarantine = Quarantine::new(100, 10);
    freed(50, &quarantine);
    freed(101, &quarantine);
    assert_eq!(quarantine.bytes(), 50);
    assert_eq!(quarantine.take_disturbances(), []);
}

#[test]
fn a_disturbance_says_who_had_acquired_the_memory() {
    let quarantine = Quarantine::new(100, 10);
    let mut memory = Guarded::copy_of(b"abc", &quarantine).unwrap();
    memory.set_origin("here".into());
    let start = memory.as_mut_ptr();
    drop(memory);
    write(start, 0);
    quarantine.clear();
    assert_eq!(quarantine.take_disturbances()[0].origin.as_deref(), Some("here"));
}

#[test]
fn memory_comes_from_any_thread() {
    let quarantine = Quarantine::new(1 << 20, 1 << 20);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|length| _ = freed(length % 50, &quarantine)));
        }
    });
    assert_eq!(quarantine.bytes(), 4 * 20 * (0..50).sum::<usize>());
    quarantine.clear();
    assert_eq!(quarantine.take_disturbances(), []);
}

fn message(pool: &mut SlotPool, bytes: &[u8], quarantine: &Arc<Quarantine>) -> Slice {
    pool.get_writable(bytes.len()).copy_from_slice(bytes);
    pool.take_guarded(quarantine).unwrap()
}

#[test]
fn a_guarded_slice_holds_its_slot_and_has_memory_of_its_own() {
    let quarantine = Quarantine::new(100, 10);
    let mut pool = SlotPool::new(16).unwrap();
    let mut slice = message(&mut pool, b"hello", &quarantine);
    assert_eq!((slice.as_ref(), slice.slot(), slice.offset()), (&b"hello"[..], Some(1), None));
    assert_eq!(pool.to_string(), "1-------  BACK MODE");
    let second = message(&mut pool, b"world", &quarantine);
    assert_eq!((second.as_ref(), second.slot()), (&b"world"[..], Some(2)));
    let start = slice.as_mut().as_mut_ptr();
    drop(slice);
    assert_eq!(pool.to_string(), "-2------  BACK MODE");
    assert_eq!(read(start, 5), [FILL; 5]);
    assert_eq!(quarantine.bytes(), 5);
    drop(second);
    assert_eq!(pool.get_writable(10), [FILL; 10], "the pool's own memory is filled when a message leaves it");
}

#[test]
fn guarded_slices_go_where_others_would() {
    let quarantine = Quarantine::new(1 << 20, 1000);
    let (mut plain, mut guarded) = (SlotPool::new(40).unwrap(), SlotPool::new(40).unwrap());
    let mut slices = [const { None }; 10];
    for step in 0..200_u8 {
        let length = 1 + usize::from(step) * 7 % 9;
        plain.get_writable(length).fill(step);
        guarded.get_writable(length).fill(step);
        let pair = (plain.get_data_owned(), guarded.take_guarded(&quarantine).unwrap());
        assert_eq!(pair.0.slot(), pair.1.slot());
        slices[usize::from(step) * 3 % 10] = Some((pair, step));
        assert_eq!(plain.to_string(), guarded.to_string());
        for ((plain, guarded), byte) in slices.iter().flatten() {
            assert_eq!(plain.as_ref(), guarded.as_ref());
            assert!(guarded.as_ref().iter().all(|there| there == byte));
        }
    }
    assert_eq!(plain.stats(), guarded.stats());
    assert!(plain.stats().heap_fallbacks > 0);
}

#[test]
fn a_slice_on_the_heap_is_guarded_where_it_is() {
    let quarantine = Quarantine::new(100, 10);
    let mut memory = SystemMemory::new();
    memory.get_writable(5).copy_from_slice(b"hello");
    let mut slice = memory.get_data_owned();
    let start = slice.as_mut().as_mut_ptr();
    let slice = slice.guarded(&quarantine).unwrap();
    assert_eq!((slice.as_ref().as_ptr(), slice.as_ref(), slice.slot()), (start.cast_const(), &b"hello"[..], None));
    drop(slice);
    assert_eq!(read(start, 5), [FILL; 5]);
}

#[test]
fn a_guarded_slice_becomes_a_vector() {
    let quarantine = Quarantine::new(100, 10);
    let slice = Slice::from(b"hello".to_vec()).guarded(&quarantine).unwrap();
    assert_eq!(Vec::from(slice), b"hello");
    assert_eq!(quarantine.bytes(), 5);
}

#[test]
fn a_guarded_budget_pool_keeps_its_budget_and_its_accounts() {
    let quarantine = Quarantine::new(1 << 20, 10);
    let pool = BudgetPool::guarded(8, 32, &quarantine).unwrap();
    let allocation = pool.try_allocate(4, false).unwrap().unwrap();
    let start = allocation.base().as_ptr();
    assert_eq!(read(start, 32), [FILL; 32]);
    assert!(pool.try_allocate(1, false).unwrap().is_none());
    drop(allocation);
    assert_eq!((read(start, 32), quarantine.bytes()), (vec![FILL; 32], 32));
    let cleared = pool.try_allocate(4, true).unwrap().expect("what is in quarantine does not count");
    assert_eq!(read(cleared.base().as_ptr(), 32), [0; 32]);
    assert_eq!((cleared.count(), cleared.allocated_bytes()), (4, 32));
    assert_eq!(pool.stats().peak_bytes, 32);
}

#[test]
fn a_pool_gets_back_the_memory_that_it_needs_and_no_more() {
    struct Of(usize, Vec<u8>);
    // SAFETY: the vector keeps the contract.
    unsafe impl Keep for Of {
        fn span(&mut self) -> NonNull<[u8]> {
            self.1.span()
        }

        fn pool(&self) -> Option<usize> {
            Some(self.0)
        }
    }
    let quarantine = Quarantine::new(1000, 10);
    let mut first = vec![1; 10];
    let start = first.as_mut_ptr();
    quarantine.admit(Of(1, first), Some("first".into()));
    freed(20, &quarantine);
    quarantine.admit(Of(2, vec![2; 30]), None);
    quarantine.admit(Of(1, vec![1; 40]), None);
    write(start.wrapping_add(9), 0);
    assert!(quarantine.give_back(1));
    assert_eq!(quarantine.take_disturbances(), [Disturbance { bytes: 10, offset: 9, origin: Some("first".into()) }]);
    assert_eq!(quarantine.bytes(), 50);
    assert!(!quarantine.give_back(1));
    quarantine.clear();
    assert_eq!((quarantine.bytes(), quarantine.take_disturbances()), (0, vec![]));
}

/// Makes a ring whose memory goes into quarantine. Also returns the address of that memory.
fn guarded_ring(size: usize, quarantine: &Arc<Quarantine>) -> (Producer, Consumer, *mut u8) {
    let (producer, consumer) = ring::new(size, 16).unwrap();
    producer.guard().set(quarantine);
    let start = producer.base().as_ptr();
    (producer, consumer, start)
}

#[test]
fn a_ring_goes_into_quarantine_with_the_half_that_is_dropped_last() {
    let quarantine = Quarantine::new(1000, 10);
    for producer_first in [true, false] {
        let (mut producer, consumer, start) = guarded_ring(64, &quarantine);
        consumer.guard().set_origin("here".into());
        producer.guard().set_origin("there".into());
        producer.write(b"hello");
        if producer_first {
            drop(producer);
            assert_eq!((quarantine.bytes(), read(start, 5)), (0, b"hello".to_vec()));
            drop(consumer);
        } else {
            drop(consumer);
            assert_eq!((quarantine.bytes(), read(start, 5)), (0, b"hello".to_vec()));
            drop(producer);
        }
        assert_eq!((quarantine.bytes(), read(start, 64)), (64, vec![FILL; 64]));
        write(start.wrapping_add(63), 0);
        quarantine.clear();
        assert_eq!(
            quarantine.take_disturbances(),
            [Disturbance { bytes: 64, offset: 63, origin: Some("here".into()) }]
        );
    }
}

#[test]
fn a_ring_goes_into_quarantine_once_wherever_its_halves_are_dropped() {
    const ROUNDS: usize = 2000;
    let quarantine = Quarantine::new(1 << 20, 1 << 20);
    let (sender, receiver) = mpsc::sync_channel(0);
    thread::scope(|scope| {
        scope.spawn(move || receiver.into_iter().for_each(drop::<Consumer>));
        for _ in 0..ROUNDS {
            let (producer, consumer, _) = guarded_ring(16, &quarantine);
            sender.send(consumer).unwrap();
            drop(producer);
        }
        drop(sender);
    });
    assert_eq!(quarantine.bytes(), ROUNDS * 16);
    quarantine.clear();
    assert_eq!(quarantine.take_disturbances(), []);
}

#[test]
fn the_outputs_of_a_session_go_into_quarantine() {
    let quarantine = Quarantine::new(1 << 20, 10);
    let (mut client, _server) = connected_with(Options { output_start: 128, ..options() }, options());
    client.output().guard().set(&quarantine);
    client.output().guard().set_origin("client".into());
    let first = client.output().base().as_ptr();
    assert_eq!(client.output().size(), 128);
    client.send(FrameHeader { extension_type: 0, message_type: 1 }, &[7; 300]).unwrap();
    // A larger ring has replaced it.
    assert_eq!((quarantine.bytes(), read(first, 128)), (128, vec![FILL; 128]));
    let second = client.output().base().as_ptr();
    let size = client.output().size();
    assert!(size > 128);
    drop(client);
    assert_eq!((quarantine.bytes(), read(second, size)), (128 + size, vec![FILL; size]));
    write(second, 1);
    quarantine.clear();
    assert_eq!(quarantine.take_disturbances(), [Disturbance { bytes: size, offset: 0, origin: Some("client".into()) }]);
}

#[test]
fn the_region_of_a_slot_pool_goes_into_quarantine_with_its_last_slice() {
    let quarantine = Quarantine::new(1000, 10);
    let mut pool = SlotPool::new(100).unwrap();
    pool.region().guard().set(&quarantine);
    pool.region().guard().set_origin("pool".into());
    let start = pool.region().base().as_ptr();
    pool.get_writable(5).copy_from_slice(b"hello");
    let slice = pool.get_data_owned();
    drop(pool);
    assert_eq!((quarantine.bytes(), slice.as_ref()), (0, &b"hello"[..]));
    drop(slice);
    assert_eq!((quarantine.bytes(), read(start, 100)), (100, vec![FILL; 100]));
    write(start.wrapping_add(50), 0);
    quarantine.clear();
    assert_eq!(quarantine.take_disturbances(), [Disturbance { bytes: 100, offset: 50, origin: Some("pool".into()) }]);
}

fn guarded_buddies(quarantine: &Arc<Quarantine>) -> BuddyPool {
    BuddyPool::guarded(buddy::Options { max_memory: BLOCK_SIZE, ..buddy::Options::default() }, quarantine)
}

#[test]
fn buddy_buffers_are_kept_back_until_the_pool_needs_them() {
    let quarantine = Quarantine::new(BLOCK_SIZE, 100);
    let pool = guarded_buddies(&quarantine);
    let mut buffer = pool.try_allocate(16 << 20).unwrap();
    buffer.set_origin("here".into());
    buffer.as_mut_slice().fill(1);
    let start = buffer.as_mut_slice().as_mut_ptr();
    drop(buffer);
    assert_eq!((pool.stats().live_buffers, quarantine.bytes()), (0, 16 << 20));
    let others: [_; 3] = array::from_fn(|_| pool.try_allocate(16 << 20).unwrap());
    assert!(others.iter().all(|other| other.as_slice().as_ptr() != start));
    write(start.wrapping_add(1), 0);
    // There is no other memory left.
    let again = pool.try_allocate(16 << 20).unwrap();
    assert_eq!((again.as_slice().as_ptr(), quarantine.bytes()), (start.cast_const(), 0));
    assert_eq!((again.as_slice()[0], again.as_slice()[2]), (FILL, FILL));
    assert_eq!(
        quarantine.take_disturbances(),
        [Disturbance { bytes: 16 << 20, offset: 1, origin: Some("here".into()) }]
    );
    drop((again, others));
    // The four buffers are merged.
    assert_eq!(quarantine.bytes(), BLOCK_SIZE);
    assert_eq!(pool.try_allocate(BLOCK_SIZE).unwrap().capacity(), BLOCK_SIZE);
    assert_eq!(quarantine.take_disturbances(), []);
}

#[test]
fn a_wait_for_a_buddy_buffer_gets_memory_out_of_quarantine() {
    let quarantine = Quarantine::new(BLOCK_SIZE, 100);
    let pool = guarded_buddies(&quarantine);
    for size in [16 << 10, 1 << 20, BLOCK_SIZE] {
        let all: Vec<_> = (0..4).map(|_| pool.try_allocate(16 << 20).unwrap()).collect();
        drop(all);
        let mut late = Wait::new(pool.allocate(size));
        let held = late.poll().expect("what was in quarantine").unwrap();
        drop(held);
        let all = pool.try_allocate(BLOCK_SIZE).unwrap();
        let mut early = Wait::new(pool.allocate(size));
        assert!(early.poll().is_none());
        drop(all);
        let held = early.poll().expect("what was released while it waited").unwrap();
        assert_eq!((pool.stats().live_buffers, quarantine.bytes()), (1, 0));
        drop(held);
    }
    assert_eq!(quarantine.take_disturbances(), []);
}

#[test]
fn no_wait_is_lost_beside_a_quarantine() {
    let quarantine = Quarantine::new(BLOCK_SIZE, 100);
    let pool = guarded_buddies(&quarantine);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    // Only three at a time have room.
                    drop(block_on(pool.allocate(16 << 20)).unwrap());
                    drop(block_on(pool.allocate(1 << 20)).unwrap());
                }
            });
        }
    });
    assert_eq!((pool.stats().live_buffers, pool.stats().waiting), (0, 0));
}

#[test]
fn a_buddy_pool_that_is_closed_has_nothing_in_quarantine() {
    let quarantine = Quarantine::new(BLOCK_SIZE, 100);
    let (pool, other) = (guarded_buddies(&quarantine), guarded_buddies(&quarantine));
    let (before, after, elsewhere) = (
        pool.try_allocate(1 << 20).unwrap(),
        pool.try_allocate(1 << 20).unwrap(),
        other.try_allocate(16 << 10).unwrap(),
    );
    drop((before, elsewhere));
    assert_eq!(quarantine.bytes(), (1 << 20) + (16 << 10));
    pool.close();
    assert_eq!(quarantine.bytes(), 16 << 10);
    drop(after);
    assert_eq!(quarantine.bytes(), 16 << 10);
    block_on(pool.drained());
    drop(other);
    assert_eq!(quarantine.bytes(), 0, "a pool that nobody has any more takes its own along");
}
