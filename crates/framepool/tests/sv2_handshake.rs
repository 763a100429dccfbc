//! The handshake: both roles, any cut, and every way to fail.

mod sv2_support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use framepool::Coded;
use framepool::sv2::{CertificateFault, Error, FrameHeader, Options, Session, State, generate_authority_keypair};
use noise_sv2::Responder;
use rand::Rng;
use secp256k1::PublicKey;
use secp256k1::ellswift::ElligatorSwift;
use sv2_support::{
    HOUR, PUBLIC, SECRET, assert_same, connected, drain, frame, identity, initiator, receive, receive_cut, responder,
    rng, send,
};

const HEADER: FrameHeader = FrameHeader { extension_type: 0, message_type: 0 };

/// Checks that `error` ended the session, and that every call now returns it.
fn assert_failed(session: &mut Session, error: &Error) {
    assert_eq!((session.state(), session.error()), (State::Closed, Some(error)));
    assert_eq!(receive(session, b"").as_ref(), Err(error));
    assert_eq!(session.send(HEADER, b"").as_ref(), Err(error));
    assert_eq!(session.forward(&[], 0, 0..0).as_ref(), Err(error));
}

#[test]
fn smoke() {
    let (mut initiator, mut responder) = (initiator(), responder());
    assert_eq!((initiator.state(), responder.state()), (State::Handshake, State::Handshake));
    assert_eq!((initiator.output().pending(), responder.output().pending()), (64, 0));

    assert_eq!(receive(&mut responder, &drain(&mut initiator)), Ok(vec![]));
    assert_eq!((responder.state(), responder.output().pending()), (State::Transport, 234));
    assert_eq!(initiator.state(), State::Handshake);

    assert_eq!(receive(&mut initiator, &drain(&mut responder)), Ok(vec![]));
    assert_eq!((initiator.state(), initiator.output().pending()), (State::Transport, 0));
    assert_eq!((initiator.error(), responder.error()), (None, None));

    let (initiator, responder) = (initiator.stats(), responder.stats());
    assert_eq!((initiator.bytes_out, initiator.bytes_in, initiator.frames_in), (64, 234, 0));
    assert_eq!((responder.bytes_out, responder.bytes_in, responder.frames_out), (234, 64, 0));
}

#[test]
fn any_cut_will_do() {
    let mut rng = rng();
    for most in [1, 2, 50, 300] {
        let (mut initiator, mut responder) = (initiator(), responder());
        receive_cut(&mut responder, &drain(&mut initiator), || rng.gen_range(1..=most)).unwrap();
        receive_cut(&mut initiator, &drain(&mut responder), || rng.gen_range(1..=most)).unwrap();
        assert_eq!((initiator.state(), responder.state()), (State::Transport, State::Transport));
    }
}

#[test]
fn a_small_output_holds_the_handshake() {
    let options = Options { output_size: 1, ..Options::default() };
    let mut initiator = Session::initiator(options, Some(PUBLIC)).unwrap();
    let mut responder = Session::responder(options, &identity(HOUR)).unwrap();
    receive(&mut responder, &drain(&mut initiator)).unwrap();
    receive(&mut initiator, &drain(&mut responder)).unwrap();
    assert_eq!(initiator.state(), State::Transport);
}

#[test]
fn frames_may_follow_in_the_chunk_of_the_handshake() {
    let mut rng = rng();
    let (mut initiator, mut responder) = (initiator(), responder());
    receive(&mut responder, &drain(&mut initiator)).unwrap();
    let frames = [frame(&mut rng, 100), frame(&mut rng, 0), frame(&mut rng, 70_000)];
    send(&mut responder, &frames);
    assert_same(&receive(&mut initiator, &drain(&mut responder)).unwrap(), &frames);
}

#[test]
fn garbage_after_act_1_ends_the_responder_with_its_answer_drainable() {
    let (mut initiator, mut responder) = (initiator(), responder());
    let mut wire = drain(&mut initiator);
    wire.extend([7; 22]);
    assert_eq!(receive(&mut responder, &wire), Err(Error::Aead));
    assert_failed(&mut responder, &Error::Aead);
    assert_eq!(receive(&mut initiator, &drain(&mut responder)), Ok(vec![]));
    assert_eq!(initiator.state(), State::Transport);
}

