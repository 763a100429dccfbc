//! Our handshake against the one of `noise_sv2`, an independent implementation.

use std::sync::Arc;
use std::time::Duration;

use noise_sv2::NoiseEngine;
use secp256k1::rand::rngs::StdRng;
use secp256k1::rand::{self, CryptoRng, RngCore, SeedableRng};
use secp256k1::{Keypair, Parity, SecretKey, XOnlyPublicKey, schnorr};

use super::shape::ENCODED_KEY;
use super::*;
use crate::sv2::error::{CertificateFault, Error};
use crate::sv2::frame::TAG;

const NOW: u32 = 1_800_000_000;
const VALIDITY: u32 = 3600;

/// Returns the seed in `FRAMEPOOL_SEED`, or a new one, and prints it.
fn seed() -> u64 {
    let seed = std::env::var("FRAMEPOOL_SEED")
        .map_or_else(|_| rand::random(), |text| text.parse().expect("FRAMEPOOL_SEED is a decimal u64"));
    println!("FRAMEPOOL_SEED={seed}");
    seed
}

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Makes the generator that `noise_sv2` takes. It yields what ours yields for the same seed.
fn their_rng(seed: u64) -> ::rand::rngs::StdRng {
    ::rand::SeedableRng::seed_from_u64(seed)
}

fn authority(seed: u64) -> (Keypair, XOnlyPublicKey) {
    let pair = Keypair::new(&mut rng(!seed));
    (pair, pair.x_only_public_key().0)
}

fn our_responder(authority: &Keypair) -> Responder {
    Responder::new(Arc::new(certifier(authority, VALIDITY)))
}

fn certifier(authority: &Keypair, validity: u32) -> Certifier {
    Certifier::new(&authority.x_only_public_key().0, &authority.secret_key(), validity).expect("the keys are a pair")
}

fn their_initiator(authority: &XOnlyPublicKey, seed: u64) -> Box<noise_sv2::Initiator> {
    noise_sv2::Initiator::from_raw_k_with_rng(authority.to_byte_array(), &mut their_rng(seed)).expect("a key")
}

/// Makes their responder. `rng` draws its static key, and signs the certificate after that.
fn their_responder(authority: &Keypair, rng: &mut ::rand::rngs::StdRng) -> Box<noise_sv2::Responder> {
    let (public, secret) = (authority.x_only_public_key().0.to_byte_array(), authority.to_secret_bytes());
    let validity = Duration::from_secs(VALIDITY.into());
    noise_sv2::Responder::from_authority_kp_with_rng(&public, &secret, validity, rng).expect("the keys are a pair")
}

/// A generator that makes our code draw what `noise_sv2` draws for the same seed. Our code draws a key and then the
/// choice of its encoding. Theirs takes the key with an even y of the two keys that share an x coordinate, and encodes
/// it without a choice.
struct AsTheyDraw {
    rng: StdRng,
    /// Keys still to come.
    keys: usize,
    choice_is_next: bool,
}

impl AsTheyDraw {
    fn new(seed: u64, keys: usize) -> Self {
        Self { rng: rng(seed), keys, choice_is_next: false }
    }
}

impl RngCore for AsTheyDraw {
    fn next_u32(&mut self) -> u32 {
        unreachable!("everything is drawn as bytes")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("everything is drawn as bytes")
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        if self.choice_is_next {
            bytes.fill(0);
            self.choice_is_next = false;
            return;
        }
        self.rng.fill_bytes(bytes);
        if self.keys > 0 {
            let mut secret = SecretKey::from_secret_bytes((&*bytes).try_into().expect("32 bytes")).expect("a key");
            if secret.x_only_public_key().1 == Parity::Odd {
                secret = secret.negate();
            }
            bytes.copy_from_slice(secret.as_secret_bytes());
            self.keys -= 1;
            self.choice_is_next = true;
        }
    }
}

impl CryptoRng for AsTheyDraw {}

/// One end of an established connection, ours or theirs.
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

