//! Freed memory in quarantine: what is kept, for how long, and what is found.

use std::sync::Arc;
use std::thread;

use framepool::buddy::{BuddyPool, Options};
use framepool::budget::BudgetPool;
use framepool::buffer_sv2::Buffer;
use framepool::quarantine::{Disturbance, FILL, Guarded, Quarantine};
use framepool::slot::{Slice, SlotPool, SystemMemory};

/// Frees `length` bytes; gives where they lie.
fn freed(length: usize, quarantine: &Arc<Quarantine>) -> *mut u8 {
    let mut memory = Guarded::filled(1, length, quarantine).unwrap();
    let start = memory.as_mut_ptr();
    drop(memory);
    start
}

fn read(start: *const u8, length: usize) -> Vec<u8> {
    // SAFETY: every test reads only what is in quarantine, hence not freed.
    unsafe { std::slice::from_raw_parts(start, length).to_vec() }
}

fn write(at: *mut u8, byte: u8) {
    // SAFETY: as in `read`; nothing refers to the memory meanwhile.
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
fn what_was_written_to_is_found_when_it_leaves() {
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
fn what_is_larger_than_all_of_it_is_freed_at_once() {
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
fn a_poisoned_buddy_pool_fills_what_comes_back() {
    let pool = BuddyPool::new(Options { poison: true, ..Options::default() });
    let mut buffer = pool.try_allocate(16 << 10).unwrap();
    buffer.as_mut_slice().fill(1);
    let start = buffer.as_slice().as_ptr();
    drop(buffer);
    // The pool's blocks stay mapped.
    assert!(read(start, 16 << 10).iter().all(|&byte| byte == FILL));
}
