//! Receiving: cuts, batches, limits, errors and memory.

mod sv2_support;

use buffer_sv2::Buffer;
use framepool::Coded;
use framepool::sv2::{Error, FrameHeader, Options, Session, State, spare_bytes};
use rand::Rng;
use sv2_support::{
    Owned, SIZES, assert_same, connected, connected_with, drain, frame, options, owned, pool, receive, receive_cut,
    receive_in, rng, wire,
};

const HEADER: FrameHeader = FrameHeader { extension_type: 0x8001, message_type: 0x1e };

#[test]
fn every_size_arrives_in_one_chunk() {
    let mut rng = rng();
    let (mut client, mut server) = connected();
    for size in SIZES {
        let frames = [frame(&mut rng, size)];
        let bytes = wire(&mut client, &frames);
        assert_eq!(bytes.len(), 22 + size + size.div_ceil(65_519) * 16);
        assert_same(&receive(&mut server, &bytes).unwrap(), &frames);
        // The other direction.
        let bytes = wire(&mut server, &frames);
        assert_same(&receive(&mut client, &bytes).unwrap(), &frames);
    }
    let stats = server.stats();
    assert_eq!((stats.frames_in, stats.frames_out), (SIZES.len() as u64, SIZES.len() as u64));
    let sealed: usize = SIZES.iter().map(|size| 22 + size + size.div_ceil(65_519) * 16).sum();
    assert_eq!((stats.bytes_in, stats.bytes_out), (64 + sealed as u64, 234 + sealed as u64));
}

#[test]
fn every_size_arrives_byte_by_byte() {
    let mut rng = rng();
    let (mut client, mut server) = connected();
    let frames: Vec<Owned> = SIZES[..8].iter().map(|size| frame(&mut rng, *size)).collect();
    let bytes = wire(&mut client, &frames);
    assert_same(&receive_cut(&mut server, &bytes, || 1).unwrap(), &frames);
}

#[test]
fn every_size_arrives_in_random_cuts() {
    let mut rng = rng();
    for most in [3, 30, 3_000, 100_000, 3_000_000] {
        let (mut client, mut server) = connected();
        let mut frames: Vec<Owned> = SIZES[..8].iter().map(|size| frame(&mut rng, *size)).collect();
        frames.extend((0..200).map(|_| {
            let length = rng.gen_range(0..200);
            frame(&mut rng, length)
        }));
        let bytes = wire(&mut client, &frames);
        assert_same(&receive_cut(&mut server, &bytes, || rng.gen_range(1..=most)).unwrap(), &frames);
    }
}

#[test]
fn the_largest_frame_arrives_in_reads_of_a_socket() {
    let mut rng = rng();
    let (mut client, mut server) = connected();
    let frames = [frame(&mut rng, 16_777_215), frame(&mut rng, 10)];
    let bytes = wire(&mut client, &frames);
    assert_same(&receive_cut(&mut server, &bytes, || 65_536).unwrap(), &frames);
}

#[test]
fn the_frames_of_a_chunk_share_one_slice() {
    let mut rng = rng();
    let (mut client, mut server) = connected();
    let sent: Vec<Owned> = (0..1000).map(|index| frame(&mut rng, index % 40)).collect();
    let bytes = wire(&mut client, &sent);

    // The last frame lacks a byte. It is not in the batch, and comes with that byte.
    let mut pool = pool();
    let (last, first) = bytes.split_last().unwrap();
    let batch = server.receive(first, &mut pool).unwrap().expect("999 frames are whole");
    assert_eq!(batch.frames, 999);
    assert_eq!(batch.table, sent[..999].iter().map(|frame| frame.1.len()).sum::<usize>());
    assert_same(&owned(&batch), &sent[..999]);
    assert_same(&receive_in(&mut server, &[*last], &mut pool).unwrap(), &sent[999..]);
}

#[test]
fn empty_frames_fill_a_batch() {
    let (mut client, mut server) = connected();
    let sent = vec![(HEADER, vec![]); 500];
    let bytes = wire(&mut client, &sent);
    assert_same(&receive(&mut server, &bytes).unwrap(), &sent);
}

