//! Authority keys: made, accepted and refused.

mod sv2_support;

use framepool::Coded;
use framepool::sv2::{Error, Identity, Options, Session, State, generate_authority_keypair};
use key_utils::{Secp256k1PublicKey, Secp256k1SecretKey};
use rand::Rng;
use sv2_support::{HOUR, PUBLIC, SECRET, drain, receive, rng};

fn refusal(result: Result<Session, Error>) -> String {
    let error = result.err().expect("the keys are refused");
    assert_eq!(error.code(), "ERR_SV2_KEY");
    assert!(matches!(error, Error::Key(_)));
    error.to_string()
}

fn responder(public: &str, secret: &str) -> Result<Session, Error> {
    Session::responder(Options::default(), &Identity::new(public, secret, HOUR)?)
}

#[test]
fn documented_pair_round_trips_and_shakes_hands() {
    let secret: Secp256k1SecretKey = SECRET.parse().unwrap();
    assert_eq!(secret.to_string(), SECRET);
    assert_eq!(PUBLIC.parse::<Secp256k1PublicKey>().unwrap().to_string(), PUBLIC);
    assert_eq!(Secp256k1PublicKey::from(secret).to_string(), PUBLIC);

    assert!(responder(PUBLIC, SECRET).is_ok());
    assert!(Session::initiator(Options::default(), Some(PUBLIC)).is_ok());
}

#[test]
fn generated_pairs_differ_and_shake_hands() {
    let (public, secret) = generate_authority_keypair();
    assert_ne!(generate_authority_keypair().0, public);

    let mut initiator = Session::initiator(Options::default(), Some(&public)).unwrap();
    let mut responder = responder(&public, &secret).unwrap();
    receive(&mut responder, &drain(&mut initiator)).unwrap();
    receive(&mut initiator, &drain(&mut responder)).unwrap();
    assert_eq!(initiator.state(), State::Transport);
}

#[test]
fn a_bad_key_is_named_with_its_fault() {
    // From the tests of key-utils: version 12, and one byte short.
    let version = "2myPhc5vkPzuC5FXNK5tee79WmP7uoLh55SxezoF8iqwF3E3rnPY";
    let short = "2wmHTKZkLg2QzXyEXGMBXzKP7JXDUt8yy9SA5hoQwERc92qR6c";
    let mistyped = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH73";
    for (public, fault) in [
        ("", "checksum"),
        ("0OIl", "base58check"),
        ("ключ", "base58check"),
        (mistyped, "checksum"),
        (version, "version"),
        (short, "length"),
        (SECRET, "length"),
    ] {
        for message in
            [refusal(Session::initiator(Options::default(), Some(public))), refusal(responder(public, SECRET))]
        {
            assert!(message.contains("authority public key") && message.contains(fault), "{public:?}: {message}");
        }
    }
    for secret in ["", "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2m", PUBLIC] {
        let message = refusal(responder(PUBLIC, secret));
        assert!(message.contains("authority secret key"), "{secret:?}: {message}");
    }
}

#[test]
fn keys_of_two_pairs_are_refused() {
    let (public, secret) = generate_authority_keypair();
    for message in [refusal(responder(&public, SECRET)), refusal(responder(PUBLIC, &secret))] {
        assert!(message.contains("does not belong"), "{message}");
        assert!(!message.contains(SECRET) && !message.contains(&secret));
    }
}

#[test]
fn random_strings_are_refused() {
    let mut rng = rng();
    for _ in 0..2000 {
        let length = rng.gen_range(0..70);
        let text: String = (0..length).map(|_| rng.gen_range('0'..='z')).collect();
        refusal(responder(&text, SECRET));
        refusal(responder(PUBLIC, &text));
    }
}

/// Returns whether a session accepts `text` as a public key and as a secret key, of any pair.
fn accepted(text: &str) -> (bool, bool) {
    let as_secret = match responder(PUBLIC, text) {
        Ok(_) => true,
        Err(error) => error.to_string().contains("does not belong"),
    };
    (Session::initiator(Options::default(), Some(text)).is_ok(), as_secret)
}

/// Returns whether the reference implementation's crate accepts `text` as each of the two keys.
fn accepted_by_key_utils(text: &str) -> (bool, bool) {
    (text.parse::<Secp256k1PublicKey>().is_ok(), text.parse::<Secp256k1SecretKey>().is_ok())
}

#[test]
fn key_utils_takes_and_refuses_the_same_keys() {
    let mut rng = rng();
    let mut seen = [(false, false); 3].map(|which| (which, 0));
    seen[1].0 = (true, false);
    seen[2].0 = (false, true);
    for _ in 0..5000 {
        // The bytes are often a key: half of all x coordinates are on the curve, and almost all secrets are below its
        // order.
        let mut bytes: Vec<u8> = (0..[32, 34][rng.gen_range(0..2)]).map(|_| rng.r#gen()).collect();
        if bytes.len() == 34 {
            bytes[..2].copy_from_slice(&[[1, 0], [1, 0], [0, 1], [2, 0], [1, 1]][rng.gen_range(0..5)]);
        }
        match rng.gen_range(0..10) {
            0 => bytes.truncate(rng.gen_range(0..34)),
            1 => bytes.extend([0, 7, 9]),
            2 => bytes.fill([0, 255][rng.gen_range(0..2)]),
            _ => (),
        }
        let text = bs58::encode(&bytes).with_check().into_string();
        let answer = accepted(&text);
        assert_eq!(answer, accepted_by_key_utils(&text), "{bytes:?}");
        seen.iter_mut().filter(|(which, _)| *which == answer).for_each(|(_, count)| *count += 1);
    }
    assert!(seen.iter().all(|(_, count)| *count > 200), "{seen:?}");
}

#[test]
fn key_utils_prints_generated_keys_alike() {
    for _ in 0..100 {
        let (public, secret) = generate_authority_keypair();
        let theirs: Secp256k1SecretKey = secret.parse().unwrap();
        assert_eq!((theirs.to_string(), Secp256k1PublicKey::from(theirs).to_string()), (secret, public));
    }
}

#[test]
fn a_text_of_any_length_is_refused_at_once() {
    // Decoding takes time with the square of the length, which is minutes for a megabyte.
    for length in [129, 1 << 20] {
        assert!(refusal(responder(PUBLIC, &"z".repeat(length))).contains("wrong length"));
    }
}

#[test]
fn the_output_size_is_checked() {
    for size in [0, 100, usize::MAX] {
        let options = Options { output_size: size, ..Options::default() };
        let error = Session::initiator(options, None).err().expect("the size is refused");
        assert_eq!((error.code(), &error), ("ERR_OUT_OF_RANGE", &Error::OutputSize(size)));
        assert!(error.to_string().contains("power of two"));
    }
}
