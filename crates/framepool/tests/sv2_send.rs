//! Sending and forwarding: the output, its mark, its order, and forged tables.

mod sv2_support;

mod shown_support;

use framepool::ring::InvalidCount;
use framepool::sv2::{Error, FrameHeader, MAX_PAYLOAD, Options, Session, State};
use rand::Rng;
use shown_support::show;
use sv2_support::{
    Owned, assert_same, connected, connected_with, drain, frame, options, owned, pool, receive, receive_cut, rng, send,
    wire,
};

const HEADER: FrameHeader = FrameHeader { extension_type: 0, message_type: 7 };

/// Makes a client whose output ring has `size` bytes, and its server.
fn with_output(size: usize) -> (Session, Session) {
    connected_with(Options { output_size: size, ..options() }, options())
}

#[test]
fn a_payload_beyond_the_protocol_is_refused_and_changes_nothing() {
    let (mut client, mut server) = connected();
    let before = client.stats();
    let error = Error::FrameTooLarge { length: MAX_PAYLOAD + 1, max: MAX_PAYLOAD };
    assert_eq!(client.send(HEADER, &vec![0; MAX_PAYLOAD + 1]), Err(error));
    assert_eq!((client.stats(), client.state(), client.error()), (before, State::Transport, None));

    let bytes = wire(&mut client, &[(HEADER, b"still here".to_vec())]);
    assert_eq!(receive(&mut server, &bytes).unwrap().len(), 1);
}

#[test]
fn sent_frames_may_be_larger_than_received_ones() {
    let mut small = connected_with(Options { max_frame_size: 10, ..options() }, options());
    let bytes = wire(&mut small.0, &[(HEADER, vec![1; 100])]);
    assert_eq!(receive(&mut small.1, &bytes).unwrap().len(), 1);
}

#[test]
fn a_frame_larger_than_the_ring_goes_out_whole() {
    let mut rng = rng();
    let (mut client, mut server) = with_output(1024);
    let sent = [frame(&mut rng, 500_000), frame(&mut rng, 3)];
    send(&mut client, &sent);

    let output = client.output();
    assert_eq!(output.pending(), 22 + 500_000 + 8 * 16 + 22 + 3 + 16);
    assert_eq!((output.available(), output.size()), (1024, 1024));
    let mut bytes = Vec::new();
    while output.available() > 0 {
        let spans = output.peek();
        let at_hand = spans.first.len() + spans.second.len();
        assert_eq!(at_hand, output.pending().min(1024), "the ring is refilled each time it is drained");
        for span in [spans.first, spans.second] {
            // SAFETY: `peek` describes bytes of the ring, and nothing is written to it meanwhile.
            bytes.extend_from_slice(unsafe {
                std::slice::from_raw_parts(output.base().as_ptr().add(span.start), span.len())
            });
        }
        // Never the whole ring, so that its spans wrap.
        let count = at_hand.min(1000);
        bytes.truncate(bytes.len() - (at_hand - count));
        output.consume(count).unwrap();
    }
    assert_eq!(output.pending(), 0);
    assert_same(&receive(&mut server, &bytes).unwrap(), &sent);
}

#[test]
fn consuming_more_than_is_at_hand_frees_nothing() {
    let (mut client, mut server) = with_output(64);
    send(&mut client, &[(HEADER, vec![1; 100])]);
    let output = client.output();
    assert_eq!(output.consume(65), Err(InvalidCount { count: 65, available: 64 }));
    assert_eq!(output.pending(), 138);
    let bytes = drain(&mut client);
    assert_eq!(receive(&mut server, &bytes).unwrap().len(), 1);
}

#[test]
fn the_mark_is_the_ring_and_drained_is_half_of_it() {
    let (mut client, _server) = with_output(128);
    // 22 + 26 + 16 bytes are half the ring.
    assert!(client.output().is_drained());
    assert_eq!(client.send(HEADER, &[0; 26]), Ok(true));
    assert!(client.output().is_drained() && !client.output().is_over_high_water());
    assert_eq!(client.send(HEADER, &[0; 26]), Ok(false));
    assert!(!client.output().is_drained() && client.output().is_over_high_water(), "128 of 128");
    assert_eq!(client.send(HEADER, &[0; 1000]), Ok(false), "over the mark, yet nothing is dropped");

    let output = client.output();
    output.read(&mut vec![0; output.pending() - 127]);
    assert!(!output.is_over_high_water() && !output.is_drained(), "127 of 128");
    output.consume(63).unwrap();
    assert!(output.is_drained(), "64 of 128");
}