#[test]
fn without_a_whole_frame_the_pool_is_not_touched() {
    let (mut client, mut server) = connected();
    let bytes = wire(&mut client, &[(HEADER, vec![1; 100])]);
    let (last, first) = bytes.split_last().unwrap();
    let mut pool = pool();
    assert!(server.receive(b"", &mut pool).unwrap().is_none());
    assert!(server.receive(first, &mut pool).unwrap().is_none());
    assert_eq!(Buffer::len(&pool), 0);
    assert_eq!(server.receive(&[*last], &mut pool).unwrap().expect("the frame is whole").frames, 1);
}

#[test]
fn a_pool_in_use_is_refused_and_nothing_consumed() {
    let (mut client, mut server) = connected();
    let sent = [(HEADER, b"once".to_vec())];
    let bytes = wire(&mut client, &sent);
    let mut pool = pool();
    pool.get_writable(3).fill(9);
    let before = server.stats();
    assert_eq!(server.receive(&bytes, &mut pool).unwrap_err(), Error::Busy);
    assert_eq!((server.stats(), server.state(), server.error()), (before, State::Transport, None));
    assert_eq!(pool.get_data_owned(), [9; 3]);
    assert_same(&receive_in(&mut server, &bytes, &mut pool).unwrap(), &sent);
}

#[test]
fn a_start_left_in_the_pool_does_no_harm() {
    let (mut client, mut server) = connected();
    let sent = [(HEADER, b"all of it".to_vec()), (HEADER, b"and this".to_vec())];
    let bytes = wire(&mut client, &sent);
    let mut pool = pool();
    pool.danger_set_start(5);
    assert_same(&receive_in(&mut server, &bytes, &mut pool).unwrap(), &sent);
}

fn limited(max_frame_size: usize) -> (Session, Session) {
    connected_with(options(), Options { max_frame_size, ..Options::default() })
}

#[test]
fn a_frame_of_the_maximum_is_taken_and_one_byte_more_is_not() {
    let (mut client, mut server) = limited(1000);
    let fits = [(HEADER, vec![1; 1000])];
    let bytes = wire(&mut client, &fits);
    assert_same(&receive(&mut server, &bytes).unwrap(), &fits);

    let bytes = wire(&mut client, &[(HEADER, vec![1; 1001])]);
    let error = Error::FrameTooLarge { length: 1001, max: 1000 };
    assert_eq!(receive(&mut server, &bytes), Err(error.clone()));
    assert_eq!((server.state(), server.error()), (State::Closed, Some(&error)));
    assert_eq!(error.code(), "ERR_SV2_FRAME_TOO_LARGE");
    assert!(error.to_string().contains("1001") && error.to_string().contains("1000"));
}

#[test]
fn a_frame_too_large_is_refused_by_its_header_alone() {
    let (mut client, mut server) = limited(1000);
    let bytes = wire(&mut client, &[(HEADER, vec![1; 16_777_215])]);
    assert_eq!(receive(&mut server, &bytes[..21]), Ok(vec![]));
    let held = server.stats().memory_bytes;
    assert_eq!(
        receive(&mut server, &bytes[21..1_000_000]),
        Err(Error::FrameTooLarge { length: 16_777_215, max: 1000 })
    );
    assert!(server.stats().memory_bytes < held, "not even the header is held");
}

#[test]
fn a_maximum_of_zero_takes_empty_frames() {
    let (mut client, mut server) = limited(0);
    let bytes = wire(&mut client, &[(HEADER, vec![]), (HEADER, vec![1])]);
    assert_same(&receive(&mut server, &bytes).unwrap(), &[(HEADER, vec![])]);
    assert_eq!(server.error(), Some(&Error::FrameTooLarge { length: 1, max: 0 }));
}

#[test]
fn a_claimed_length_reserves_nothing() {
    let (mut client, mut server) = connected();
    let before = server.stats().memory_bytes;
    let bytes = wire(&mut client, &[(HEADER, vec![1; 16_777_215])]);
    assert_eq!(receive(&mut server, &bytes[..122]), Ok(vec![]));
    assert!(server.stats().memory_bytes - before <= 200, "100 bytes have come");
}

