//! The buddy pool, compared with the crate's own pool.

mod buddy_support;

use std::{env, sync::Arc, thread};

use buddy_support::{KIB, MIB, Wait, block_on};
use framepool::buddy::{BLOCK_SIZE, BlockPolicy, BuddyPool, Buffer, Error, Options};
use rand::{Rng, SeedableRng, rngs::StdRng};
use ruapc_bufpool::{BufferPoolBuilder, EmptyDevices};

const SIZES: [usize; 7] = [16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB];

fn one_block() -> BuddyPool {
    BuddyPool::new(Options { max_memory: BLOCK_SIZE, ..Options::default() })
}

/// Returns the offset of a buffer in its block, in bytes.
fn offset(pool: &BuddyPool, buffer: &Buffer) -> usize {
    buffer.as_slice().as_ptr().addr() - pool.blocks(buffer.block())[0].base().addr().get()
}

#[test]
fn sizes_are_those_of_the_crate() {
    for size in SIZES.into_iter().flat_map(|size| [size - 1, size, size + 1]).chain([1]) {
        assert_eq!(BuddyPool::capacity_for(size), SIZES.into_iter().find(|&capacity| size <= capacity));
    }
    let pool = one_block();
    for size in [0, BLOCK_SIZE + 1] {
        assert_eq!(BuddyPool::capacity_for(size), None);
        assert_eq!(pool.try_allocate(size).unwrap_err(), Error::Size(size));
        assert_eq!(block_on(pool.allocate(size)).unwrap_err(), Error::Size(size));
    }
}

#[test]
fn the_limit_is_whole_blocks() {
    for (max_memory, rounded) in [(0, 1), (1, 1), (BLOCK_SIZE, 1), (2 * BLOCK_SIZE - 1, 1), (5 * BLOCK_SIZE, 5)] {
        assert_eq!(BuddyPool::new(Options { max_memory, ..Options::default() }).max_memory(), rounded * BLOCK_SIZE);
    }
}

/// Random programs without waits: after each step the counters equal those of the crate's pool, and no two buffers
/// overlap.
#[test]
fn random_programs_do_what_the_crate_does() {
    let seed = env::var("FRAMEPOOL_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("a u64"));
    println!("FRAMEPOOL_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let max_memory = 3 * BLOCK_SIZE;
    let ours = BuddyPool::new(Options { max_memory, ..Options::default() });
    let theirs = BufferPoolBuilder::new(Arc::new(EmptyDevices)).max_memory(max_memory).build();
    let mut alive = Vec::new();
    for _ in 0..20_000 {
        if random.gen_bool(0.52) {
            let class = random.gen_range(0..7).min(random.gen_range(0..7));
            let size = random.gen_range(1..=SIZES[class]);
            match (ours.try_allocate(size), theirs.allocate(size)) {
                (Ok(ours), Ok(theirs)) => alive.push((ours, theirs)),
                (Err(Error::Limit { .. }), Err(_)) => {}
                (ours, theirs) => panic!("{ours:?}, and the crate {theirs:?}"),
            }
        } else if !alive.is_empty() {
            alive.swap_remove(random.gen_range(0..alive.len()));
        }
        let stats = ours.stats();
        assert_eq!(stats.live_buffers, alive.len());
        assert_eq!(stats.allocated_memory, theirs.allocated_memory());
        assert_eq!(stats.blocks * BLOCK_SIZE, stats.allocated_memory);
        assert_eq!(stats.free_counts, theirs.free_counts());
        assert_eq!(stats.pending_counts, theirs.pending_counts());
        assert_eq!(stats.slab_free_counts, theirs.slab_free_counts());
        let mut ranges: Vec<_> =
            alive.iter().map(|(buffer, _)| (buffer.block(), offset(&ours, buffer), buffer.capacity())).collect();
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            let [(block, start, capacity), (next_block, next, _)] = pair else { unreachable!() };
            assert!(block != next_block || start + capacity <= *next, "two buffers overlap");
        }
        assert!(ranges.iter().all(|(_, start, capacity)| start + capacity <= BLOCK_SIZE));
    }
}

#[test]
fn a_wait_does_not_grow_on_the_thread_that_polls_it() {
    let policy = BlockPolicy { prefault: true, ..BlockPolicy::default() };
    let pool = BuddyPool::new(Options { max_memory: BLOCK_SIZE, policy, ..Options::default() });
    let mut wait = Wait::new(pool.allocate(MIB));
    assert!(wait.poll().is_none(), "mapping is left to another thread");
    let buffer = loop {
        if let Some(buffer) = wait.poll() {
            break buffer.unwrap();
        }
        thread::yield_now();
    };
    assert!(buffer.as_slice().iter().all(|&byte| byte == 0));
    // There is a block now, so nothing needs to grow.
    assert!(Wait::new(pool.allocate(MIB)).poll().is_some());
}

#[test]
fn a_wait_that_is_dropped_gives_back_what_it_was_given() {
    let pool = one_block();
    let all = pool.try_allocate(BLOCK_SIZE).unwrap();
    let mut wait = Wait::new(pool.allocate(BLOCK_SIZE));
    assert!(wait.poll().is_none());
    assert_eq!(pool.stats().waiting, 1);
    drop(all);
    assert_eq!(pool.try_allocate(1).unwrap_err(), Error::Limit { max_memory: BLOCK_SIZE });
    drop(wait);
    assert_eq!(pool.stats().waiting, 0);
    assert!(pool.try_allocate(BLOCK_SIZE).is_ok());
}

#[test]
fn a_closed_pool_refuses_and_is_drained_with_its_last_buffer() {
    let pool = one_block();
    let all = pool.try_allocate(BLOCK_SIZE).unwrap();
    let mut wait = Wait::new(pool.allocate(1));
    let mut drained = Wait::new(pool.drained());
    assert!(wait.poll().is_none());
    assert!(drained.poll().is_none());
    pool.close();
    assert_eq!(wait.poll().expect("over").unwrap_err(), Error::Closed);
    assert_eq!(pool.try_allocate(1).unwrap_err(), Error::Closed);
    assert_eq!(block_on(pool.allocate(1)).unwrap_err(), Error::Closed);
    drop(wait);
    assert!(drained.poll().is_none());
    drop(all);
    assert!(drained.poll().is_some());
}

#[test]
fn threads_that_wait_for_one_another_are_all_served() {
    let pool = BuddyPool::new(Options { max_memory: 2 * BLOCK_SIZE, ..Options::default() });
    let threads: Vec<_> = (0..8_u64)
        .map(|seed| {
            let pool = pool.clone();
            thread::spawn(move || {
                let mut random = StdRng::seed_from_u64(seed);
                for _ in 0..300 {
                    let size = SIZES[random.gen_range(0..SIZES.len())];
                    let mut buffer = block_on(pool.allocate(size)).unwrap();
                    let mark = random.r#gen();
                    buffer.as_mut_slice()[..4096].fill(mark);
                    thread::yield_now();
                    assert!(buffer.as_slice()[..4096].iter().all(|&byte| byte == mark));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    pool.close();
    block_on(pool.drained());
    let stats = pool.stats();
    assert_eq!((stats.live_buffers, stats.waiting), (0, 0));
}
