//! In a steady state neither sending, receiving nor forwarding allocates.

mod sv2_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use framepool::slot::SlotPool;
use framepool::sv2::FrameHeader;
use sv2_support::connected;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting what each thread asks for.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counter needs no allocation and no drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and the memory is the system allocator's.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// `rounds` of ten frames, sent, received in chunks that cut frames, forwarded back and received again.
fn exchange(rounds: usize, length: usize) -> usize {
    let (mut client, mut server) = connected();
    let mut pool = SlotPool::new(1 << 18).unwrap();
    let header = FrameHeader { extension_type: 0x8000, message_type: 0x1a };
    let payload = vec![1; length];
    let mut wire = vec![0; 1 << 16];
    let mut frames = 0;
    let mut before = 0;
    for round in 0..rounds {
        if round == rounds / 2 {
            before = ALLOCATIONS.get();
        }
        for _ in 0..10 {
            client.send(header, &payload).unwrap();
        }
        let count = client.output().read(&mut wire);
        for chunk in wire[..count].chunks(777) {
            if let Some(batch) = server.receive(chunk, &mut pool).unwrap() {
                server.forward(batch.slice.as_ref(), batch.table, 0..batch.frames).unwrap();
            }
        }
        let count = server.output().read(&mut wire);
        let batch = client.receive(&wire[..count], &mut pool).unwrap().expect("ten frames have come back");
        frames += batch.frames;
    }
    assert_eq!(frames, rounds * 10);
    ALLOCATIONS.get() - before
}

#[test]
fn mining_traffic_allocates_nothing() {
    for length in [0, 64, 500, 3000] {
        assert_eq!(exchange(100, length), 0, "payloads of {length} B");
    }
}
