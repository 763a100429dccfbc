//! Handshakes per second of each end, on one core: making the session, answering, and dropping it.
//!
//! `responder` makes an identity each time. `responder of one server` uses one identity for all, as a relay does.
//! `curve` is the rate of `secp256k1` alone, for a responder's curve operations by its safe functions, which randomize
//! their context each time. Prints one line of JSON, the median of rounds that take turns.

mod support;
#[path = "../tests/sv2_support/mod.rs"]
mod sv2_support;

use std::hint::black_box;
use std::time::Instant;

use framepool::sv2::{Session, State};
use secp256k1::ellswift::{ElligatorSwift, Party};
use secp256k1::{Keypair, SecretKey, generate_keypair, rand, schnorr};
use support::{measures, median};
use sv2_support::{HOUR, drain, identity, initiator, options, receive, responder};

/// Makes three key pairs, two encodings, two shared secrets and one signature.
fn curve_operations(theirs: ElligatorSwift) {
    let authority = Keypair::new(&mut rand::rng());
    for _ in 0..2 {
        let (secret, public) = generate_keypair(&mut rand::rng());
        let ours = ElligatorSwift::from_pubkey_with_rnd(public, rand::random());
        black_box(ElligatorSwift::shared_secret(theirs, ours, secret, Party::Responder));
    }
    black_box(schnorr::sign(&[7; 32], &authority));
}

/// Returns the number of calls per second.
fn rate(count: u32, mut work: impl FnMut(usize)) -> f64 {
    let start = Instant::now();
    (0..count as usize).for_each(&mut work);
    f64::from(count) / start.elapsed().as_secs_f64()
}

fn main() {
    let (rounds, count) = if measures() { (15, 300) } else { (1, 2) };
    let theirs = ElligatorSwift::from_seckey(SecretKey::new(&mut rand::rng()), None);
    let server = identity(HOUR);
    let mut rates: [Vec<f64>; 4] = Default::default();
    for _ in 0..rounds {
        let mut initiators: Vec<_> = (0..count).map(|_| initiator()).collect();
        let acts_1: Vec<_> = initiators.iter_mut().map(drain).collect();
        let mut acts_2 = Vec::new();
        rates[0].push(rate(count, |index| {
            let mut responder = responder();
            receive(&mut responder, &acts_1[index]).expect("any act 1 will do");
            acts_2.push(drain(&mut responder));
            assert_eq!(responder.state(), State::Transport);
        }));
        rates[3].push(rate(count, |index| {
            let mut responder = Session::responder(options(), &server).expect("memory");
            receive(&mut responder, &acts_1[index]).expect("any act 1 will do");
            black_box(drain(&mut responder));
            assert_eq!(responder.state(), State::Transport);
        }));
        rates[1].push(rate(count, |_| curve_operations(theirs)));
        rates[2].push(rate(count, |index| {
            let mut fresh = initiator();
            drain(&mut fresh);
            receive(&mut initiators[index], &acts_2[index]).expect("act 2 is good");
            assert_eq!(initiators[index].state(), State::Transport);
        }));
    }
    let [responder, curve, initiator, of_one_server] = rates.map(median);
    println!(
        "{}",
        serde_json::json!({
            "bench": "sv2_handshake", "unit": "handshakes/s", "rounds": rounds, "responder": responder, "initiator": initiator,
            "responder of one server": of_one_server,
            "curve": { "rate": curve, "responders for one": responder / curve },
        })
    );
}
