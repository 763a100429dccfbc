//! Buddy pools over blocks that the user lends: they keep their books, and never touch the memory.

mod buddy_support;

use buddy_support::{Wait, block_on};
use framepool::buddy::{BLOCK_SIZE, Backend, BuddyPool, Error, LENT_ALIGNMENT, Options, Unfit};

fn pool(blocks: usize) -> BuddyPool {
    BuddyPool::new(Options { max_memory: blocks * BLOCK_SIZE, backend: Backend::Lent, ..Options::default() })
}

/// Addresses of memory that does not exist: an access would end the process.
const ABSENT: usize = 1 << 46;

fn block(index: usize) -> std::ops::Range<usize> {
    let start = ABSENT + index * BLOCK_SIZE;
    start..start + BLOCK_SIZE
}

#[test]
fn grows_by_what_is_lent_alone() {
    let pool = pool(2);
    assert!(matches!(pool.try_allocate(1), Err(Error::Limit { .. })));
    assert_eq!(pool.stats().blocks, 0);
    assert_eq!(pool.lend(block(100)), Ok(true));
    let buffer = pool.try_allocate(1).unwrap();
    assert_eq!(buffer.block(), 0);
    assert!(buffer.offset_from(&pool.blocks(0)[0]) < BLOCK_SIZE);
    assert!(matches!(pool.try_allocate(BLOCK_SIZE), Err(Error::Limit { .. })));
    assert_eq!(pool.lend(block(101)), Ok(true));
    let whole = pool.try_allocate(BLOCK_SIZE).unwrap();
    assert_eq!((whole.block(), whole.offset_from(&pool.blocks(0)[1])), (1, 0));
    assert_eq!(pool.lend(block(102)), Ok(false), "the limit is reached");
    drop(whole);
    assert_eq!(pool.lend(block(102)), Ok(false), "a block is free");
    assert_eq!(pool.stats().blocks, 2);
}

#[test]
fn lends_no_byte_twice() {
    let (one, two) = (pool(2), pool(2));
    assert_eq!(one.lend(block(200)), Ok(true));
    let overlapping = ABSENT + 200 * BLOCK_SIZE + LENT_ALIGNMENT;
    for pool in [&one, &two] {
        assert_eq!(pool.lend(block(200)), Err(Error::Unfit(Unfit::InUse)));
        let range = overlapping..overlapping + BLOCK_SIZE;
        assert_eq!(pool.lend(range), Err(Error::Unfit(Unfit::InUse)));
    }
    one.close();
    one.give_back();
    assert_eq!(two.lend(block(200)), Ok(true));
    drop(two);
    let three = pool(1);
    assert_eq!(three.lend(block(200)), Ok(true), "a pool that is gone has nothing");
}

#[test]
fn refuses_what_is_no_block() {
    let pool = pool(1);
    let start = ABSENT + 300 * BLOCK_SIZE;
    for size in [0, 1, BLOCK_SIZE - 1, BLOCK_SIZE + 1] {
        assert_eq!(pool.lend(start..start + size), Err(Error::Unfit(Unfit::Size(size))));
    }
    for shift in [1, 8] {
        assert_eq!(pool.lend(start + shift..start + shift + BLOCK_SIZE), Err(Error::Unfit(Unfit::Alignment)));
    }
    pool.close();
    assert_eq!(pool.lend(block(300)), Err(Error::Closed));
    assert_eq!(pool.stats().blocks, 0);
}

#[test]
#[should_panic(expected = "does not have the bytes")]
fn has_no_bytes() {
    let pool = pool(1);
    pool.lend(block(400)).unwrap();
    let buffer = pool.try_allocate(1).unwrap();
    buffer.as_slice();
}

#[test]
fn waits_at_the_limit() {
    let pool = pool(1);
    assert!(matches!(block_on(pool.allocate(1)), Err(Error::Limit { .. })));
    pool.lend(block(500)).unwrap();
    let whole = block_on(pool.allocate(BLOCK_SIZE)).unwrap();
    let mut waiting = Wait::new(pool.allocate(1));
    assert!(waiting.poll().is_none());
    drop(whole);
    assert_eq!(waiting.poll().unwrap().unwrap().block(), 0);
}