#[test]
fn a_tampered_act_1_fails_at_the_initiator() {
    for index in 0..64 {
        let (mut initiator, mut responder) = (initiator(), responder());
        let mut act1 = drain(&mut initiator);
        act1[index] ^= 1;
        receive(&mut responder, &act1).expect("any 64 bytes are a key");
        assert_eq!(receive(&mut initiator, &drain(&mut responder)), Err(Error::Handshake), "byte {index}");
        assert_failed(&mut initiator, &Error::Handshake);
    }
}

#[test]
fn a_tampered_act_2_fails_at_the_initiator() {
    for index in 0..234 {
        let (mut initiator, mut responder) = (initiator(), responder());
        receive(&mut responder, &drain(&mut initiator)).unwrap();
        let mut act2 = drain(&mut responder);
        act2[index] ^= 0x80;
        assert_eq!(receive(&mut initiator, &act2), Err(Error::Handshake), "byte {index}");
        assert_failed(&mut initiator, &Error::Handshake);
    }
}

/// Returns a property of `key` that random bytes do not have: whether it is the one encoding that follows from its
/// point.
#[allow(deprecated, reason = "the encoding without a choice, which must not be used, is what is looked for")]
fn is_recognizable(key: [u8; 64]) -> bool {
    let key = ElligatorSwift::from_byte_array(key);
    ElligatorSwift::from_pubkey(PublicKey::from_ellswift(key)) == key
}

/// Panics unless `keys` look like strings of 64 random bytes. Each limit is ten standard deviations from the mean, and
/// refuses less than one in 10^17 sets of random strings.
fn assert_random(keys: &[[u8; 64]]) {
    assert_eq!(keys.iter().filter(|&&key| is_recognizable(key)).count(), 0, "keys are the encoding of their point");

    let float = |count: usize| f64::from(count as u32);
    let count = float(keys.len());
    let half = |of: f64| (of / 2.0 - 5.0 * of.sqrt())..=(of / 2.0 + 5.0 * of.sqrt());
    let bit = |key: &[u8; 64], bit: usize| key[bit / 8] >> (bit % 8) & 1;
    for index in 0..512 {
        let ones: u32 = keys.iter().map(|key| u32::from(bit(key, index))).sum();
        assert!(half(count).contains(&f64::from(ones)), "bit {index} is 1 in {ones} of {count} keys");
        // Neither half tells anything of the other, nor one key of the next.
        let other = (index + 256) % 512;
        let equal = float(keys.iter().filter(|key| bit(key, index) == bit(key, other)).count());
        assert!(half(count).contains(&equal), "bits {index} and {other} are equal in {equal} of {count} keys");
        let equal = float(keys.windows(2).filter(|pair| bit(&pair[0], index) == bit(&pair[1], index)).count());
        assert!(half(count - 1.0).contains(&equal), "bit {index} is that of the key before in {equal} of {count}");
    }
    // Chi-squared of the byte values of u and of t, with 255 degrees of freedom.
    for half in [0..32, 32..64] {
        let mut seen = [0_u32; 256];
        keys.iter().flat_map(|key| &key[half.clone()]).for_each(|&byte| seen[usize::from(byte)] += 1);
        let expected = count * 32.0 / 256.0;
        let distance: f64 = seen.iter().map(|&seen| (f64::from(seen) - expected).powi(2) / expected).sum();
        assert!(distance < 255.0 + 10.0 * 510_f64.sqrt() + 100.0, "bytes {half:?} of the keys: chi-squared {distance}");
    }
}

#[test]
fn keys_on_the_wire_look_like_random_bytes() {
    let (initiators, responders): (Vec<_>, Vec<_>) = (0..2000)
        .map(|_| {
            let (mut initiator, mut responder) = (initiator(), responder());
            let act_1 = drain(&mut initiator);
            receive(&mut responder, &act_1).unwrap();
            (<[u8; 64]>::try_from(act_1).unwrap(), *drain(&mut responder).first_chunk().unwrap())
        })
        .unzip();
    assert_random(&initiators);
    assert_random(&responders);
}

/// Runs an initiator with this authority key against a server that the documented pair certified.
fn against_documented_server(authority: Option<&str>) -> Session {
    let mut initiator = Session::initiator(Options::default(), authority).unwrap();
    let mut responder = responder();
    receive(&mut responder, &drain(&mut initiator)).unwrap();
    let result = receive(&mut initiator, &drain(&mut responder));
    assert_eq!(result.err().as_ref(), initiator.error());
    initiator
}

