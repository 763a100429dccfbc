//! Code that the benches share.
#![allow(dead_code, reason = "each bench is a crate of its own and uses its own part of this")]

use std::env;

/// Returns false with `--test` or under `cargo test`. A bench then only checks that it runs.
pub(crate) fn measures() -> bool {
    let arguments: Vec<_> = env::args().collect();
    arguments.iter().any(|argument| argument == "--bench") && !arguments.contains(&"--test".to_owned())
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