#[test]
fn output_equals_a_model_under_random_sending_and_draining() {
    let mut rng = rng();
    for _ in 0..50 {
        let size = 1 << rng.gen_range(0..14);
        let (mut client, mut server) = with_output(size);
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        let (mut pushed, mut drained) = (client.output().position(), client.output().position());
        for _ in 0..100 {
            if rng.gen_bool(0.5) {
                let length = if rng.gen_bool(0.05) { rng.gen_range(0..150_000) } else { rng.gen_range(0..500) };
                let frame = frame(&mut rng, length);
                pushed += (22 + length + length.div_ceil(65_519) * 16) as u64;
                assert_eq!(client.send(frame.0, &frame.1), Ok(pushed - drained < size as u64));
                sent.push(frame);
            } else if rng.gen_bool(0.1) {
                client.shrink();
            } else {
                let mut bytes = vec![0; rng.gen_range(0..3000)];
                let output = client.output();
                let count = if rng.gen_bool(0.5) {
                    output.read(&mut bytes)
                } else {
                    // Like a socket, takes a part of what is available.
                    let count = bytes.len().min(output.available());
                    assert_eq!(output.read(&mut bytes[..count]), count);
                    count
                };
                drained += count as u64;
                received.append(&mut receive_cut(&mut server, &bytes[..count], || 700).unwrap());
            }
            let output = client.output();
            assert_eq!(output.pending() as u64, pushed - drained);
            assert_eq!(
                output.available(),
                output.pending().min(output.size()),
                "the ring is full while anything is queued"
            );
            assert_eq!(output.position(), drained);
            assert_eq!(client.stats().bytes_out, pushed);
        }
        received.append(&mut receive(&mut server, &drain(&mut client)).unwrap());
        assert_same(&received, &sent);
    }
}

#[test]
fn queue_memory_returns_when_it_is_drained() {
    let (mut client, _server) = with_output(1024);
    let idle = client.stats().memory_bytes;
    for _ in 0..2 {
        send(&mut client, &[(HEADER, vec![1; 8_000_000])]);
        let full = client.stats().memory_bytes - idle;
        assert!((8_000_000..8_100_000).contains(&full), "no more than the frame needs: {full}");
        drain(&mut client);
        assert_eq!(client.stats().memory_bytes, idle);
    }
}

#[test]
fn an_idle_connection_through_a_relay_holds_little() {
    let Relay { mut client, mut near, mut far, mut server } = relay();
    let sent: Vec<Owned> = vec![(HEADER, vec![1; 64]); 8];
    for _ in 0..100 {
        let bytes = wire(&mut client, &sent);
        let batch = near.receive(&bytes, &mut pool()).unwrap().unwrap();
        far.forward(&batch.slice, batch.table, 0..batch.frames).unwrap();
        assert_same(&receive(&mut server, &drain(&mut far)).unwrap(), &sent);
    }
    assert!(near.stats().memory_bytes + far.stats().memory_bytes <= 4096);
}

#[test]
fn a_frame_is_sealed_at_every_place_of_the_ring() {
    let mut rng = rng();
    // One piece, one that fills the ring, and one beyond it; then several chunks, some of which wrap.
    for (size, lengths) in [(256, &[0, 1, 64, 218, 219, 400][..]), (1 << 18, &[200_000, 131_038])] {
        let options = Options { output_size: size, output_start: size, ..options() };
        let (mut client, mut server) = connected_with(options, options);
        let mut begins = Vec::new();
        for length in lengths {
            for place in (0..size).step_by(size / 256) {
                // A frame that ends where the next is to begin. The shortest frame with a payload has 39 bytes.
                let at = client.output().position() as usize;
                let mut step = (place + size - at % size) % size;
                step += if step < 39 { size } else { 0 };
                let chunks = (step - 39) / 65_535 + 1;
                for one in [(HEADER, vec![7; step - 22 - 16 * chunks]), frame(&mut rng, *length)] {
                    let bytes = wire(&mut client, std::slice::from_ref(&one));
                    assert_same(&receive(&mut server, &bytes).unwrap(), &[one]);
                    begins.push(client.output().position() as usize % size);
                }
                assert_eq!(begins[begins.len() - 2], place);
            }
        }
    }
}

/// Makes a client whose output grows from 64 to 4,096 bytes, and its server.
fn growing() -> (Session, Session) {
    connected_with(Options { output_start: 64, output_size: 4096, ..options() }, options())
}

