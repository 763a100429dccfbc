//! Our handshake against that of `noise_sv2`, an independent implementation.

use noise_sv2::NoiseEngine;
use secp256k1::rand::rngs::StdRng;
use secp256k1::rand::{RngCore, SeedableRng, thread_rng};
use secp256k1::{Keypair, SECP256K1, XOnlyPublicKey};

use super::*;
use crate::sv2::{CertificateFault, Error};

const NOW: u32 = 1_800_000_000;
const VALIDITY: u32 = 3600;

/// The seed of `FRAMEPOOL_SEED`, or a new one; prints it.
fn seed() -> u64 {
    let seed = std::env::var("FRAMEPOOL_SEED")
        .map_or_else(|_| thread_rng().next_u64(), |text| text.parse().expect("FRAMEPOOL_SEED is a decimal u64"));
    println!("FRAMEPOOL_SEED={seed}");
    seed
}

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn authority(seed: u64) -> (Keypair, XOnlyPublicKey) {
    let pair = Keypair::new(SECP256K1, &mut rng(!seed));
    (pair, pair.x_only_public_key().0)
}

fn our_responder(authority: &Keypair) -> Responder {
    Responder::new(&authority.x_only_public_key().0, &authority.secret_key(), VALIDITY).expect("the keys are a pair")
}

/// One end in transport, ours or theirs.
trait End {
    fn seal(&mut self, message: &mut Vec<u8>);
    fn open(&mut self, message: &mut Vec<u8>);
}

impl End for Transport {
    fn seal(&mut self, message: &mut Vec<u8>) {
        let tag = self.sealing.seal(b"", message).expect("nonces are left");
        message.extend(tag);
    }

    fn open(&mut self, message: &mut Vec<u8>) {
        self.opening.open(b"", message).expect("the message is good");
        message.truncate(message.len() - TAG);
    }
}

impl End for NoiseEngine {
    fn seal(&mut self, message: &mut Vec<u8>) {
        self.encrypt(message).expect("nonces are left");
    }

    fn open(&mut self, message: &mut Vec<u8>) {
        self.decrypt(message).expect("the message is good");
    }
}

/// Messages go both ways between `one` and `other`.
fn assert_connected(one: &mut impl End, other: &mut impl End) {
    for length in [0, 1, 6, 64, 65_519] {
        let sent = vec![length as u8; length];
        let mut message = sent.clone();
        one.seal(&mut message);
        assert_eq!(message.len(), length + TAG);
        other.open(&mut message);
        assert!(message == sent, "{length} bytes from one to the other");
        other.seal(&mut message);
        one.open(&mut message);
        assert!(message == sent, "{length} bytes back");
    }
}

#[test]
fn seeded_runs_are_equal_byte_for_byte() {
    let first = seed();
    for seed in (0..20).map(|index| first.wrapping_add(index)) {
        let (pair, public) = authority(seed);

        let (our_initiator, our_act_1) = Initiator::new(Some(public), &mut rng(seed));
        let mut their_initiator = noise_sv2::Initiator::new_with_rng(Some(public), &mut rng(seed));
        let their_act_1 = their_initiator.step_0().expect("act 1");
        assert_eq!(our_act_1, their_act_1);

        let mut responder_rng = rng(seed ^ 1);
        let (our_act_2, mut our_server) =
            our_responder(&pair).answer(&our_act_1, NOW, &mut rng(seed ^ 1)).expect("any act 1 will do");
        let mut their_responder = noise_sv2::Responder::new_with_rng(pair, VALIDITY, &mut responder_rng);
        let (their_act_2, mut their_server) =
            their_responder.step_1_with_now_rng(their_act_1, NOW, &mut responder_rng).expect("any act 1 will do");
        assert_eq!(our_act_2, their_act_2);

        let mut our_client = our_initiator.finish(&mut our_act_2.clone(), NOW).expect("act 2 is good");
        let mut their_client = their_initiator.step_2_with_now(their_act_2, NOW).expect("act 2 is good");

        for length in [0, 6, 64, 65_519] {
            let [mut ours, mut theirs] = [(); 2].map(|()| vec![9; length]);
            our_client.seal(&mut ours);
            their_client.seal(&mut theirs);
            assert!(ours == theirs, "{length} bytes sealed by the initiator");
            our_server.open(&mut theirs);
            their_server.open(&mut ours);
            our_server.seal(&mut ours);
            their_server.seal(&mut theirs);
            assert!(ours == theirs, "{length} bytes sealed by the responder");
            our_client.open(&mut theirs);
            their_client.open(&mut ours);
            assert!(ours == [9].repeat(length) && theirs == ours);
        }
    }
}

