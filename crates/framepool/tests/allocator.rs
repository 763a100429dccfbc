//! Requests that the system refuses. The tests take turns, because a process has one reserve.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use framepool::allocator::{LARGEST_SMALL, Reserved, set_aside};
use framepool::budget::{BudgetError, BudgetPool};
use framepool::buffer_sv2::Buffer;
use framepool::census::Census;
use framepool::handle::HandleTable;
use framepool::quarantine::Quarantine;
use framepool::ring::{self, RingError};
use framepool::slot::{OutOfMemory, SlotPool, SystemMemory};
use framepool::threads::channel::channel;

thread_local! {
    /// Requests of at least this many bytes are refused on this thread.
    static REFUSED: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Whether the allocator was asked to free memory that it had not given, or that it had refused.
static MISUSED: AtomicBool = AtomicBool::new(false);

struct Failing;

impl Failing {
    fn refuses(size: usize) -> bool {
        size >= REFUSED.get()
    }
}

/// Length of the mark behind every block that the system gives, in bytes.
const MARK: usize = 8;

fn marked(layout: Layout) -> Layout {
    Layout::from_size_align(layout.size() + MARK, layout.align()).expect("a layout")
}

// SAFETY: every call goes to the system's allocator with a larger layout, or fails. The mark lies behind the bytes that
// the caller has.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::refuses(layout.size()) {
            return ptr::null_mut();
        }
        // SAFETY: the layout is valid and not empty, and the mark lies within it.
        unsafe {
            let memory = System.alloc(marked(layout));
            if !memory.is_null() {
                memory.add(layout.size()).write_bytes(0xA5, MARK);
            }
            memory
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: `alloc` made the memory with this layout and its mark. If not, the caller has the defect that this
        // test looks for.
        unsafe {
            for at in 0..MARK {
                if memory.add(layout.size() + at).read() != 0xA5 {
                    MISUSED.store(true, Ordering::Relaxed);
                }
            }
            System.dealloc(memory, marked(layout));
        }
    }
}

#[global_allocator]
static ALLOCATOR: Reserved<Failing> = Reserved::new(Failing);

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(ALLOCATOR.is_ready());
    turn
}

/// Runs `work` while the system refuses this thread all requests of `at_least` bytes or more.
fn without_memory<T>(at_least: usize, work: impl FnOnce() -> T) -> T {
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            REFUSED.set(usize::MAX);
        }
    }
    let _restore = Restore;
    REFUSED.set(at_least);
    work()
}

/// A size that the reserve never serves.
const LARGE: usize = LARGEST_SMALL + 1;

#[test]
fn small_requests_are_served_and_large_ones_fail() {
    let _turn = turn();
    let (text, zeros, mut grown) = without_memory(0, || {
        let mut grown = Vec::new();
        for number in 0..10_000_u32 {
            grown.push(number);
        }
        assert!(Vec::<u8>::new().try_reserve_exact(LARGE).is_err());
        assert!(grown.try_reserve_exact(LARGE).is_err());
        (format!("{:?}", [1, 2, 3]), vec![0_u8; LARGEST_SMALL], grown)
    });
    assert_eq!(text, "[1, 2, 3]");
    assert!(zeros.iter().all(|&byte| byte == 0));
    // The block leaves the reserve, and goes back to the system.
    grown.extend(10_000..200_000);
    assert!(grown.iter().copied().eq(0..200_000));
    drop((text, zeros, grown));
    assert!(ALLOCATOR.is_ready());
    assert!(!MISUSED.load(Ordering::Relaxed));
}

#[test]
fn a_list_that_the_system_has_begun_goes_on_in_the_reserve() {
    let _turn = turn();
    let mut list: Vec<usize> = (0..100).collect();
    without_memory(0, || list.extend(100..20_000));
    assert!(list.iter().copied().eq(0..20_000));
    drop(list);
    assert!(!MISUSED.load(Ordering::Relaxed));
}

#[test]
fn blocks_of_the_reserve_do_not_overlap_whatever_is_freed_and_wherever() {
    let _turn = turn();
    thread::scope(|scope| {
        for seed in 1..=4_u64 {
            // Starting a thread needs the system's memory.
            scope.spawn(move || {
                let mut random = seed;
                let mut next = move || {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (random >> 33) as usize
                };
                let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(32);
                without_memory(0, || {
                    for round in 0..20_000 {
                        if blocks.len() == 32 || (!blocks.is_empty() && next() % 2 == 0) {
                            let block = blocks.swap_remove(next() % blocks.len());
                            assert!(block.iter().all(|&byte| byte == block[0]));
                        } else {
                            // A full reserve refuses, as the system would.
                            let mut block = Vec::new();
                            if block.try_reserve_exact(1 + next() % 3000).is_ok() {
                                block.resize(block.capacity(), (round + next()) as u8);
                                blocks.push(block);
                            }
                        }
                    }
                });
            });
        }
    });
    assert!(ALLOCATOR.is_ready());
    assert!(!MISUSED.load(Ordering::Relaxed));
}

