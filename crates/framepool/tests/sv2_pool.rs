//! Sessions on a slot pool: one slot for each `receive`, freed with its batch.

mod sv2_support;

use framepool::slot::{Mode, SlotPool};
use framepool::sv2::{Error, FrameHeader};
use sv2_support::{Owned, assert_same, connected, drain, frame, owned, receive_in, rng, wire};

const HEADER: FrameHeader = FrameHeader { extension_type: 0x8000, message_type: 0x1a };

#[test]
fn a_receive_takes_one_slot_and_only_for_a_whole_frame() {
    let mut pool = SlotPool::new(1 << 18).unwrap();
    let (mut client, mut server) = connected();
    let sent = vec![(HEADER, vec![3; 50]); 20];
    let bytes = wire(&mut client, &sent);

    assert!(server.receive(&bytes[..80], &mut pool).unwrap().is_none());
    assert_eq!((pool.stats().live_slices, pool.len()), (0, 0));
    let first = server.receive(&bytes[80..500], &mut pool).unwrap().unwrap();
    assert_eq!((first.slice.slot(), first.slice.offset()), (Some(1), Some(0)));
    let second = server.receive(&bytes[500..], &mut pool).unwrap().unwrap();
    assert_eq!(second.slice.slot(), Some(2));
    assert_eq!(second.slice.offset(), Some(first.slice.len()), "the reservation shrinks to what was used");
    assert_eq!(pool.stats().live_slices, 2);

    let mut received = owned(&first);
    received.append(&mut owned(&second));
    assert_same(&received, &sent);
    drop((first, second));
    assert_eq!((pool.stats().live_slices, pool.stats().heap_fallbacks), (0, 0));
}

#[test]
fn a_hundred_sessions_share_eight_slots() {
    let mut rng = rng();
    let mut pool = SlotPool::new(1 << 18).unwrap();
    let mut pairs: Vec<_> = (0..100).map(|_| connected()).collect();
    for round in 0..20 {
        for (client, server) in &mut pairs {
            let sent: Vec<Owned> = (0..=round % 5).map(|length| frame(&mut rng, length * 60)).collect();
            assert_same(&receive_in(server, &wire(client, &sent), &mut pool).unwrap(), &sent);
        }
    }
    assert_eq!((pool.stats().heap_fallbacks, pool.stats().live_slices), (0, 0));
}

#[test]
fn a_frame_larger_than_the_pool_comes_from_the_heap() {
    let mut rng = rng();
    let mut pool = SlotPool::new(4096).unwrap();
    let (mut client, mut server) = connected();
    for length in [10_000, 10] {
        let sent = [frame(&mut rng, length)];
        assert_same(&receive_in(&mut server, &wire(&mut client, &sent), &mut pool).unwrap(), &sent);
    }
    assert_eq!((pool.stats().heap_fallbacks, pool.mode()), (1, Mode::Back));
}

#[test]
fn a_bad_frame_leaves_no_slot_taken() {
    for payload in [vec![1; 100], vec![1; 100_000]] {
        let mut pool = SlotPool::new(4096).unwrap();
        let (mut client, mut server) = connected();
        let mut bytes = wire(&mut client, &[(HEADER, payload)]);
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(server.receive(&bytes, &mut pool).unwrap_err(), Error::Aead);
        assert_eq!((pool.stats().live_slices, pool.stats().heap_fallbacks, pool.len()), (0, 0, 0));
    }
}

#[test]
fn a_batch_outlives_its_session_and_its_pool() {
    let mut pool = SlotPool::new(4096).unwrap();
    let (mut client, mut server) = connected();
    let sent = [(HEADER, b"kept".to_vec())];
    let batch = server.receive(&wire(&mut client, &sent), &mut pool).unwrap().unwrap();
    drop((pool, server));
    assert_same(&owned(&batch), &sent);

    let (mut far, mut peer) = connected();
    far.forward(batch.slice.as_ref(), batch.table, 0..1).unwrap();
    assert_same(&sv2_support::receive(&mut peer, &drain(&mut far)).unwrap(), &sent);
}
