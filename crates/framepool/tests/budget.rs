//! The budget pool: figures after every step, order, closing, and random programs against a model.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use std::{env, thread};

use framepool::budget::{Allocation, BudgetError, BudgetPool, Closed, MAX_COUNT, RequestId, Reservation, Stats};
use rand::{Rng, SeedableRng, rngs::StdRng};

const KIB: usize = 1024;
/// A timeout that nothing reaches unless it hangs.
const AMPLE: Duration = Duration::from_mins(1);

fn pool(buffers: usize) -> BudgetPool {
    BudgetPool::new(KIB, buffers * KIB).unwrap()
}

/// Returns the number of buffers allocated, of allocations and of requests that wait, and the most buffers at once.
fn stats(pool: &BudgetPool) -> (usize, usize, usize, usize) {
    let Stats { allocated_bytes, live_allocations, waiting, peak_bytes } = pool.stats();
    (allocated_bytes / KIB, live_allocations, waiting, peak_bytes / KIB)
}

fn now(pool: &BudgetPool, count: usize) -> Option<Allocation> {
    pool.try_allocate(count, false).unwrap()
}

fn bytes(allocation: &Allocation) -> Vec<u8> {
    // SAFETY: the allocation has that many bytes. The callers have written or cleared them.
    unsafe { std::slice::from_raw_parts(allocation.base().as_ptr(), allocation.allocated_bytes()) }.to_vec()
}

fn fill(allocation: &Allocation, byte: u8) {
    // SAFETY: the allocation has that many bytes.
    unsafe { allocation.base().as_ptr().write_bytes(byte, allocation.allocated_bytes()) };
}

#[test]
fn accounts_are_exact_after_every_step() {
    let pool = pool(10);
    assert_eq!(stats(&pool), (0, 0, 0, 0));
    let three = now(&pool, 3).unwrap();
    assert_eq!((three.count(), three.allocated_bytes()), (3, 3 * KIB));
    assert_eq!(stats(&pool), (3, 1, 0, 3));
    let seven = now(&pool, 7).unwrap();
    assert_eq!(stats(&pool), (10, 2, 0, 10));
    assert!(now(&pool, 1).is_none());
    let (sender, granted) = mpsc::channel();
    pool.enqueue(4, move |reservation| sender.send(reservation).unwrap()).unwrap();
    assert_eq!(stats(&pool), (10, 2, 1, 10));
    drop(three);
    assert_eq!(stats(&pool), (7, 1, 1, 10));
    assert!(now(&pool, 1).is_none(), "the rest is kept for the first request");
    drop(seven);
    let reservation = granted.try_recv().unwrap().unwrap();
    assert_eq!(stats(&pool), (4, 1, 0, 10));
    let four = reservation.allocate(false).unwrap();
    assert_eq!(stats(&pool), (4, 1, 0, 10));
    drop(four);
    assert_eq!(stats(&pool), (0, 0, 0, 10));
}

#[test]
fn arguments_are_checked() {
    for size in [0, 1, 4, 7, 9, 24, 1000, 32768, usize::MAX] {
        assert_eq!(BudgetPool::new(size, usize::MAX).err(), Some(BudgetError::BufferSize(size)));
    }
    for size in (3..=14).map(|bits| 1 << bits) {
        assert_eq!(BudgetPool::new(size, size).err(), Some(BudgetError::MaxMemory(size)));
        assert!(BudgetPool::new(size, size + 1).is_ok());
    }
    let small = pool(10);
    let large = BudgetPool::new(8, usize::MAX).unwrap();
    for (pool, count) in [(&small, 0), (&small, 11), (&large, 0), (&large, MAX_COUNT + 1), (&large, usize::MAX)] {
        let wrong = Some(BudgetError::Count(count));
        assert_eq!(pool.try_allocate(count, false).err(), wrong);
        assert_eq!(pool.allocate_within(count, false, AMPLE).err(), wrong);
        assert_eq!(pool.enqueue(count, |_| unreachable!()).err(), wrong);
    }
    assert_eq!(now(&large, MAX_COUNT).unwrap().allocated_bytes(), 8 * MAX_COUNT);
}

#[test]
fn a_budget_that_is_no_multiple_of_the_buffer_size_is_rounded_down() {
    let pool = BudgetPool::new(KIB, 3 * KIB + 1023).unwrap();
    assert_eq!(pool.try_allocate(4, false).err(), Some(BudgetError::Count(4)));
    let three = now(&pool, 3).unwrap();
    assert!(now(&pool, 1).is_none());
    drop(three);
}

#[test]
fn memory_is_cleared_on_demand() {
    let pool = pool(64);
    for _ in 0..10 {
        // The allocator hands out again what is freed here.
        let dirty = now(&pool, 64).unwrap();
        fill(&dirty, 0xff);
        drop(dirty);
        let clean = pool.try_allocate(64, true).unwrap().unwrap();
        assert!(bytes(&clean).iter().all(|&byte| byte == 0));
    }
}