#[test]
fn work_is_refused_when_the_reserve_is_half_used_until_there_is_memory_again() {
    let _turn = turn();
    let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(1000);
    let work = |blocks: &mut Vec<Vec<u8>>| blocks.push(vec![1; 10_000]);
    without_memory(0, || {
        while ALLOCATOR.is_ready() {
            work(&mut blocks);
            assert!(blocks.len() < 1000);
        }
        // Work that has begun can still be finished.
        work(&mut blocks);
    });
    // The system has memory again, while the blocks are still there.
    assert!(ALLOCATOR.is_ready());
    without_memory(0, || {
        while ALLOCATOR.is_ready() {
            work(&mut blocks);
            assert!(blocks.len() < 1000);
        }
        // The other way: the blocks are freed.
        blocks.clear();
        assert!(ALLOCATOR.is_ready());
    });
    assert!(!MISUSED.load(Ordering::Relaxed));
}

#[test]
fn memory_set_aside_is_handed_out_once_to_the_request_for_it() {
    let _turn = turn();
    let layout = Layout::array::<u8>(1 << 20).expect("a layout");
    {
        let _memory = set_aside(layout).expect("memory");
        without_memory(0, || {
            let mut first = Vec::<u8>::new();
            assert!(first.try_reserve_exact((1 << 20) - 1).is_err());
            assert!(first.try_reserve_exact(1 << 20).is_ok());
            assert!(Vec::<u8>::new().try_reserve_exact(1 << 20).is_err());
        });
    }
    // Memory that is set aside twice, or not asked for, is freed. Another thread does not get it.
    let first = set_aside(layout).expect("memory");
    let second = set_aside(layout).expect("memory");
    thread::scope(|scope| {
        scope.spawn(|| without_memory(LARGE, || assert!(Vec::<u8>::new().try_reserve_exact(1 << 20).is_err())));
    });
    drop((first, second));
    without_memory(LARGE, || assert!(set_aside(layout).is_none()));
    assert!(!MISUSED.load(Ordering::Relaxed));
}

#[test]
fn crates_that_cannot_fail_are_not_asked_without_memory() {
    let _turn = turn();
    let pool = BudgetPool::new(1024, 1 << 30).expect("a pool");
    let refused = without_memory(LARGE, || pool.try_allocate(4096, false).map(|_| ()));
    assert_eq!(refused, Err(BudgetError::NoMemory { bytes: 4 << 20 }));
    assert_eq!(pool.stats().allocated_bytes, 0);
    let allocation = pool.try_allocate(4096, true).expect("memory").expect("budget");
    assert_eq!(allocation.allocated_bytes(), 4 << 20);

    let mut memory = SystemMemory::new();
    memory.get_writable(3).copy_from_slice(b"abc");
    let bytes = 1 << 20;
    without_memory(LARGE, || {
        assert!(memory.try_get_writable(bytes).is_err());
        assert_eq!(memory.as_ref(), b"abc");
    });
    memory.get_writable(bytes).fill(1);
    let quarantine = Quarantine::new(4 * bytes, 10);
    without_memory(LARGE, || assert!(matches!(memory.move_on(&quarantine), Err(OutOfMemory { .. }))));
    assert_eq!(memory.as_ref()[..4], *b"abc\x01");
    memory.move_on(&quarantine).expect("memory");
    assert!(quarantine.bytes() > bytes);
    assert_eq!(memory.as_ref()[..4], *b"abc\x01");

    let mut pool = SlotPool::new(16).expect("memory");
    pool.get_writable(bytes).fill(2);
    without_memory(LARGE, || {
        assert!(pool.move_heap_on(&quarantine).is_err());
        assert!(SlotPool::new(bytes).is_err());
    });
    assert_eq!(pool.get_data_owned().as_ref().len(), bytes);
}

#[test]
fn tables_that_cannot_grow_keep_what_they_have() {
    let _turn = turn();
    let (mut table, census) = (HandleTable::default(), Census::default());
    let mut handles = Vec::with_capacity(1 << 20);
    without_memory(LARGE, || {
        while let Ok(handle) = table.insert([handles.len(); 4]) {
            handles.push(handle);
        }
        assert!(handles.len() > 1000);
        assert!(handles.iter().enumerate().all(|(index, &handle)| table.get(handle) == Some(&[index; 4])));
        // Removing an object needs no memory, and its place needs none again.
        for &handle in &handles {
            assert!(table.remove(handle).is_some());
        }
        for index in 0..handles.len() {
            assert!(table.insert([index; 4]).is_ok());
        }
        assert!(table.insert([0; 4]).is_err());
        let last = (0..1 << 20).find(|&index| census.make_room(index).is_err()).expect("rows double");
        census.set(last - 1, 1, 2);
        census.set(last, 1, 2);
        assert_eq!(census.entries().count(), 1);
    });
    assert!(table.insert([0; 4]).is_ok());
}

#[test]
fn requests_that_are_large_from_the_start_can_fail() {
    let _turn = turn();
    without_memory(LARGE, || {
        assert_eq!(channel::<[usize; 8]>(1 << 16).err(), Some(RingError::NoMemory));
        assert_eq!(ring::new(1 << 20, 64).err(), Some(RingError::NoMemory));
    });
    assert!(channel::<[usize; 8]>(1 << 16).is_ok());
}

#[test]
fn a_receiver_with_much_in_it_goes_without_memory() {
    let _turn = turn();
    let (mut sender, receiver) = channel(1 << 16).expect("memory");
    for number in 0..1 << 16 {
        sender.send([number; 8]).expect("room");
    }
    without_memory(LARGE, || drop(receiver));
    assert!(sender.is_closed());
}