#[test]
fn another_authority_is_refused() {
    let mut initiator = against_documented_server(Some(&generate_authority_keypair().0));
    assert_failed(&mut initiator, &Error::Certificate(CertificateFault::Signature));
    assert!(initiator.error().unwrap().to_string().contains("signed by another authority key"));
    assert_eq!(initiator.error().map(Error::code), Some("ERR_SV2_CERTIFICATE"));
}

#[test]
fn without_an_authority_any_server_is_accepted() {
    assert_eq!(against_documented_server(None).state(), State::Transport);
}

/// Runs an initiator against a server with a certificate for 60 seconds, whose clock is `behind` by some seconds.
fn against_late_server(authority: Option<&str>, behind: u32) -> Session {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32;
    let public: key_utils::Secp256k1PublicKey = PUBLIC.parse().unwrap();
    let secret: key_utils::Secp256k1SecretKey = SECRET.parse().unwrap();
    let mut server =
        Responder::from_authority_kp(&public.into_bytes(), &secret.into_bytes(), Duration::from_mins(1)).unwrap();

    let mut initiator = Session::initiator(Options::default(), authority).unwrap();
    let act1 = drain(&mut initiator).try_into().unwrap();
    let (act2, _) = server.step_1_with_now_rng(act1, now - behind, &mut rand::thread_rng()).unwrap();
    let result = receive(&mut initiator, &act2);
    assert_eq!(result.err().as_ref(), initiator.error());
    initiator
}

#[test]
fn an_expired_certificate_is_refused() {
    assert_eq!(against_late_server(Some(PUBLIC), 0).state(), State::Transport);
    let mut initiator = against_late_server(Some(PUBLIC), 3600);
    let fault = initiator.error().cloned().expect("it was refused");
    // The certificate is for 60 s. Clocks count whole seconds, and the test takes time.
    assert!(matches!(fault, Error::Certificate(CertificateFault::Expired { ago: 3540..3600 })), "{fault}");
    assert_failed(&mut initiator, &fault);
    assert_eq!(against_late_server(None, 3600).state(), State::Transport, "without an authority nothing is checked");
}

#[test]
fn a_validity_of_zero_is_good_for_the_leeway() {
    let mut initiator = initiator();
    let mut responder = Session::responder(Options::default(), &identity(Duration::ZERO)).unwrap();
    receive(&mut responder, &drain(&mut initiator)).unwrap();
    receive(&mut initiator, &drain(&mut responder)).unwrap();
    assert_eq!(initiator.state(), State::Transport);
}

#[test]
fn sending_before_transport_is_refused_and_changes_nothing() {
    let (mut initiator, mut responder) = (initiator(), responder());
    for session in [&mut initiator, &mut responder] {
        let before = session.stats();
        assert_eq!(session.send(HEADER, b"early"), Err(Error::State));
        assert_eq!(session.forward(&[0; 12], 0, 0..1), Err(Error::State));
        assert_eq!((session.state(), session.error(), session.stats()), (State::Handshake, None, before));
    }
    receive(&mut responder, &drain(&mut initiator)).unwrap();
    receive(&mut initiator, &drain(&mut responder)).unwrap();
    assert_eq!(initiator.send(HEADER, b"in time"), Ok(true));
}

#[test]
fn a_closed_session_refuses_everything_and_keeps_its_output() {
    let (mut client, mut server) = connected();
    client.send(HEADER, b"last words").unwrap();
    for session in [&mut client, &mut initiator()] {
        session.close();
        session.close();
        assert_eq!((session.state(), session.error()), (State::Closed, None));
        assert_eq!(receive(session, &[0; 300]), Err(Error::State));
        assert_eq!(session.send(HEADER, b"x"), Err(Error::State));
        assert_eq!(session.forward(&[0; 12], 0, 0..1), Err(Error::State));
    }
    assert_same(&receive(&mut server, &drain(&mut client)).unwrap(), &[(HEADER, b"last words".to_vec())]);
}

#[test]
fn random_bytes_never_panic() {
    let mut rng = rng();
    for _ in 0..100 {
        for mut session in [initiator(), responder()] {
            let noise: Vec<u8> = (0..rng.gen_range(0..600)).map(|_| rng.r#gen()).collect();
            // Noise is either less than a whole act or an error. It never makes a frame.
            let result = receive_cut(&mut session, &noise, || rng.gen_range(1..100));
            assert!(result.as_ref().map_or(true, Vec::is_empty));
            assert_eq!(result.is_err(), session.state() == State::Closed);
        }
    }
}