#[test]
fn a_tampered_header_is_found_when_it_is_whole() {
    for index in 0..22 {
        let (mut client, mut server) = connected();
        let mut bytes = wire(&mut client, &[(HEADER, vec![1; 50])]);
        bytes[index] ^= 1;
        assert_eq!(receive(&mut server, &bytes[..21]), Ok(vec![]));
        assert_eq!(receive(&mut server, &bytes[21..22]), Err(Error::Aead), "byte {index}");
        assert_eq!((server.state(), server.error()), (State::Closed, Some(&Error::Aead)));
        assert_eq!(receive(&mut server, &bytes[22..]), Err(Error::Aead));
    }
}

#[test]
fn a_tampered_payload_is_found() {
    let mut rng = rng();
    for size in [1, 50, 65_519, 65_520, 200_000] {
        let (mut client, mut server) = connected();
        let mut bytes = wire(&mut client, &[(HEADER, vec![1; size])]);
        let index = rng.gen_range(22..bytes.len());
        bytes[index] ^= 1 << rng.gen_range(0..8);
        let mut pool = pool();
        assert_eq!(server.receive(&bytes, &mut pool).unwrap_err(), Error::Aead, "byte {index} of {size}");
        assert_eq!(Buffer::len(&pool), 0, "nothing is left in the pool");
        assert_eq!((server.state(), server.error()), (State::Closed, Some(&Error::Aead)));
    }
}

#[test]
fn good_frames_before_a_bad_one_are_returned() {
    let mut rng = rng();
    for bad in [22 + 5, 3] {
        let (mut client, mut server) = connected();
        let good: Vec<Owned> = (0..7).map(|length| frame(&mut rng, length * 30)).collect();
        let mut bytes = wire(&mut client, &good);
        let mut tail = wire(&mut client, &[frame(&mut rng, 100), frame(&mut rng, 100)]);
        tail[bad] ^= 4;
        bytes.append(&mut tail);

        assert_same(&receive(&mut server, &bytes).unwrap(), &good);
        assert_eq!((server.state(), server.error()), (State::Closed, Some(&Error::Aead)));
        assert_eq!(server.stats().frames_in, 7);
        assert_eq!(receive(&mut server, b""), Err(Error::Aead));
        assert_eq!(server.send(HEADER, b""), Err(Error::Aead));
        server.close();
        assert_eq!(receive(&mut server, b""), Err(Error::Aead), "close does not hide the error");
    }
}

#[test]
fn replayed_reordered_and_lost_frames_are_refused() {
    for (name, order) in [("replayed", &[0, 0][..]), ("reordered", &[1]), ("lost", &[0, 2])] {
        let (mut client, mut server) = connected();
        let sealed = ["one", "two", "three"].map(|text| wire(&mut client, &[(HEADER, text.into())]));
        let (bad, good) = order.split_last().unwrap();
        for index in good {
            assert_eq!(receive(&mut server, &sealed[*index]).unwrap().len(), 1);
        }
        assert_eq!(receive(&mut server, &sealed[*bad]), Err(Error::Aead), "{name}");
    }
}

#[test]
fn output_stays_drainable_after_an_error() {
    let (mut client, mut server) = connected();
    let sent = [(HEADER, vec![5; 300_000])];
    sv2_support::send(&mut server, &sent);
    assert_eq!(receive(&mut server, &[0; 22]), Err(Error::Aead));
    assert_same(&receive(&mut client, &drain(&mut server)).unwrap(), &sent);
}

#[test]
fn memory_returns_after_large_frames() {
    let (mut client, mut server) = connected();
    let idle = server.stats().memory_bytes;
    // The second frame finds the memory of the first.
    for _ in 0..2 {
        let bytes = wire(&mut client, &[(HEADER, vec![1; 16_777_215])]);
        let (first, last) = bytes.split_at(bytes.len() - 1);
        assert_eq!(receive_cut(&mut server, first, || 65_536), Ok(vec![]));
        let held = server.stats().memory_bytes - idle;
        assert!((16_777_215..16_782_000).contains(&held), "held {held}: no more than the frame needs");
        assert_eq!(receive(&mut server, last).unwrap().len(), 1);
        assert_eq!(server.stats().memory_bytes, idle);
        assert!((16_777_215..36_000_000).contains(&spare_bytes()), "kept for any session: {}", spare_bytes());
    }
}

