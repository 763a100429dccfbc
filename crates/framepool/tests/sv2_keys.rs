//! Authority keys.

mod sv2_support;

use framepool::sv2::{Error, Options, Session, State, generate_authority_keypair};
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
    Session::responder(Options::default(), public, secret, HOUR)
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
    // Of key-utils' own tests: version 12, and one byte short.
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

#[test]
fn the_output_size_is_checked() {
    for size in [0, 100, usize::MAX] {
        let options = Options { output_size: size, ..Options::default() };
        let error = Session::initiator(options, None).err().expect("the size is refused");
        assert_eq!((error.code(), &error), ("ERR_OUT_OF_RANGE", &Error::OutputSize(size)));
        assert!(error.to_string().contains("power of two"));
    }
}