#[test]
fn the_ring_grows_with_its_traffic_and_shrinks_on_request() {
    let (mut client, _server) = growing();
    let sizes = |client: &mut Session| (client.output().size(), client.output().generation());
    assert_eq!(sizes(&mut client), (64, 0), "act 1 fits");
    let idle = client.stats().memory_bytes;

    // 102 bytes on the wire, so the ring doubles.
    send(&mut client, &[(HEADER, vec![1; 64])]);
    assert_eq!(sizes(&mut client), (128, 1));
    // The bytes in the ring move to the start of the next one.
    client.output().consume(100).unwrap();
    send(&mut client, &[(HEADER, vec![2; 300])]);
    assert_eq!((sizes(&mut client), client.output().available()), ((512, 2), 2 + 338));
    assert_eq!(client.output().peek().first, 0..340);
    assert_eq!(client.output().position(), 64 + 100);

    send(&mut client, &[(HEADER, vec![3; 100_000])]);
    assert_eq!((sizes(&mut client), client.output().available()), ((4096, 3), 4096), "the largest");
    client.shrink();
    assert_eq!(sizes(&mut client), (4096, 3), "it holds bytes");
    drain(&mut client);
    client.shrink();
    client.shrink();
    assert_eq!((sizes(&mut client), client.stats().memory_bytes), ((64, 4), idle));

    // The mark is the largest size at all times.
    assert_eq!(client.send(HEADER, &vec![0; 4096 - 38 - 1]), Ok(true));
    assert_eq!(client.send(HEADER, &[]), Ok(false));
}

#[test]
fn frames_survive_growth_and_shrinking() {
    let mut rng = rng();
    let (mut client, mut server) = growing();
    let mut generations = 0;
    for _ in 0..500 {
        let sent: Vec<Owned> = (0..rng.gen_range(1..5))
            .map(|_| {
                let length = if rng.gen_bool(0.1) { rng.gen_range(0..9000) } else { rng.gen_range(0..300) };
                frame(&mut rng, length)
            })
            .collect();
        // Sometimes with a part drained, so that the bytes that a ring leaves to the next wrap.
        let (some, rest) = sent.split_at(1);
        send(&mut client, some);
        let mut wire = vec![0; rng.gen_range(0..200)];
        let read = client.output().read(&mut wire);
        wire.truncate(read);
        send(&mut client, rest);
        wire.append(&mut drain(&mut client));
        assert_same(&receive(&mut server, &wire).unwrap(), &sent);
        if rng.gen_bool(0.2) {
            client.shrink();
        }
        assert!(client.output().generation() >= generations);
        generations = client.output().generation();
    }
    assert!(generations > 20, "{generations}");
}

#[test]
fn a_ring_that_was_shown_outlives_its_replacement() {
    let (mut client, mut server) = growing();
    let frames = [(HEADER, vec![1; 10])];
    send(&mut client, &frames);
    let (shown, open) = show(client.output().sight());
    let spans = client.output().peek();
    let bytes = drain(&mut client);

    send(&mut client, &[(HEADER, vec![1; 3000])]);
    let with_replaced = client.stats().memory_bytes;
    client.output().forget_replaced();
    assert_eq!(client.stats().memory_bytes, with_replaced - 64);
    // SAFETY: `open` keeps the memory that was shown, and nothing writes to it any more.
    let seen = [spans.first, spans.second].map(|span| unsafe { &shown.as_ref()[span] }).concat();
    assert_eq!(seen, bytes);
    drop(open);

    // This ring was not shown, so it is not kept.
    drain(&mut client);
    let before = client.stats().memory_bytes - client.output().size();
    client.shrink();
    assert_eq!(client.stats().memory_bytes - client.output().size(), before);
    assert_same(&receive(&mut server, &bytes).unwrap(), &frames);
}

/// Two connections with a relay between them. Frames come from `near`, and go to the server behind `far`.
struct Relay {
    client: Session,
    near: Session,
    far: Session,
    server: Session,
}

fn relay() -> Relay {
    let ((client, near), (far, server)) = (connected(), connected());
    Relay { client, near, far, server }
}

#[test]
fn a_batch_is_forwarded_and_comes_back() {
    let mut rng = rng();
    let Relay { mut client, mut near, mut far, mut server } = relay();
    let sent: Vec<Owned> =
        [0, 1, 100, 65_519, 65_520, 200_000, 7].iter().map(|length| frame(&mut rng, *length)).collect();
    let bytes = wire(&mut client, &sent);

    let mut pool = pool();
    let batch = near.receive(&bytes, &mut pool).unwrap().expect("all frames are whole");
    assert_eq!(far.forward(&batch.slice, batch.table, 0..batch.frames), Ok(false), "more than the output holds");
    assert_same(&receive(&mut server, &drain(&mut far)).unwrap(), &sent);

    // The session may forward to itself: the client gets its frames back.
    near.forward(&batch.slice, batch.table, 0..batch.frames).unwrap();
    assert_same(&receive(&mut client, &drain(&mut near)).unwrap(), &sent);
    assert_eq!((near.stats().frames_in, near.stats().frames_out), (7, 7));
}