#[test]
fn a_cancelled_request_lets_those_behind_it_move_up() {
    let pool = pool(10);
    let eight = now(&pool, 8).unwrap();
    let (sender, granted) = mpsc::channel();
    let [large, _, _] = [9, 1, 1].map(|count| {
        let sender = sender.clone();
        pool.enqueue(count, move |reservation| sender.send((count, reservation)).unwrap()).unwrap()
    });
    assert_eq!(stats(&pool), (8, 1, 3, 8));
    assert!(pool.cancel(large));
    assert_eq!(stats(&pool), (10, 3, 0, 10));
    assert!(!pool.cancel(large), "once");
    let order: Vec<_> = granted.try_iter().map(|(count, reservation)| (count, reservation.is_ok())).collect();
    assert_eq!(order, [(1, true), (1, true)]);
    assert_eq!(stats(&pool), (8, 1, 0, 10), "reservations dropped unused go back");
    drop(eight);
}

#[test]
fn a_thread_waits_until_its_time_is_up() {
    let pool = pool(2);
    let all = now(&pool, 2).unwrap();
    assert_eq!(pool.allocate_within(1, false, Duration::ZERO).err(), Some(BudgetError::TimedOut));
    assert_eq!(pool.allocate_within(1, false, Duration::from_millis(5)).err(), Some(BudgetError::TimedOut));
    assert_eq!(stats(&pool), (2, 1, 0, 2));
    let waiter = thread::spawn({
        let pool = pool.clone();
        move || pool.allocate_within(2, true, AMPLE).map(|allocation| bytes(&allocation))
    });
    while pool.stats().waiting == 0 {
        thread::yield_now();
    }
    drop(all);
    assert_eq!(waiter.join().unwrap().unwrap(), vec![0; 2 * KIB]);
    assert_eq!(stats(&pool), (0, 0, 0, 2));
}

#[test]
fn closing_refuses_and_ends_with_the_last_allocation() {
    let pool = pool(4);
    let last = now(&pool, 4).unwrap();
    let (sender, refused) = mpsc::channel();
    pool.enqueue(1, move |granted| sender.send(granted.is_err()).unwrap()).unwrap();
    let waiter = thread::spawn({
        let pool = pool.clone();
        move || pool.allocate_within(1, false, AMPLE).err()
    });
    while pool.stats().waiting < 2 {
        thread::yield_now();
    }
    let ended: [Arc<AtomicBool>; 2] = Default::default();
    for ended in ended.clone() {
        pool.close(move || ended.store(true, Ordering::SeqCst));
    }
    assert!(refused.try_recv().unwrap());
    assert_eq!(waiter.join().unwrap(), Some(BudgetError::Closed));
    assert_eq!(pool.try_allocate(1, false).err(), Some(BudgetError::Closed));
    assert_eq!(pool.allocate_within(1, false, AMPLE).err(), Some(BudgetError::Closed));
    assert_eq!(pool.enqueue(1, |_| unreachable!()).err(), Some(BudgetError::Closed));
    assert!(ended.iter().all(|ended| !ended.load(Ordering::SeqCst)));
    drop(last);
    assert!(ended.iter().all(|ended| ended.load(Ordering::SeqCst)));
    let again = Arc::new(AtomicBool::new(false));
    pool.close({
        let again = Arc::clone(&again);
        move || again.store(true, Ordering::SeqCst)
    });
    assert!(again.load(Ordering::SeqCst), "at once when it is empty");
}

/// Grants are delivered one at a time, so a request that is granted during another's delivery is delivered after it.
#[test]
fn a_delivery_may_use_the_pool() {
    let pool = pool(2);
    let all = now(&pool, 2).unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    for index in 0..1000 {
        let order = Arc::clone(&order);
        // Each reservation is dropped within its own delivery, which makes room for the next.
        pool.enqueue(2, move |reservation| {
            order.lock().unwrap().push(index);
            drop(reservation);
        })
        .unwrap();
    }
    drop(all);
    assert_eq!(*order.lock().unwrap(), (0..1000).collect::<Vec<_>>());
    assert_eq!(stats(&pool), (0, 0, 0, 2));
}

