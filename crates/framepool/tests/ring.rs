//! The byte ring's offsets, compared with `bytering` itself and with a queue as a model.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use framepool::ring::{self, Half, InvalidCount, RingError, Spans};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

/// Returns the bytes that `spans` describes. It reads them at the ring's base, as the Node binding does.
fn bytes_at(consumer: &ring::Consumer, spans: &Spans) -> Vec<u8> {
    assert!(spans.first.end <= consumer.size() && spans.second.end <= consumer.size());
    let mut bytes = Vec::new();
    for span in [&spans.first, &spans.second] {
        // SAFETY: both spans lie in the ring, as asserted above. The producer writes nothing meanwhile.
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
    // No address space has room for this size.
    assert!(matches!(ring::new(1 << (usize::BITS - 1), 1), Err(RingError::Size(_) | RingError::NoMemory)));
}

#[test]
fn memory_is_aligned() {
    for align in [1, 64, 4096] {
        let (_producer, consumer) = ring::new(64, align).unwrap();
        assert_eq!(consumer.base().as_ptr() as usize % align, 0);
    }
}

/// Returns byte number `place` of a stream in which every byte depends on its place, even across powers of two.
fn pattern(place: u64) -> u8 {
    (place % 251) as u8 ^ (place >> 16) as u8
}

/// Passes 1 GiB through a ring between two threads, in pieces of random sizes. Each thread waits for the other without
/// polling.
#[test]
fn halves_work_on_two_threads() {
    const TOTAL: u64 = 1 << 30;
    const MINUTE: Duration = Duration::from_mins(1);
    let seed = seed();
    let (mut producer, mut consumer) = ring::new(1 << 16, 64).unwrap();
    let writer = thread::spawn(move || {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut next = 0;
        while next < TOTAL {
            // Two threads that each wait for more than half the ring could wait for each other.
            let wanted = rng.gen_range(1..=producer.size() / 2);
            ring::wait(&mut producer, wanted, MINUTE).expect("the reader goes on");
            let most = wanted.min((TOTAL - next) as usize);
            let written = producer.io_slices(|rooms, _| {
                let mut written = 0;
                for byte in rooms.iter_mut().flat_map(|room| room.iter_mut()).take(most) {
                    *byte = pattern(next + written);
                    written += 1;
                }
                Ok(written as usize)
            });
            next += written.unwrap() as u64;
        }
    });
    let mut rng = StdRng::seed_from_u64(!seed);
    let mut next = 0;
    while next < TOTAL {
        let wanted = rng.gen_range(1..=consumer.size() / 2);
        // Fewer bytes come only at the end.
        let available = ring::wait(&mut consumer, wanted, MINUTE).expect("the writer goes on");
        assert!(available >= wanted || next + available as u64 == TOTAL);
        let read = consumer.io_slices(|spans, _| {
            let mut place = next;
            for byte in spans.iter().flat_map(|span| span.iter()).take(wanted) {
                assert_eq!(*byte, pattern(place), "byte {place}, FRAMEPOOL_SEED={seed}");
                place += 1;
            }
            Ok((place - next) as usize)
        });
        next += read.unwrap() as u64;
    }
    writer.join().unwrap();
    assert_eq!((consumer.available(), consumer.other_ended()), (0, true));
}

#[test]
fn an_end_is_seen_after_the_bytes_before_it() {
    let (mut producer, mut consumer) = ring::new(8, 8).unwrap();
    producer.write(b"abc");
    assert!(!consumer.other_ended());
    producer.end();
    assert!(consumer.other_ended() && producer.has_ended() && !producer.other_ended());
    assert_eq!(ring::wait(&mut consumer, 8, Duration::ZERO), Some(3));
    drop(consumer);
    assert!(producer.other_ended());
    assert_eq!(ring::wait(&mut producer, 8, Duration::ZERO), Some(5));
}

#[test]
fn a_wait_is_over_when_the_other_half_is_dropped() {
    let (producer, mut consumer) = ring::new(8, 8).unwrap();
    let dropper = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        drop(producer);
    });
    assert_eq!(ring::wait(&mut consumer, 1, Duration::from_mins(1)), Some(0));
    dropper.join().unwrap();
}

#[test]
fn a_wait_can_be_too_long() {
    let (mut producer, mut consumer) = ring::new(8, 8).unwrap();
    producer.write(b"abc");
    assert_eq!(ring::wait(&mut consumer, 4, Duration::from_millis(1)), None);
    assert_eq!(ring::wait(&mut producer, 6, Duration::ZERO), None);
    assert_eq!(ring::wait(&mut consumer, 3, Duration::ZERO), Some(3));
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn nobody_is_woken_before_there_is_enough_or_after_giving_up() {
    let (mut producer, mut consumer) = ring::new(8, 8).unwrap();
    let (bell, other) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
    let rung = |bell: &Arc<Bell>| bell.0.load(Ordering::SeqCst);
    let (waker, other_waker) = (Waker::from(Arc::clone(&bell)), Waker::from(Arc::clone(&other)));
    // Polled twice, because a waker must be kept only once.
    assert!(consumer.poll(3, &waker).is_pending());
    assert!(consumer.poll(4, &waker).is_pending());
    assert!(consumer.poll(2, &other_waker).is_pending());
    producer.write(b"a");
    assert_eq!((rung(&bell), rung(&other)), (0, 0));
    producer.write(b"bc");
    assert_eq!((rung(&bell), rung(&other)), (0, 1));
    producer.write(b"d");
    assert_eq!((rung(&bell), rung(&other)), (1, 1));
    assert_eq!(consumer.poll(4, &waker), Poll::Ready(4));
    assert!(consumer.poll(5, &waker).is_pending());
    consumer.forget(&waker);
    producer.write(b"efgh");
    producer.end();
    assert_eq!((rung(&bell), rung(&other)), (1, 1));
}

#[test]
fn ending_a_half_wakes_those_who_wait_with_it() {
    let (_producer, mut consumer) = ring::new(8, 8).unwrap();
    let bell = Arc::new(Bell::default());
    assert!(consumer.poll(1, &Waker::from(Arc::clone(&bell))).is_pending());
    consumer.end();
    assert_eq!(bell.0.load(Ordering::SeqCst), 1);
}

#[test]
fn a_count_that_is_too_large_moves_neither_half() {
    let (mut producer, mut consumer) = ring::new(8, 8).unwrap();
    producer.write(b"abc");
    assert_eq!(producer.advance(6), Err(InvalidCount { count: 6, available: 5 }));
    assert!(producer.io_slices(|_, room| Ok(room + 1)).is_err());
    assert!(consumer.io_slices(|_, filled| Ok(filled + 1)).is_err());
    assert_eq!((producer.position(), consumer.position()), (3, 0));
    let error = producer.io_slices(|_, _| Err(io::Error::from(io::ErrorKind::NotFound))).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

fn seed() -> u64 {
    let seed = std::env::var("FRAMEPOOL_SEED")
        .map_or_else(|_| rand::thread_rng().next_u64(), |text| text.parse().expect("FRAMEPOOL_SEED is a decimal u64"));
    println!("FRAMEPOOL_SEED={seed}");
    seed
}

#[test]
fn equals_a_queue_under_random_steps() {
    let mut rng = StdRng::seed_from_u64(seed());

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