#[test]
fn a_part_of_a_batch_is_forwarded() {
    let mut rng = rng();
    let Relay { mut client, mut near, mut far, mut server } = relay();
    let sent: Vec<Owned> = (0..10).map(|length| frame(&mut rng, length)).collect();
    let bytes = wire(&mut client, &sent);
    let batch = near.receive(&bytes, &mut pool()).unwrap().unwrap();
    for range in [3..4, 0..0, 8..10, 5..8] {
        assert_eq!(far.forward(&batch.slice, batch.table, range.clone()), Ok(true));
        assert_same(&receive(&mut server, &drain(&mut far)).unwrap(), &sent[range]);
    }
}

#[test]
fn a_forged_table_is_refused_and_nothing_sent() {
    let Relay { mut client, mut near, mut far, mut server } = relay();
    let sent: Vec<Owned> = (0..5).map(|length| (HEADER, vec![length; 40])).collect();
    let bytes = wire(&mut client, &sent);
    let batch = near.receive(&bytes, &mut pool()).unwrap().unwrap();
    let table = batch.table;
    let before = far.stats();

    // Offset and length of the third entry. Payloads end at 200.
    let forged: [(u32, u32); 8] = [
        (161, 40),
        (0, 201),
        (200, 1),
        (201, 0),
        (u32::MAX, 1),
        (1, u32::MAX),
        (u32::MAX, u32::MAX),
        (table as u32, 12),
    ];
    for (offset, length) in forged {
        let mut slice = batch.slice.clone();
        slice[table + 24..table + 28].copy_from_slice(&offset.to_le_bytes());
        slice[table + 28..table + 32].copy_from_slice(&length.to_le_bytes());
        assert_eq!(far.forward(&slice, table, 0..5), Err(Error::Internal), "{offset}, {length}");
        assert_eq!(far.stats(), before);
    }
    for (table, range) in
        [(table, 0..6), (table, 5..6), (table, 0..usize::MAX), (table + 1, 0..5), (usize::MAX, 0..1), (0, 4..5)]
    {
        assert_eq!(far.forward(&batch.slice, table, range.clone()), Err(Error::Internal), "{table}, {range:?}");
    }
    assert_eq!(far.forward(&[], 0, 0..1), Err(Error::Internal));
    assert_eq!((far.stats(), far.state(), far.error()), (before, State::Transport, None));

    // The session goes on, and its ciphers are in step.
    far.forward(&batch.slice, table, 0..5).unwrap();
    assert_same(&receive(&mut server, &drain(&mut far)).unwrap(), &sent);
}

#[test]
fn a_scribbled_batch_never_panics() {
    let mut rng = rng();
    let Relay { mut client, mut near, mut far, mut server } = relay();
    let bytes = wire(&mut client, &vec![(HEADER, vec![1; 20]); 10]);
    let batch = near.receive(&bytes, &mut pool()).unwrap().unwrap();
    for _ in 0..2000 {
        let mut slice = batch.slice.clone();
        for _ in 0..rng.gen_range(1..4) {
            let index = rng.gen_range(0..slice.len());
            slice[index] = rng.r#gen();
        }
        let sent = far.forward(&slice, batch.table, 0..10);
        let received = receive(&mut server, &drain(&mut far)).unwrap();
        assert_eq!(received.len(), if sent.is_ok() { 10 } else { 0 });
        assert!(matches!(sent, Ok(_) | Err(Error::Internal)));
    }
}

#[test]
fn an_entry_longer_than_a_frame_is_refused() {
    let (mut client, mut server) = connected();
    let table = MAX_PAYLOAD + 1;
    let mut slice = vec![0; table + 12];
    slice[table + 4..table + 8].copy_from_slice(&(table as u32).to_le_bytes());
    let error = Error::FrameTooLarge { length: table, max: MAX_PAYLOAD };
    assert_eq!(client.forward(&slice, table, 0..1), Err(error));
    assert_eq!(client.output().pending(), 0);
    let bytes = wire(&mut client, &[(HEADER, vec![])]);
    assert_eq!(receive(&mut server, &bytes).unwrap().len(), 1);
}

#[test]
fn a_batch_forwards_after_its_session_is_gone() {
    let Relay { mut client, mut near, mut far, mut server } = relay();
    let sent = [(HEADER, b"survives".to_vec())];
    let bytes = wire(&mut client, &sent);
    let batch = near.receive(&bytes, &mut pool()).unwrap().unwrap();
    drop(near);
    far.forward(&batch.slice, batch.table, 0..1).unwrap();
    assert_same(&receive(&mut server, &drain(&mut far)).unwrap(), &sent);
    assert_same(&owned(&batch), &sent);
}