/// Checks that messages go in both directions between `one` and `other`.
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
fn seeded_runs_are_equal_byte_for_byte_but_for_the_choice_of_encodings() {
    let first = seed();
    for seed in (0..20).map(|index| first.wrapping_add(index)) {
        let (pair, public) = authority(seed);

        let (our_initiator, our_act_1) = Initiator::new(Some(public), &mut AsTheyDraw::new(seed, 1));
        let mut their_initiator = their_initiator(&public, seed);
        let their_act_1 = their_initiator.step_0().expect("act 1");
        assert_eq!(our_act_1, their_act_1);

        let mut responder_rng = their_rng(seed ^ 1);
        let (our_act_2, mut our_server) =
            our_responder(&pair).answer(&our_act_1, NOW, &mut AsTheyDraw::new(seed ^ 1, 2)).expect("any act 1 will do");
        let mut their_responder = their_responder(&pair, &mut responder_rng);
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
    let mut responder_rng = their_rng(!seed);
    let (initiator, act_1) = Initiator::new(Some(public), &mut rng(seed));
    let mut responder = their_responder(&pair, &mut responder_rng);
    let (mut act_2, mut server) =
        responder.step_1_with_now_rng(act_1, NOW, &mut responder_rng).expect("any act 1 will do");
    let mut client = initiator.finish(&mut act_2, NOW).expect("act 2 is good");
    assert_connected(&mut client, &mut server);
}

#[test]
fn our_responder_with_their_initiator() {
    let seed = seed();
    let (pair, public) = authority(seed);
    let mut initiator = their_initiator(&public, seed);
    let act_1 = initiator.step_0().expect("act 1");
    let (act_2, mut server) = our_responder(&pair).answer(&act_1, NOW, &mut rng(!seed)).expect("any act 1 will do");
    let mut client = initiator.step_2_with_now(act_2, NOW).expect("act 2 is good");
    assert_connected(&mut server, &mut client);
}

#[test]
fn a_static_key_serves_for_half_the_validity_of_its_certificate() {
    let seed = seed();
    let (pair, public) = authority(seed);
    let rng = &mut rng(!seed);
    for (validity, longest_use) in [(0, 0), (1, 0), (100, 50), (7200, 3600), (1 << 20, 3600), (u32::MAX, 3600)] {
        let certifier = certifier(&pair, validity);
        let key = certifier.certified_key(NOW, rng);
        assert_eq!(certificate::verify(&key.certificate, &key.pair.x_only, NOW, Some(&public)), Ok(()));
        let later = certifier.certified_key(NOW + longest_use, rng);
        assert!(Arc::ptr_eq(&key, &later), "{validity} s");
        let next = certifier.certified_key(NOW + longest_use + 1, rng);
        assert_ne!(key.pair.x_only, next.pair.x_only, "{validity} s");
        // The clock is set back: the certificate would not be valid yet.
        let earlier = certifier.certified_key(NOW, rng);
        assert_ne!(earlier.pair.x_only, next.pair.x_only, "{validity} s");
        assert_eq!(certificate::verify(&earlier.certificate, &earlier.pair.x_only, NOW, Some(&public)), Ok(()));
    }
}

#[test]
fn handshakes_of_one_server_have_different_ephemeral_keys_and_ciphers() {
    let seed = seed();
    let (pair, public) = authority(seed);
    let certifier = Arc::new(certifier(&pair, VALIDITY));
    let rng = &mut rng(!seed);
    let [(act_2, mut client, mut server), (other_act_2, _, mut other_server)] = [(); 2].map(|()| {
        let (initiator, act_1) = Initiator::new(Some(public), rng);
        let responder = Responder::new(Arc::clone(&certifier));
        let (act_2, server) = responder.answer(&act_1, NOW, rng).expect("any act 1 will do");
        (act_2, initiator.finish(&mut act_2.clone(), NOW).expect("act 2 is good"), server)
    });
    assert_ne!(act_2[..ENCODED_KEY], other_act_2[..ENCODED_KEY]);
    let mut message = vec![1; 64];
    client.seal(&mut message);
    assert!(other_server.opening.open(b"", &mut message.clone()).is_err());
    server.open(&mut message);
    assert_connected(&mut client, &mut server);
}

/// Returns every copy of `message` with one bit changed.
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
    let (_, act_1) = Initiator::new(Some(public), &mut AsTheyDraw::new(seed, 1));
    for (bit, changed) in corrupted(act_1).enumerate() {
        // Any 64 bytes decode to a key, so the initiator is the one that notices.
        let (mut act_2, _) = our_responder(&pair).answer(&changed, NOW, &mut rng(seed ^ 1)).expect("any act 1 will do");
        let mut theirs = their_initiator(&public, seed);
        assert_eq!(theirs.step_0(), Ok(act_1));
        assert!(theirs.step_2_with_now(act_2, NOW).is_err(), "bit {bit}");
        let (ours, _) = Initiator::new(Some(public), &mut AsTheyDraw::new(seed, 1));
        assert_eq!(ours.finish(&mut act_2, NOW).err(), Some(Error::Handshake), "bit {bit}");
    }
}

#[test]
fn after_any_bit_of_act_2_is_changed_the_initiator_does_not_go_on() {
    let seed = seed();
    let (pair, _) = authority(seed);
    // Without an authority, only the handshake itself can notice.
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

#[test]
fn the_curve_functions_are_those_of_secp256k1() {
    let mut rng = rng(seed());
    for _ in 0..200 {
        let secret = SecretKey::new(&mut rng);
        let theirs = Keypair::from_secret_key(&secret);
        assert_eq!(curve::public_key(&secret), secret.public_key());
        let ours = curve::key_pair(&secret);
        assert_eq!(ours.x_only_public_key().0, theirs.x_only_public_key().0);
        let (mut message, mut random) = ([0; 32], [0; 32]);
        rng.fill_bytes(&mut message);
        rng.fill_bytes(&mut random);
        let signature = schnorr::sign_with_aux_rand(&message, &theirs, &random);
        for pair in [ours, theirs] {
            assert_eq!(curve::sign(&message, &pair, &random), signature);
        }
    }
}