#[test]
fn a_thousand_requests_of_all_sizes_are_served_in_the_order_asked() {
    let mut random = random();
    let pool = pool(64);
    let all = now(&pool, 64).unwrap();
    let (sender, granted) = mpsc::channel();
    for index in 0..1000 {
        let sender = sender.clone();
        let count = random.gen_range(1..=64);
        pool.enqueue(count, move |reservation| sender.send((index, reservation.unwrap())).unwrap()).unwrap();
    }
    drop((all, sender));
    // Two threads return what they get, so that both make room at the same time.
    let granted = Mutex::new((granted, Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let (granted, order) = &mut *granted.lock().unwrap();
                    let Ok((index, reservation)): Result<(usize, Reservation), _> = granted.recv() else { return };
                    order.push(index);
                    drop(reservation.allocate(false).unwrap());
                }
            });
        }
    });
    assert_eq!(granted.into_inner().unwrap().1, (0..1000).collect::<Vec<_>>());
    assert_eq!(pool.stats().live_allocations, 0);
}

/// A request that has been neither granted nor canceled, as the model knows it.
struct Asked {
    count: usize,
    request: RequestId,
    granted: mpsc::Receiver<Result<Reservation, Closed>>,
}

#[test]
fn random_programs_do_what_the_model_does() {
    const LIMIT: usize = 100;
    let mut random = random();
    for _ in 0..200 {
        let pool = pool(LIMIT);
        let mut held: Vec<Allocation> = Vec::new();
        let mut queue: VecDeque<Asked> = VecDeque::new();
        let (mut used, mut peak) = (0, 0);
        for _ in 0..500 {
            let most = if random.gen_ratio(1, 10) { LIMIT } else { 20 };
            let count = random.gen_range(1..=most);
            match random.gen_range(0..10) {
                0..=2 => {
                    let allocation = now(&pool, count);
                    assert_eq!(allocation.is_some(), queue.is_empty() && used + count <= LIMIT);
                    if let Some(allocation) = allocation {
                        used += count;
                        held.push(allocation);
                    }
                }
                3..=5 => {
                    let (sender, granted) = mpsc::channel();
                    let request = pool.enqueue(count, move |granted| drop(sender.send(granted))).unwrap();
                    queue.push_back(Asked { count, request, granted });
                }
                6 if !queue.is_empty() => {
                    let asked = queue.remove(random.gen_range(0..queue.len())).unwrap();
                    assert!(pool.cancel(asked.request));
                    assert!(asked.granted.try_recv().is_err());
                }
                7 => match pool.allocate_within(count, false, Duration::ZERO) {
                    Ok(allocation) => {
                        assert!(queue.is_empty() && used + count <= LIMIT);
                        used += count;
                        held.push(allocation);
                    }
                    Err(error) => assert_eq!(error, BudgetError::TimedOut),
                },
                _ if !held.is_empty() => {
                    let allocation = held.swap_remove(random.gen_range(0..held.len()));
                    used -= allocation.count();
                }
                _ => {}
            }
            peak = peak.max(used);
            while let Some(head) = queue.front()
                && used + head.count <= LIMIT
            {
                used += head.count;
                peak = peak.max(used);
                let granted = queue.pop_front().unwrap().granted.try_recv().expect("its turn has come");
                held.push(granted.unwrap().allocate(random.gen_ratio(1, 2)).unwrap());
            }
            assert!(queue.iter().all(|asked| asked.granted.try_recv().is_err()));
            assert_eq!(stats(&pool), (used, held.len(), queue.len(), peak));
            assert!(used <= LIMIT);
        }
        // From the back, because canceling the head would let others move up.
        for asked in queue.iter().rev() {
            assert!(pool.cancel(asked.request));
        }
    }
}

#[test]
fn the_budget_holds_between_threads() {
    const LIMIT: usize = 16;
    let seed = seed();
    let pool = pool(LIMIT);
    let used = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..4 {
            let (pool, used) = (&pool, &used);
            scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(seed.wrapping_add(thread));
                for _ in 0..5000 {
                    let count = random.gen_range(1..=LIMIT);
                    let allocation = match random.gen_range(0..3) {
                        0 => now(pool, count),
                        1 => pool.allocate_within(count, false, Duration::ZERO).ok(),
                        _ => Some(pool.allocate_within(count, false, AMPLE).expect("everyone is served")),
                    };
                    let Some(allocation) = allocation else { continue };
                    assert!(used.fetch_add(count, Ordering::SeqCst) + count <= LIMIT);
                    fill(&allocation, thread as u8);
                    assert!(bytes(&allocation).iter().all(|&byte| byte == thread as u8));
                    used.fetch_sub(count, Ordering::SeqCst);
                }
            });
        }
    });
    let Stats { allocated_bytes, live_allocations, waiting, peak_bytes } = pool.stats();
    assert_eq!((allocated_bytes, live_allocations, waiting), (0, 0, 0));
    assert!(peak_bytes <= LIMIT * KIB);
}

fn seed() -> u64 {
    let seed = env::var("FRAMEPOOL_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("a u64"));
    println!("FRAMEPOOL_SEED={seed}");
    seed
}

fn random() -> StdRng {
    StdRng::seed_from_u64(seed())
}
