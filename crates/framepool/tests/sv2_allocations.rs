//! Receiving, forwarding and draining frames in a steady state makes no allocation at all.

mod sv2_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use framepool::slot::SlotPool;
use framepool::sv2::{Direction, FrameHeader, LinkMemory, RelayMemory, Session};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sv2_support::{connected, rng};

const HEADER: FrameHeader = FrameHeader { extension_type: 0x8000, message_type: 0x1a };

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, with a count of each thread's requests.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged. The counter needs neither an allocation nor a drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `realloc`, and the memory is the system allocator's.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and the memory is the system allocator's.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The largest ring of the default options, in bytes.
const LARGEST_RING: usize = 1 << 16;

/// A relay: a client, the session that receives from it, the session that forwards, and a server.
struct Relay {
    client: Session,
    near: Session,
    far: Session,
    server: Session,
    pool: SlotPool,
    wire: Vec<u8>,
    drained: Vec<u8>,
    frames: usize,
    /// The link's part of a memory budget, if there is one.
    memory: Option<LinkMemory>,
}

impl Relay {
    fn new(budget: bool) -> Self {
        let ((client, mut near), (mut far, server)) = (connected(), connected());
        let pool = SlotPool::new(1 << 19).expect("memory");
        let memory = budget.then(|| RelayMemory::new(1 << 24, Some(1)).link().expect("room"));
        if let Some(memory) = &memory {
            memory.join(&mut near);
            memory.join(&mut far);
        }
        Self { client, near, far, server, pool, wire: vec![0; 1 << 19], drained: vec![0; 1 << 19], frames: 0, memory }
    }

    /// Passes `frames` through the relay. Their wire bytes come in chunks that `cut` chooses, and the relay is drained
    /// after every chunk.
    fn pass(&mut self, frames: usize, payload: &[u8], mut cut: impl FnMut() -> usize) {
        for _ in 0..frames {
            self.client.send(HEADER, payload).unwrap();
        }
        let length = self.client.output().read(&mut self.wire);
        let mut start = 0;
        while start < length {
            let end = length.min(start + cut());
            if let Some(batch) = self.near.receive(&self.wire[start..end], &mut self.pool).unwrap() {
                self.far.forward(batch.slice.as_ref(), batch.table, 0..batch.frames).unwrap();
            }
            start = end;
            if let Some(memory) = &self.memory {
                memory.step(Direction::Upstream, &self.near.partial(), &mut self.far);
            }
            while self.far.output().available() > 0 {
                let count = self.far.output().read(&mut self.drained);
                if let Some(batch) = self.server.receive(&self.drained[..count], &mut self.pool).unwrap() {
                    self.frames += batch.frames;
                }
            }
        }
    }
}

/// Returns the number of allocations while frames pass through a relay, cut at random, after frames have passed in that
/// way before. With a memory budget no chunk is longer than the budget allows.
fn allocations(length: usize, in_a_round: usize, budget: bool) -> usize {
    let seed = rng().r#gen();
    let mut relay = Relay::new(budget);
    let payload = vec![1; length];
    let wire = 22 + length + if length == 0 { 0 } else { 16 };
    // With this number of frames the last ends where in the rings the first began, so bytes that wrapped wrap again.
    let frames = LARGEST_RING / (1 << wire.trailing_zeros());
    let longest = if budget { (in_a_round * wire).min(LARGEST_RING / 2) } else { in_a_round * wire };
    let mut pass = || {
        let (passed, before) = (relay.frames, ALLOCATIONS.get());
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..frames / in_a_round {
            relay.pass(in_a_round, &payload, || rng.gen_range(1..longest));
        }
        assert_eq!(relay.frames - passed, frames);
        ALLOCATIONS.get() - before
    };
    // The rings first grow to what the traffic needs. Then spare buffers grow to what it needs at every place of the
    // rings.
    assert_ne!(pass(), 0, "buffers are made when they are needed");
    pass();
    pass()
}

#[test]
fn forwarding_allocates_nothing() {
    for (length, in_a_round) in [(0, 64), (64, 64), (500, 64), (3_000, 32), (16_384, 8)] {
        for budget in [false, true] {
            assert_eq!(allocations(length, in_a_round, budget), 0, "payloads of {length} B, budget: {budget}");
        }
    }
}
