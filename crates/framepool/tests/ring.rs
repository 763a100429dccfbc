//! The byte ring's offsets, against `bytering` itself and a queue as a model.

use std::collections::VecDeque;

use framepool::ring::{self, Half, InvalidCount, RingError, Spans};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

/// The bytes that `spans` describes, read at the ring's base as the Node binding does.
fn bytes_at(consumer: &ring::Consumer, spans: &Spans) -> Vec<u8> {
    assert!(spans.first.end <= consumer.size() && spans.second.end <= consumer.size());
    let mut bytes = Vec::new();
    for span in [&spans.first, &spans.second] {
        // SAFETY: both spans lie in the ring (asserted above) and the producer writes nothing meanwhile.
        let part = unsafe { std::slice::from_raw_parts(consumer.base().as_ptr().add(span.start), span.len()) };
        bytes.extend_from_slice(part);
    }
    bytes
}

#[test]
fn smoke() {
    let (mut producer, mut consumer) = ring::new(8, 8).unwrap();
    assert_eq!((producer.available(), consumer.available(), consumer.size()), (8, 0, 8));
    assert_eq!(consumer.peek(), Spans { first: 0..0, second: 0..0 });

    assert_eq!(producer.write(b"abcdef"), 6);
    assert_eq!(consumer.peek(), Spans { first: 0..6, second: 0..0 });
    consumer.advance(5).unwrap();
    assert_eq!(consumer.peek(), Spans { first: 5..6, second: 0..0 });

    assert_eq!(producer.write(b"ghijklmnop"), 7, "only what fits");
    let spans = consumer.peek();
    assert_eq!(spans, Spans { first: 5..8, second: 0..5 });
    assert_eq!(bytes_at(&consumer, &spans), b"fghijklm");
    assert_eq!((producer.available(), consumer.available()), (0, 8));
    assert_eq!((producer.position(), consumer.position()), (13, 5));

    let mut target = [0; 20];
    assert_eq!(consumer.read(&mut target), 8);
    assert_eq!(&target[..8], b"fghijklm");
    assert_eq!(consumer.peek(), Spans { first: 5..5, second: 0..0 });
}

#[test]
fn full_ring_from_its_start_is_one_span() {
    let (mut producer, mut consumer) = ring::new(4, 1).unwrap();
    assert_eq!(producer.write(b"abcd"), 4);
    assert_eq!(consumer.peek(), Spans { first: 0..4, second: 0..0 });
}

#[test]
fn consuming_more_than_there_is_frees_nothing() {
    let (mut producer, mut consumer) = ring::new(8, 8).unwrap();
    producer.write(b"abc");
    assert_eq!(consumer.advance(4), Err(InvalidCount { count: 4, available: 3 }));
    assert_eq!((consumer.available(), consumer.position()), (3, 0));
    consumer.advance(3).unwrap();
    assert_eq!(consumer.advance(1), Err(InvalidCount { count: 1, available: 0 }));
    consumer.advance(0).unwrap();
}

#[test]
fn size_and_alignment_are_powers_of_two() {
    for size in [0, 3, 12, usize::MAX] {
        assert_eq!(ring::new(size, 8).unwrap_err(), RingError::Size(size));
    }
    assert_eq!(ring::new(8, 3).unwrap_err(), RingError::Align(3));
    assert_eq!(ring::new(8, 0).unwrap_err(), RingError::Align(0));
    // A size that no address space holds.
    assert!(matches!(ring::new(1 << (usize::BITS - 1), 1), Err(RingError::Size(_) | RingError::NoMemory)));
}

#[test]
fn memory_is_aligned() {
    for align in [1, 64, 4096] {
        let (_producer, consumer) = ring::new(64, align).unwrap();
        assert_eq!(consumer.base().as_ptr() as usize % align, 0);
    }
}

#[test]
fn halves_work_on_two_threads() {
    const TOTAL: usize = 1 << 20;
    let (mut producer, mut consumer) = ring::new(256, 64).unwrap();
    let writer = std::thread::spawn(move || {
        let bytes: Vec<u8> = (0..TOTAL).map(|index| (index % 251) as u8).collect();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let written = producer.write(rest);
            rest = &rest[written..];
            if written == 0 {
                std::thread::yield_now();
            }
        }
    });
    let mut read = Vec::new();
    while read.len() < TOTAL {
        let spans = consumer.peek();
        let bytes = bytes_at(&consumer, &spans);
        consumer.advance(bytes.len()).unwrap();
        if bytes.is_empty() {
            std::thread::yield_now();
        }
        read.extend(bytes);
    }
    writer.join().unwrap();
    assert!(read.iter().enumerate().all(|(index, byte)| *byte == (index % 251) as u8));
}

#[test]
fn equals_a_queue_under_random_steps() {
    let seed = std::env::var("FRAMEPOOL_SEED")
        .map_or_else(|_| rand::thread_rng().next_u64(), |text| text.parse().expect("FRAMEPOOL_SEED is a decimal u64"));
    println!("FRAMEPOOL_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);

    for _ in 0..200 {
        let size = 1 << rng.gen_range(0..10);
        let (mut producer, mut consumer) = ring::new(size, 1).unwrap();
        let mut model = VecDeque::new();
        for _ in 0..200 {
            let mut bytes = vec![0; rng.gen_range(0..=size + 2)];
            match rng.gen_range(0..3) {
                0 => {
                    rng.fill_bytes(&mut bytes);
                    let written = producer.write(&bytes);
                    assert_eq!(written, bytes.len().min(size - model.len()));
                    model.extend(&bytes[..written]);
                }
                1 => {
                    let read = consumer.read(&mut bytes);
                    assert_eq!(bytes[..read], model.drain(..bytes.len().min(model.len())).collect::<Vec<u8>>());
                }
                _ => {
                    let valid = bytes.len() <= model.len();
                    assert_eq!(consumer.advance(bytes.len()).is_ok(), valid);
                    model.drain(..if valid { bytes.len() } else { 0 });
                }
            }
            let spans = consumer.peek();
            assert_eq!(bytes_at(&consumer, &spans), model.iter().copied().collect::<Vec<u8>>());
            assert_eq!((consumer.available(), producer.available()), (model.len(), size - model.len()));
            assert_eq!(producer.position() - consumer.position(), model.len() as u64);
        }
    }
}
