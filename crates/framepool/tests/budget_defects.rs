//! Every fault of `bufpool` in `frozen-core` 0.0.32 that can be shown: the crate's pool has it, and ours does not. If a
//! later version mends a fault, its test fails here, and the crate deserves another look.
//!
//! Code that would hang runs in threads that are left behind, with pools that are never dropped. Three faults have no
//! output that could show them: the notification after the last decrement may touch a freed pool, the wake-up of a drop
//! can be lost like the wake-up of an allocation, and fresh memory is not initialized.

use std::panic::{self, AssertUnwindSafe};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use framepool::budget::{BudgetError, BudgetPool};
use frozen_core::bufpool::{BufPool, BufPoolCfg};
use frozen_core::utils::BufferSize;

const SIZE: usize = 1024;
/// Time in which a thread that can continue does so.
const A_WHILE: Duration = Duration::from_millis(100);

fn theirs(buffers: usize) -> &'static BufPool {
    let cfg = BufPoolCfg { buffer_size: BufferSize::S1024, max_memory: buffers * SIZE };
    Box::leak(Box::new(BufPool::new(cfg)))
}

fn ours(buffers: usize) -> BudgetPool {
    BudgetPool::new(SIZE, buffers * SIZE).unwrap()
}

/// Waits for `count` buffers in a separate thread, which then never ends. The receiver gets a message when the thread
/// has them.
fn wait_for(pool: &'static BufPool, count: usize) -> mpsc::Receiver<()> {
    let (sender, served) = mpsc::channel();
    thread::spawn(move || {
        let _held = pool.allocate(count);
        sender.send(()).unwrap();
        loop {
            thread::park();
        }
    });
    thread::sleep(A_WHILE);
    served
}

/// One release wakes one waiter, though there is room for both.
#[test]
fn a_waiter_sleeps_on_beside_free_memory() {
    let pool = theirs(2);
    let all = pool.allocate(2);
    let waiters = [wait_for(pool, 1), wait_for(pool, 1)];
    drop(all);
    thread::sleep(A_WHILE);
    let served = waiters.iter().filter(|waiter| waiter.try_recv().is_ok()).count();
    assert_eq!(served, 1, "{pool:?}");

    let pool = ours(2);
    let all = pool.try_allocate(2, false).unwrap();
    let (sender, granted) = mpsc::channel();
    for _ in 0..2 {
        let sender = sender.clone();
        pool.enqueue(1, move |reservation| sender.send(reservation.unwrap()).unwrap()).unwrap();
    }
    drop(all);
    assert_eq!(granted.try_iter().count(), 2);
}

#[test]
fn late_requests_are_served_first() {
    let pool = theirs(2);
    let one = pool.allocate(1);
    let waiter = wait_for(pool, 2);
    // The waiter waits for this allocation.
    let late = pool.allocate(1);
    drop(one);
    assert!(waiter.recv_timeout(A_WHILE).is_err());
    drop(late);

    let pool = ours(2);
    let one = pool.try_allocate(1, false).unwrap();
    let (sender, granted) = mpsc::channel();
    pool.enqueue(2, move |reservation| sender.send(reservation.unwrap()).unwrap()).unwrap();
    assert!(pool.try_allocate(1, false).unwrap().is_none());
    drop(one);
    assert!(granted.try_recv().is_ok());
}

/// With debug assertions these panic. Without them the first waits forever and the second allocates nothing.
#[test]
fn wrong_counts_are_not_errors() {
    let pool = theirs(2);
    let panics = |count: usize| panic::catch_unwind(AssertUnwindSafe(|| drop(pool.allocate(count)))).is_err();
    assert!(panics(3));
    assert!(panics(0));
    for count in [3, 0] {
        assert_eq!(ours(2).try_allocate(count, false).err(), Some(BudgetError::Count(count)));
    }
}

/// The documented limit of 65,535 buffers is not enforced.
#[test]
fn the_most_buffers_are_not_enforced() {
    let cfg = BufPoolCfg { buffer_size: BufferSize::S8, max_memory: 1 << 30 };
    assert_eq!(BufPool::new(cfg).allocate(65_536).length(), 65_536);
    let pool = BudgetPool::new(8, 1 << 30).unwrap();
    assert_eq!(pool.try_allocate(65_536, false).err(), Some(BudgetError::Count(65_536)));
}

#[test]
fn dropping_the_pool_blocks_until_nothing_is_allocated() {
    let (sender, dropped) = mpsc::channel();
    let (keeper, keep) = mpsc::channel();
    thread::spawn(move || {
        let pool = BufPool::new(BufPoolCfg { buffer_size: BufferSize::S1024, max_memory: 2 * SIZE });
        keeper.send(pool.allocate(1)).unwrap();
        drop(pool);
        sender.send(()).unwrap();
    });
    let allocation = keep.recv().unwrap();
    assert!(dropped.recv_timeout(A_WHILE).is_err());
    // Dropping it would use the pool that the thread may be freeing.
    std::mem::forget(allocation);

    let pool = ours(2);
    let allocation = pool.try_allocate(1, true).unwrap().unwrap();
    drop(pool);
    // SAFETY: the allocation is alive and was cleared.
    assert_eq!(unsafe { allocation.base().read() }, 0);
    drop(allocation);
}

/// An allocation points to its pool. If the pool moves, the old place is used.
#[test]
fn the_pool_must_not_move() {
    let pool = theirs(2);
    let allocation = pool.allocate(1);
    assert!(format!("{allocation:?}").contains(&format!("pool: {pool:p}")), "{allocation:?}");

    let pool = ours(2);
    let allocation = pool.try_allocate(1, false).unwrap();
    let moved = Box::new(pool);
    drop(allocation);
    assert_eq!(moved.stats().allocated_bytes, 0);
}

/// Runs one of the ignored tests below in a separate process with 1 GiB of address space.
#[cfg(target_os = "linux")]
fn run_with_little_memory(test: &str) -> std::process::Output {
    let program = std::env::current_exe().unwrap();
    let limited = r#"ulimit -v 1048576; exec "$0" --ignored --exact "$1""#;
    Command::new("sh").args(["-c", limited]).arg(program).arg(test).output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn without_memory_the_process_ends() {
    use std::os::unix::process::ExitStatusExt;

    const SIGABRT: i32 = 6;
    let theirs = run_with_little_memory("their_allocation_of_a_gibibyte");
    assert_eq!(theirs.status.signal(), Some(SIGABRT), "{theirs:?}");
    let ours = run_with_little_memory("our_allocation_of_a_gibibyte");
    assert!(ours.status.success(), "{ours:?}");
}

const LARGE: usize = 65_535;

#[test]
#[ignore = "ends the process: `without_memory_the_process_ends` runs it"]
fn their_allocation_of_a_gibibyte() {
    let pool = BufPool::new(BufPoolCfg { buffer_size: BufferSize::S16384, max_memory: usize::MAX >> 1 });
    drop(pool.allocate(LARGE));
}

#[test]
#[ignore = "needs little memory: `without_memory_the_process_ends` runs it"]
fn our_allocation_of_a_gibibyte() {
    let pool = BudgetPool::new(16384, usize::MAX >> 1).unwrap();
    let bytes = LARGE * 16384;
    assert_eq!(pool.try_allocate(LARGE, false).err(), Some(BudgetError::NoMemory { bytes }));
    assert_eq!(pool.stats().allocated_bytes, 0);
    assert!(pool.try_allocate(1, false).unwrap().is_some());
}