#[test]
fn our_initiator_with_their_responder() {
    let seed = seed();
    let (pair, public) = authority(seed);
    let mut rng = rng(seed);
    let (initiator, act_1) = Initiator::new(Some(public), &mut rng);
    let mut responder = noise_sv2::Responder::new_with_rng(pair, VALIDITY, &mut rng);
    let (mut act_2, mut server) = responder.step_1_with_now_rng(act_1, NOW, &mut rng).expect("any act 1 will do");
    let mut client = initiator.finish(&mut act_2, NOW).expect("act 2 is good");
    assert_connected(&mut client, &mut server);
}

#[test]
fn our_responder_with_their_initiator() {
    let seed = seed();
    let (pair, public) = authority(seed);
    let mut rng = rng(seed);
    let mut initiator = noise_sv2::Initiator::new_with_rng(Some(public), &mut rng);
    let act_1 = initiator.step_0().expect("act 1");
    let (act_2, mut server) = our_responder(&pair).answer(&act_1, NOW, &mut rng).expect("any act 1 will do");
    let mut client = initiator.step_2_with_now(act_2, NOW).expect("act 2 is good");
    assert_connected(&mut server, &mut client);
}

/// Every copy of `message` with one bit changed.
fn corrupted<const N: usize>(message: [u8; N]) -> impl Iterator<Item = [u8; N]> {
    (0..N * 8).map(move |bit| {
        let mut message = message;
        message[bit / 8] ^= 1 << (bit % 8);
        message
    })
}

#[test]
fn after_any_bit_of_act_1_is_changed_neither_initiator_goes_on() {
    let seed = seed();
    let (pair, public) = authority(seed);
    let (_, act_1) = Initiator::new(Some(public), &mut rng(seed));
    for (bit, changed) in corrupted(act_1).enumerate() {
        // Any 64 bytes decode to a key: it is the initiator that notices.
        let (mut act_2, _) = our_responder(&pair).answer(&changed, NOW, &mut rng(seed ^ 1)).expect("any act 1 will do");
        let mut theirs = noise_sv2::Initiator::new_with_rng(Some(public), &mut rng(seed));
        assert_eq!(theirs.step_0(), Ok(act_1));
        assert!(theirs.step_2_with_now(act_2, NOW).is_err(), "bit {bit}");
        let (ours, _) = Initiator::new(Some(public), &mut rng(seed));
        assert_eq!(ours.finish(&mut act_2, NOW).err(), Some(Error::Handshake), "bit {bit}");
    }
}

#[test]
fn after_any_bit_of_act_2_is_changed_the_initiator_does_not_go_on() {
    let seed = seed();
    let (pair, _) = authority(seed);
    // Without an authority, so that nothing but the handshake itself can notice.
    let (_, act_1) = Initiator::new(None, &mut rng(seed));
    let (act_2, _) = our_responder(&pair).answer(&act_1, NOW, &mut rng(seed ^ 1)).expect("any act 1 will do");
    for (bit, mut changed) in corrupted(act_2).enumerate() {
        let (initiator, _) = Initiator::new(None, &mut rng(seed));
        assert_eq!(initiator.finish(&mut changed, NOW).err(), Some(Error::Handshake), "bit {bit}");
    }
}

#[test]
fn a_certificate_of_another_version_or_another_key_is_refused() {
    let seed = seed();
    let (pair, public) = authority(seed);
    let (_, server_key) = authority(seed ^ 1);
    let good = certificate::sign(&server_key, NOW, VALIDITY, &pair, &mut rng(seed));
    let signed_by_another = Err(Error::Certificate(CertificateFault::Signature));
    assert_eq!(certificate::verify(&good, &server_key, NOW, Some(&public)), Ok(()));
    assert_eq!(certificate::verify(&good, &public, NOW, Some(&public)), signed_by_another);
    assert_eq!(certificate::verify(&good, &server_key, NOW, Some(&server_key)), signed_by_another);
    for changed in corrupted(good) {
        let version_is_changed = changed[..2] != good[..2];
        let fault = if version_is_changed {
            CertificateFault::Version(u16::from_le_bytes([changed[0], changed[1]]))
        } else {
            CertificateFault::Signature
        };
        assert_eq!(certificate::verify(&changed, &server_key, NOW, Some(&public)), Err(Error::Certificate(fault)));
        assert_eq!(certificate::verify(&changed, &server_key, NOW, None).is_err(), version_is_changed);
    }
}
