//! Prints what `binary_sv2` needs to decode and encode a share, in nanoseconds: the yardstick for `benchmark/messages.ts`.
//! `cargo bench -p message-vectors`.

use std::hint::black_box;
use std::time::Instant;

use mining_sv2::SubmitSharesStandard;

const SHARES: u32 = 1_000;
const ROUNDS: usize = 2_000;

fn share(index: u32) -> SubmitSharesStandard {
    SubmitSharesStandard {
        channel_id: index & 7,
        sequence_number: index,
        job_id: 9,
        nonce: 0xdead_0000 + index,
        ntime: 1_700_000_000,
        version: 0x2000_0000,
    }
}

/// Runs `each` for all shares, round after round, and prints the least time for one.
fn measure(name: &str, mut each: impl FnMut(usize)) {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for index in 0..SHARES as usize {
            each(index);
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(SHARES));
    }
    println!("{name:<34} {best:10.1} ns");
}

fn main() {
    println!("SubmitSharesStandard, binary_sv2 natively");
    let shares: Vec<_> = (0..SHARES).map(share).collect();
    let mut payloads: Vec<_> =
        shares.iter().map(|share| binary_sv2::to_bytes(share.clone()).expect("a valid message")).collect();
    measure("from_bytes", |index| {
        let decoded: SubmitSharesStandard =
            binary_sv2::from_bytes(black_box(&mut payloads[index])).expect("a valid payload");
        black_box(decoded);
    });
    measure("to_bytes", |index| {
        black_box(binary_sv2::to_bytes(black_box(&shares[index]).clone()).expect("a valid message"));
    });
    let mut target = [0; 64];
    measure("to_writer", |index| {
        binary_sv2::to_writer(black_box(&shares[index]).clone(), black_box(&mut target)).expect("there is room");
    });
}
