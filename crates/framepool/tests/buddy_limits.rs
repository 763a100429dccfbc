//! Waits that the crate `ruapc-bufpool` forgets, each shown there and not here, and our errors that depend on its
//! messages. When a test of the crate fails after an update, the help in `buddy/wait.rs` may go.

mod buddy_support;

use std::{
    io,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use buddy_support::{KIB, MIB, Wait, block_on};
use framepool::buddy::{BlockPolicy, BuddyPool, Error, Options};
use ruapc_bufpool::{AlignedMemory, BufferPool, BufferPoolBuilder, Devices, EmptyDevices, Registration};

fn theirs(starvation_timeout: Duration) -> Arc<BufferPool> {
    BufferPoolBuilder::new(Arc::new(EmptyDevices))
        .max_memory(64 * MIB)
        .thread_cache(false)
        .starvation_timeout(starvation_timeout)
        .build()
}

fn ours(starvation_timeout: Duration) -> BuddyPool {
    BuddyPool::new(Options { max_memory: 64 * MIB, thread_cache: false, starvation_timeout, ..Options::default() })
}

#[test]
fn crate_a_small_wait_is_not_served_by_a_free_chunk() {
    let pool = theirs(Duration::MAX);
    let _large: Vec<_> = (0..63).map(|_| pool.allocate(MIB).unwrap()).collect();
    let mut chunks: Vec<_> = (0..64).map(|_| pool.allocate(16 * KIB).unwrap()).collect();
    let asked = Arc::clone(&pool);
    let mut wait = Wait::new(async move { asked.async_allocate(16 * KIB).await });
    assert!(wait.poll().is_none());
    chunks.pop();
    assert!(wait.poll().is_none());
    assert!(pool.allocate(16 * KIB).is_ok(), "a new request gets the buffer that the other one waits for");
}

#[test]
fn a_small_wait_is_served_by_a_free_chunk() {
    let pool = ours(Duration::MAX);
    let _large: Vec<_> = (0..63).map(|_| pool.try_allocate(MIB).unwrap()).collect();
    let mut chunks: Vec<_> = (0..64).map(|_| pool.try_allocate(16 * KIB).unwrap()).collect();
    let mut waits: Vec<_> = (0..2).map(|_| Wait::new(pool.allocate(16 * KIB))).collect();
    assert!(waits.iter_mut().all(|wait| wait.poll().is_none()));
    chunks.pop();
    let first = waits[0].poll().expect("the first is served").unwrap();
    assert!(waits[1].poll().is_none());
    drop(first);
    assert!(waits[1].poll().is_some());
}

#[test]
fn small_waits_share_the_slab_that_the_first_of_them_gets() {
    let pool = ours(Duration::MAX);
    let mut large: Vec<_> = (0..64).map(|_| pool.try_allocate(MIB).unwrap()).collect();
    let mut waits: Vec<_> = (0..64).map(|_| Wait::new(pool.allocate(16 * KIB))).collect();
    assert!(waits.iter_mut().all(|wait| wait.poll().is_none()));
    large.pop();
    let served: Vec<_> = waits.iter_mut().filter_map(Wait::poll).collect();
    assert_eq!(served.len(), 64);
    assert_eq!(pool.stats().live_buffers, 63 + 64);
}

#[test]
fn crate_a_wait_is_stuck_beside_chunks_in_a_cache() {
    let pool = BufferPoolBuilder::new(Arc::new(EmptyDevices)).max_memory(64 * MIB).build();
    let before = pool.allocate(64 * KIB).unwrap();
    let asked = Arc::clone(&pool);
    let mut wait = Wait::new(async move { asked.async_allocate(64 * MIB).await });
    assert!(wait.poll().is_none());
    let meanwhile = pool.allocate(64 * KIB).unwrap();
    drop((before, meanwhile));
    assert!(wait.poll().is_none(), "it waits for ever, with nothing alive");
}

#[test]
fn a_wait_is_not_stuck_beside_chunks_in_a_cache() {
    let pool = BuddyPool::new(Options { max_memory: 64 * MIB, ..Options::default() });
    let before = pool.try_allocate(64 * KIB).unwrap();
    let mut wait = Wait::new(pool.allocate(64 * MIB));
    assert!(wait.poll().is_none());
    let meanwhile = pool.try_allocate(64 * KIB).unwrap();
    drop((before, meanwhile));
    assert!(wait.poll().expect("served").is_ok());
}

#[test]
fn crate_a_wait_behind_an_abandoned_reservation_is_stuck() {
    let pool = theirs(Duration::ZERO);
    let mut held: Vec<_> = (0..64).map(|_| pool.allocate(MIB).unwrap()).collect();
    let [mut large, mut small] = [64 * MIB, MIB].map(|size| {
        let pool = Arc::clone(&pool);
        Wait::new(async move { pool.async_allocate(size).await })
    });
    assert!(large.poll().is_none());
    held.pop();
    assert!(small.poll().is_none(), "set aside for the large one");
    drop(large);
    assert!(small.poll().is_none(), "and still, though nobody waits for it");
    held.pop();
    assert!(small.poll().is_some(), "until the next release");
}

#[test]
fn a_wait_behind_an_abandoned_reservation_is_served() {
    let pool = ours(Duration::ZERO);
    let mut held: Vec<_> = (0..64).map(|_| pool.try_allocate(MIB).unwrap()).collect();
    let [mut large, mut small] = [64 * MIB, MIB].map(|size| Wait::new(pool.allocate(size)));
    assert!(large.poll().is_none());
    held.pop();
    assert!(small.poll().is_none(), "set aside for the large one");
    drop(large);
    assert!(small.poll().expect("served").is_ok());
}

/// Grows only in step with the test, and then fails.
#[derive(Debug)]
struct Failing(Barrier);

// SAFETY: neither function keeps or accesses the memory.
unsafe impl Devices for Failing {
    fn len(&self) -> usize {
        0
    }

    fn register(&self, _: &Arc<AlignedMemory>) -> io::Result<Vec<Box<dyn Registration>>> {
        self.0.wait();
        self.0.wait();
        Err(io::Error::other("refused"))
    }
}

#[test]
fn crate_a_wait_beside_a_growth_that_fails_is_stuck() {
    let devices = Arc::new(Failing(Barrier::new(2)));
    let pool = BufferPoolBuilder::new(devices.clone()).max_memory(64 * MIB).build();
    let growing = Arc::clone(&pool);
    let grower = thread::spawn(move || growing.allocate(MIB).is_err());
    devices.0.wait();
    let asked = Arc::clone(&pool);
    let mut wait = Wait::new(async move { asked.async_allocate(MIB).await });
    assert!(wait.poll().is_none(), "the growth counts towards the limit");
    devices.0.wait();
    assert!(grower.join().unwrap());
    assert_eq!(pool.allocated_memory(), 0);
    assert!(wait.poll().is_none(), "it waits for ever beside an empty pool");
}

/// Limits this thread's locked memory. The calls bypass the C library, which would change every thread of the process;
/// threads that this thread starts inherit the limit.
#[cfg(target_os = "linux")]
fn give_up_locking() {
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: these are plain system calls, and `limit` is a valid `rlimit`. Nothing else in this process locks memory.
    unsafe {
        libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit);
        libc::syscall(libc::SYS_setresuid, 65_534, 65_534, 65_534);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn waits_beside_growths_that_fail_all_end() {
    for _ in 0..100 {
        let policy = BlockPolicy { lock: true, ..BlockPolicy::default() };
        let pool = BuddyPool::new(Options { max_memory: 64 * MIB, policy, ..Options::default() });
        let waits: Vec<_> = (0..4)
            .map(|_| {
                let pool = pool.clone();
                thread::spawn(move || {
                    give_up_locking();
                    block_on(pool.allocate(MIB))
                })
            })
            .collect();
        for wait in waits {
            let Err(Error::System(error)) = wait.join().unwrap() else { panic!("locking is not permitted") };
            assert_eq!((error.syscall, error.errno), ("mlock", libc::EPERM));
            assert!(error.message.contains("RLIMIT_MEMLOCK is 0 bytes"), "{}", error.message);
        }
        assert_eq!(pool.stats().allocated_memory, 0);
        assert_eq!(pool.stats().waiting, 0);
    }
}

#[test]
fn at_the_limit_the_crate_says_so() {
    let pool = ours(Duration::MAX);
    let _all = pool.try_allocate(64 * MIB).unwrap();
    assert_eq!(pool.try_allocate(1).unwrap_err(), Error::Limit { max_memory: 64 * MIB });
}
