//! One cycle of a buffer (`get_writable(n)`, touch, `get_data_owned`, drop): our pool, the crate's pool, and the
//! system's memory.
//!
//! Prints one line of JSON: nanoseconds per cycle for each size. It is the median of rounds that take turns, so that a
//! change of clock or load affects all three. A number as an argument is the one size to measure. With `--test`, or under
//! `cargo test`, only checks that it runs.

mod support;

use std::{hint::black_box, time::Instant};

use buffer_sv2::{Buffer, BufferFromSystemMemory, BufferPool};
use framepool::slot::SlotPool;
use support::{measures, median};

const SIZES: [usize; 6] = [64, 512, 2048, 4096, 16384, 65536];
const CAPACITY: usize = 8 * 65536;

/// Returns nanoseconds per cycle.
fn round(buffer: &mut impl Buffer, size: usize, cycles: u32) -> f64 {
    let start = Instant::now();
    for cycle in 0..cycles {
        let bytes = buffer.get_writable(size);
        bytes[0] = cycle as u8;
        bytes[size - 1] = cycle as u8;
        black_box(buffer.get_data_owned().as_ref());
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(cycles)
}

fn main() {
    let (rounds, cycles) = if measures() { (11, 100_000) } else { (1, 10) };

    let asked: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let mut sizes = Vec::new();
    for &size in if asked.is_empty() { &SIZES[..] } else { &asked } {
        let mut ours = SlotPool::new(CAPACITY).expect("memory");
        let mut theirs = BufferPool::new(CAPACITY);
        let mut system = BufferFromSystemMemory::default();
        let (mut of_ours, mut of_theirs, mut of_system) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            of_ours.push(round(&mut ours, size, cycles));
            of_theirs.push(round(&mut theirs, size, cycles));
            of_system.push(round(&mut system, size, cycles));
        }
        sizes.push(serde_json::json!({
            "bytes": size,
            "SlotPool": median(of_ours),
            "BufferPool": median(of_theirs),
            "BufferFromSystemMemory": median(of_system),
        }));
    }
    println!("{}", serde_json::json!({ "bench": "slot_pool", "unit": "ns/cycle", "rounds": rounds, "sizes": sizes }));
}
