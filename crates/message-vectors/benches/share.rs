//! Prints what `binary_sv2` needs to decode and encode a share, in nanoseconds, round by round, as JSON: the yardstick for
//! `benchmark/messages.ts`, which runs it. `cargo bench -p message-vectors`.

use std::hint::black_box;
use std::time::Instant;

use mining_sv2::SubmitSharesStandard;

const SHARES: u32 = 1_000;
/// Rounds, and how often each handles all shares.
const ROUNDS: usize = 21;
const REPEATS: u32 = 50;

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

/// Runs `each` for all shares, round after round, and returns the time for one in each round.
fn measure(mut each: impl FnMut(usize)) -> Vec<f64> {
    let mut round = || {
        let start = Instant::now();
        for _ in 0..REPEATS {
            for index in 0..SHARES as usize {
                each(index);
            }
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(REPEATS * SHARES)
    };
    // The first round warms up.
    round();
    (0..ROUNDS).map(|_| round()).collect()
}

fn main() {
    let shares: Vec<_> = (0..SHARES).map(share).collect();
    let mut payloads: Vec<_> =
        shares.iter().map(|share| binary_sv2::to_bytes(share.clone()).expect("a valid message")).collect();
    let from_bytes = measure(|index| {
        let decoded: SubmitSharesStandard =
            binary_sv2::from_bytes(black_box(&mut payloads[index])).expect("a valid payload");
        black_box(decoded);
    });
    let to_bytes = measure(|index| {
        black_box(binary_sv2::to_bytes(black_box(&shares[index]).clone()).expect("a valid message"));
    });
    let mut target = [0; 64];
    let to_writer = measure(|index| {
        binary_sv2::to_writer(black_box(&shares[index]).clone(), black_box(&mut target)).expect("there is room");
    });
    println!("{}", serde_json::json!({ "from_bytes": from_bytes, "to_bytes": to_bytes, "to_writer": to_writer }));
}