#[test]
fn held_memory_grows_with_the_bytes_that_have_come() {
    let (mut client, mut server) = connected();
    let idle = server.stats().memory_bytes;
    let bytes = wire(&mut client, &[(HEADER, vec![1; 10_000])]);
    for (index, byte) in bytes[..bytes.len() - 1].iter().enumerate() {
        assert_eq!(receive(&mut server, &[*byte]), Ok(vec![]));
        let (come, held) = (index + 1, server.stats().memory_bytes - idle);
        assert!(held >= come.saturating_sub(22) && held <= (2 * come).max(64), "{held} for {come}");
    }
    assert_eq!(receive(&mut server, &bytes[bytes.len() - 1..]).unwrap().len(), 1);
    assert_eq!(server.stats().memory_bytes, idle);
}

#[test]
fn every_cut_of_a_batch_will_do() {
    let mut rng = rng();
    let (mut client, mut server) = connected();
    // Headers side by side, and payloads of every kind between them.
    let frames: Vec<Owned> =
        [0, 0, 1, 0, 64, 5, 0, 0, 0, 130, 16, 0].iter().map(|length| frame(&mut rng, *length)).collect();
    let length: usize =
        frames.iter().map(|(_, payload)| 22 + payload.len() + 16 * payload.len().div_ceil(65_519)).sum();
    let mut pool = pool();
    for cut in 0..=length {
        for second in [cut, (cut + 1).min(length), (cut + 23).min(length), length] {
            let bytes = wire(&mut client, &frames);
            let mut received = receive_in(&mut server, &bytes[..cut], &mut pool).unwrap();
            received.append(&mut receive_in(&mut server, &bytes[cut..second], &mut pool).unwrap());
            received.append(&mut receive_in(&mut server, &bytes[second..], &mut pool).unwrap());
            assert_same(&received, &frames);
        }
    }
}

#[test]
fn every_cut_around_an_aead_chunk_will_do() {
    let mut rng = rng();
    let (mut client, mut server) = connected();
    let frames = [frame(&mut rng, 65_519 + 40), frame(&mut rng, 3)];
    let chunk_ends = 22 + 65_519 + 16;
    for cut in (0..60).chain(chunk_ends - 40..chunk_ends + 130) {
        let bytes = wire(&mut client, &frames);
        let cut = cut.min(bytes.len());
        let mut received = receive(&mut server, &bytes[..cut]).unwrap();
        received.append(&mut receive(&mut server, &bytes[cut..]).unwrap());
        assert_same(&received, &frames);
    }
}

#[test]
fn closing_frees_what_is_held() {
    let (mut client, mut server) = connected();
    let bytes = wire(&mut client, &[(HEADER, vec![1; 1_000_000])]);
    receive(&mut server, &bytes[..900_000]).unwrap();
    assert!(server.stats().memory_bytes > 900_000);
    server.close();
    assert!(server.stats().memory_bytes < 70_000);
}

#[test]
fn flipped_bits_never_panic() {
    let mut rng = rng();
    for _ in 0..300 {
        let (mut client, mut server) = connected();
        let frames: Vec<Owned> = (0..10)
            .map(|_| {
                let length = rng.gen_range(0..300);
                frame(&mut rng, length)
            })
            .collect();
        let mut bytes = wire(&mut client, &frames);
        let index = rng.gen_range(0..bytes.len());
        bytes[index] ^= 1 << rng.gen_range(0..8);
        let mut received = Vec::new();
        for chunk in bytes.chunks(rng.gen_range(1..500)) {
            match receive(&mut server, chunk) {
                Ok(mut frames) => received.append(&mut frames),
                Err(error) => assert_eq!(error, Error::Aead),
            }
        }
        // Everything before the changed byte arrives, and nothing after it.
        let mut end = 0;
        let whole = frames.iter().take_while(|(_, payload)| {
            end += 22 + payload.len() + if payload.is_empty() { 0 } else { 16 };
            end <= index
        });
        assert_same(&received, &frames[..whole.count()]);
        assert_eq!(server.error(), Some(&Error::Aead));
    }
}
