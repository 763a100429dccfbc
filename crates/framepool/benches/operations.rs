//! Hot operations of the core, for `npm run bench:check`, which counts their instructions.
//!
//! `operations NAME COUNT` does one of them COUNT times within `measured()`, which callgrind is told to count: a handshake before that
//! takes other steps each time. Without arguments it prints the names, and does each a few times.

#[path = "../tests/sv2_support/mod.rs"]
mod sv2_support;

use std::env;
use std::hint::black_box;

use buffer_sv2::Buffer;
use framepool::buddy::{BuddyPool, Options};
use framepool::budget::BudgetPool;
use framepool::slot::SlotPool;
use framepool::sv2::FrameHeader;

type Operation = fn(u32);

const OPERATIONS: &[(&str, Operation)] = &[
    ("slot pool: a message of 64 B", |count| messages(count, 0)),
    ("slot pool: a message of 64 B behind another", |count| messages(count, 1)),
    ("slot pool: a message of 10 pieces", pieces),
    ("buddy pool: 16 KiB", buddy),
    ("budget pool: 16 buffers of 1 KiB", budget),
    ("ring: 64 B written and read", |count| ring(count, 64)),
    ("ring: 1021 B written and read", |count| ring(count, 1021)),
    ("session: a frame of 64 B sealed and opened", |count| frames(count, 64)),
    ("session: a frame of 16 KiB sealed and opened", |count| frames(count, 16_384)),
];

#[inline(never)]
fn measured(count: u32, mut operation: impl FnMut(u32)) {
    for index in 0..count {
        operation(index);
    }
}

/// `others` slices stay alive all the time.
fn messages(count: u32, others: usize) {
    let mut pool = SlotPool::new(1 << 16).expect("memory");
    let _others: Vec<_> = (0..others)
        .map(|_| {
            pool.get_writable(1);
            pool.get_data_owned()
        })
        .collect();
    measured(count, |index| {
        let bytes = pool.get_writable(64);
        bytes[0] = index as u8;
        bytes[63] = index as u8;
        black_box(pool.get_data_owned().as_ref());
    });
}

fn pieces(count: u32) {
    let mut pool = SlotPool::new(1 << 16).expect("memory");
    measured(count, |_| {
        for _ in 0..10 {
            pool.get_writable(10).copy_from_slice(black_box(&[7; 10]));
        }
        black_box(pool.get_data_owned().as_ref());
    });
}

fn buddy(count: u32) {
    let pool = BuddyPool::new(Options::default());
    // The first buffer maps the block.
    drop(pool.try_allocate(16_384).expect("memory"));
    measured(count, |index| {
        let mut buffer = pool.try_allocate(16_384).expect("memory");
        buffer.as_mut_slice()[0] = index as u8;
        black_box(&buffer);
    });
}

fn budget(count: u32) {
    let pool = BudgetPool::new(1024, 1 << 20).expect("memory");
    measured(count, |_| {
        black_box(pool.try_allocate(16, false).expect("open").expect("within the budget"));
    });
}

fn ring(count: u32, length: usize) {
    let (mut producer, mut consumer) = framepool::ring::new(1 << 16, 64).expect("memory");
    let source = vec![7; length];
    let mut target = vec![0; length];
    measured(count, |_| {
        assert_eq!(producer.write(black_box(&source)), length);
        assert_eq!(consumer.read(&mut target), length);
    });
}

fn frames(count: u32, length: usize) {
    let (mut client, mut server) = sv2_support::connected();
    let mut pool = SlotPool::new(1 << 18).expect("memory");
    let mut wire = vec![0; 1 << 17];
    let payload = vec![5; length];
    measured(count, |_| {
        client.send(FrameHeader { extension_type: 0, message_type: 1 }, black_box(&payload)).expect("in transport");
        let sealed = client.output().read(&mut wire);
        let batch = server.receive(&wire[..sealed], &mut pool).expect("good").expect("whole");
        black_box(batch.frame(0).expect("one frame").payload);
    });
}

fn main() {
    let mut arguments = env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let Some(name) = arguments.next() else {
        for (name, operation) in OPERATIONS {
            println!("{name}");
            operation(3);
        }
        return;
    };
    let count = arguments.next().expect("NAME COUNT").parse().expect("a number");
    let (_, operation) = OPERATIONS.iter().find(|(known, _)| *known == name).expect("a known operation");
    operation(count);
}
