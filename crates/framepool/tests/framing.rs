//! Framed streams: any cut gives the same frames, limits hold, and hostile streams do no harm.

use std::sync::Arc;

use framepool::Coded;
use framepool::framing::{Batch, Error, Layout, LengthField, Reader};
use framepool::slot::SlotPool;

/// A small generator with a seed that a failure prints. `FRAMEPOOL_SEED` repeats a run.
struct Random(u64);

impl Random {
    fn new(name: &str) -> Self {
        let seed = std::env::var("FRAMEPOOL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
            now.as_nanos() as u64
        });
        println!("{name}: FRAMEPOOL_SEED={seed}");
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

fn reader(layout: Result<Layout, Error>) -> Reader {
    Reader::new(Arc::new(layout.expect("a layout")))
}

fn frames(batch: &Batch) -> Vec<Vec<u8>> {
    (0..batch.frames).map(|index| batch.frame(index).expect("it is there").to_vec()).collect()
}

/// A layout, and how the tests write frames of it.
enum Protocol {
    Length(LengthField),
    Delimited(Vec<u8>),
    /// A header of 3 bytes, of which the last two have the length of the payload.
    Announced,
}

const MAX: usize = 100_000;

impl Protocol {
    fn any(random: &mut Random) -> Self {
        match random.below(3) {
            0 => {
                let length = [1, 2, 3, 4, 8][random.below(5)];
                let offset = random.below(6);
                let header = if random.below(2) == 0 { 0 } else { offset + length + random.below(5) };
                let adjustment = i64::try_from(random.below(40)).expect("small") - 20;
                Self::Length(LengthField { offset, length, little_endian: random.below(2) == 0, adjustment, header })
            }
            1 => {
                let length = 1 + random.below(4);
                Self::Delimited((0..length).map(|_| b"\r\n"[random.below(2)]).collect())
            }
            _ => Self::Announced,
        }
    }

    fn layout(&self) -> Layout {
        match self {
            Self::Length(field) => Layout::length_field(*field, MAX),
            Self::Delimited(delimiter) => Layout::delimited(delimiter, MAX),
            Self::Announced => Layout::announced(3, MAX),
        }
        .expect("a layout")
    }

    fn frame(&self, random: &mut Random) -> Vec<u8> {
        let size = if random.below(20) == 0 { 60_000 } else { 300 };
        let length = random.below(size);
        match self {
            Self::Length(field) => {
                let end = field.offset + field.length;
                let header = field.header.max(end);
                let largest = if field.length == 1 { 200 } else { length };
                // The field may not be negative, nor the frame shorter than its header.
                let least = i64::try_from(header - end).expect("small").max(field.adjustment);
                let rest = i64::try_from(length.min(largest)).expect("small").max(least);
                let value = u64::try_from(rest - field.adjustment).expect("not negative");
                let mut frame: Vec<u8> =
                    (0..end + usize::try_from(rest).expect("not negative")).map(|_| random.next() as u8).collect();
                let bytes = value.to_le_bytes();
                for (index, byte) in bytes.iter().enumerate().take(field.length) {
                    let at = if field.little_endian { index } else { field.length - 1 - index };
                    frame[field.offset + at] = *byte;
                }
                frame
            }
            Self::Delimited(delimiter) => {
                let mut frame: Vec<u8> = (0..length).map(|_| b"abc\r\n"[random.below(5)]).collect();
                frame.extend_from_slice(delimiter);
                // A delimiter within ends the frame.
                let end = frame.windows(delimiter.len()).position(|bytes| bytes == delimiter).expect("it ends so");
                frame.truncate(end + delimiter.len());
                frame
            }
            Self::Announced => {
                let mut frame = vec![random.next() as u8, (length >> 8) as u8, length as u8];
                frame.extend((0..length).map(|_| random.next() as u8));
                frame
            }
        }
    }
}

/// Announces the frames whose headers have come with the first `come` bytes, as JavaScript does.
fn announce(reader: &mut Reader, frames: &[Vec<u8>], announced: &mut usize, come: usize) {
    let mut start: usize = frames[..*announced].iter().map(Vec::len).sum();
    while let Some(frame) = frames.get(*announced)
        && come >= start + 3
    {
        reader.announce(frame.len() as u32).expect("memory");
        start += frame.len();
        *announced += 1;
    }
}

#[test]
fn any_cut_of_any_stream_gives_the_same_frames() {
    let mut random = Random::new("cuts");
    for _ in 0..1000 {
        let protocol = Protocol::any(&mut random);
        let sent: Vec<Vec<u8>> = (0..random.below(40)).map(|_| protocol.frame(&mut random)).collect();
        let stream = sent.concat();
        let mut pool = SlotPool::new(random.below(300_000)).expect("memory");
        let mut reader = Reader::new(Arc::new(protocol.layout()));
        let (mut at, mut announced) = (0, 0);
        let (mut got, mut kept) = (Vec::new(), Vec::new());
        let largest = [1, 3, 50, 5000, 70_000][random.below(5)];
        while at < stream.len() {
            // Sometimes as a socket that reads into the memory of the frame does.
            if let Some((start, room)) = reader.room(1).expect("memory")
                && random.below(2) == 0
            {
                let count = (1 + random.below(room)).min(stream.len() - at);
                let place = reader.sight().span().cast::<u8>();
                // SAFETY: `room` says that the bytes lie in the memory, and nothing else refers to it.
                unsafe { place.add(start).copy_from_nonoverlapping(std::ptr::NonNull::from(&stream[at]), count) };
                at += count;
                if matches!(protocol, Protocol::Announced) {
                    announce(&mut reader, &sent, &mut announced, at);
                }
                if let Some(batch) = reader.filled(count).expect("good frames") {
                    got.extend(frames(&batch));
                    kept.push(batch);
                }
                continue;
            }
            let count = (1 + random.below(largest)).min(stream.len() - at);
            if matches!(protocol, Protocol::Announced) {
                announce(&mut reader, &sent, &mut announced, at + count);
            }
            if let Some(batch) = reader.receive(&stream[at..at + count], &mut pool).expect("good frames") {
                got.extend(frames(&batch));
                kept.push(batch);
            }
            at += count;
            if random.below(3) == 0 {
                kept.clear();
            }
            let come: usize = got.iter().map(Vec::len).sum();
            assert_eq!(reader.pending(), at - come);
        }
        assert!(got == sent, "the frames differ");
        assert_eq!(reader.pending(), 0);
    }
}

#[test]
fn limits_of_length_fields() {
    let mut pool = SlotPool::new(1000).expect("memory");
    let mut receive = |field: LengthField, max: usize, bytes: &[u8]| {
        reader(Layout::length_field(field, max))
            .receive(bytes, &mut pool)
            .map(|batch| batch.map(|batch| frames(&batch)))
    };
    let two = LengthField { length: 2, ..LengthField::default() };
    assert_eq!(receive(two, 10, &[0, 0]), Ok(Some(vec![vec![0, 0]])), "a frame of its header alone");
    let longest = [0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(receive(two, 10, &longest), Ok(Some(vec![longest.to_vec()])));
    // Before a byte of the frame has come.
    assert_eq!(receive(two, 10, &[0, 9]), Err(Error::TooLarge { length: 11, max: 10 }));
    let eight = LengthField { length: 8, ..LengthField::default() };
    let (all, large) = ([255; 8], (1_u64 << 53).to_be_bytes());
    assert_eq!(receive(eight, 1 << 30, &large), Err(Error::TooLarge { length: (1 << 53) + 8, max: 1 << 30 }));
    assert_eq!(receive(eight, 1 << 30, &all), Err(Error::TooLarge { length: u64::MAX, max: 1 << 30 }));
    let adjusted = LengthField { adjustment: -4, length: 2, ..LengthField::default() };
    assert_eq!(receive(adjusted, 10, &[0, 4]), Ok(Some(vec![vec![0, 4]])), "the field counts what came before it, too");
    assert_eq!(receive(adjusted, 10, &[0, 1]), Err(Error::TooShort { length: -1, header: 2 }));
    let longer = LengthField { header: 4, length: 2, ..LengthField::default() };
    assert_eq!(receive(longer, 10, &[0, 1, 9, 9]), Err(Error::TooShort { length: 3, header: 4 }));
    assert_eq!(receive(longer, 10, &[0, 2, 9, 9]), Ok(Some(vec![vec![0, 2, 9, 9]])));
}

#[test]
fn limits_of_delimited_frames() {
    let mut pool = SlotPool::new(1000).expect("memory");
    let mut lines = reader(Layout::delimited(b"\n", 4));
    assert_eq!(frames(&lines.receive(b"\nabc\n", &mut pool).expect("good").expect("whole")), [&b"\n"[..], b"abc\n"]);
    assert!(lines.receive(b"abc", &mut pool).expect("it may end yet").is_none());
    let error = Error::TooLarge { length: 4, max: 4 };
    assert_eq!(lines.receive(b"d", &mut pool).expect_err("too long"), error);
    assert_eq!(lines.receive(b"\n", &mut pool).expect_err("it stays so"), error);
    assert_eq!((lines.pending(), lines.error()), (0, Some(&error)));
    let mut lines = reader(Layout::delimited(b"ab", 4));
    assert!(lines.receive(b"xa", &mut pool).expect("good").is_none());
    assert_eq!(frames(&lines.receive(b"bxxab", &mut pool).expect("good").expect("whole")), [&b"xab"[..], b"xxab"]);
    assert_eq!(lines.receive(b"xxxab", &mut pool).expect_err("too long").code(), "ERR_FRAME_TOO_LARGE");
}

#[test]
fn frames_before_an_error_are_given_first() {
    let mut pool = SlotPool::new(1000).expect("memory");
    let mut reader = reader(Layout::length_field(LengthField { length: 1, ..LengthField::default() }, 4));
    let batch = reader.receive(&[1, 7, 2, 8, 8, 200, 1, 1], &mut pool).expect("two are good").expect("whole");
    assert_eq!(frames(&batch), [vec![1, 7], vec![2, 8, 8]]);
    assert_eq!(reader.receive(&[0], &mut pool).expect_err("the third"), Error::TooLarge { length: 201, max: 4 });
}

#[test]
fn layouts_that_cannot_be() {
    let field = LengthField::default();
    for (layout, name) in [
        (Layout::length_field(LengthField { length: 5, ..field }, 100), "length"),
        (Layout::length_field(LengthField { length: 0, ..field }, 100), "no length"),
        (Layout::length_field(LengthField { offset: 1 << 17, ..field }, 1 << 20), "offset"),
        (Layout::length_field(LengthField { header: 3, ..field }, 100), "short header"),
        (Layout::length_field(LengthField { header: 1 << 17, ..field }, 1 << 20), "long header"),
        (Layout::length_field(field, 3), "a longest frame below the header"),
        (Layout::length_field(field, (1 << 30) + 1), "a longest frame above the limit"),
        (Layout::delimited(b"", 100), "no delimiter"),
        (Layout::delimited(&[0; 17], 100), "long delimiter"),
        (Layout::delimited(b"abc", 2), "a longest frame below the delimiter"),
        (Layout::announced(0, 100), "no header"),
    ] {
        assert_eq!(layout.expect_err(name).code(), "ERR_OUT_OF_RANGE");
    }
}

#[test]
fn a_batch_lies_where_most_of_it_is() {
    const EACH: usize = 40_000;
    let mut frame = (EACH as u32 - 4).to_be_bytes().to_vec();
    frame.resize(EACH, 7);
    let stream = frame.repeat(7);
    let field = LengthField { offset: 0, length: 4, little_endian: false, adjustment: 0, header: 0 };
    // Bytes that are held of the first frame, whole frames after it, and whether the pool has the batch.
    for (held, more, in_pool) in [(30_000, 5, true), (39_000, 0, false), (39_000, 1, true), (1_000, 0, true)] {
        let mut reader = reader(Layout::length_field(field, MAX));
        let mut pool = SlotPool::new(1 << 20).expect("memory");
        // The second time in the memory that was held the first time.
        for _ in 0..2 {
            assert!(reader.receive(&stream[..held], &mut pool).expect("good").is_none());
            let batch =
                reader.receive(&stream[held..EACH * (1 + more) + 20_000], &mut pool).expect("good").expect("whole");
            assert_eq!(batch.slice.slot().is_some(), in_pool, "{held} and {more}");
            assert_eq!(frames(&batch), vec![frame.clone(); 1 + more]);
            assert_eq!(reader.pending(), 20_000);
            let last = reader.receive(&stream[20_000..EACH], &mut pool).expect("good").expect("whole");
            assert_eq!(frames(&last), [&frame[..]]);
            assert_eq!(reader.pending(), 0);
        }
    }
}

#[test]
fn a_batch_has_hardly_more_memory_than_its_frame() {
    let frame = |length: usize| {
        let mut frame = (length as u32 - 4).to_be_bytes().to_vec();
        frame.resize(length, 7);
        frame
    };
    let field = LengthField { offset: 0, length: 4, little_endian: false, adjustment: 0, header: 0 };
    let mut reader = reader(Layout::length_field(field, MAX));
    let mut pool = SlotPool::new(1 << 20).expect("memory");
    // The memory of the first frame is much longer than the second one.
    let stream = [frame(64_000), frame(33_000)].concat();
    assert!(reader.receive(&stream[..10_000], &mut pool).expect("good").is_none());
    reader.receive(&stream[10_000..84_000], &mut pool).expect("good").expect("whole");
    assert!(reader.sight().span().len() < 33_100);
    assert_eq!(frames(&reader.receive(&stream[84_000..], &mut pool).expect("good").expect("whole")), [frame(33_000)]);
}

#[test]
fn a_busy_pool_takes_nothing_in() {
    let mut pool = SlotPool::new(1000).expect("memory");
    let mut reader = reader(Layout::delimited(b"\n", 100));
    pool.try_get_writable(1).expect("room");
    assert_eq!(reader.receive(b"x\n", &mut pool).expect_err("busy"), Error::Busy);
    assert_eq!(reader.pending(), 0);
}

#[test]
fn a_table_that_was_overwritten_leads_nowhere() {
    let mut pool = SlotPool::new(1000).expect("memory");
    let mut reader = reader(Layout::delimited(b"\n", 100));
    let mut batch = reader.receive(b"a\nb\nc\n", &mut pool).expect("good").expect("whole");
    let table = batch.table;
    batch.slice.as_mut()[table..].fill(255);
    assert!((0..4).all(|index| batch.frame(index).is_none()));
    batch.slice.as_mut()[table..table + 4].copy_from_slice(&5_u32.to_ne_bytes());
    batch.slice.as_mut()[table + 4..table + 8].copy_from_slice(&4_u32.to_ne_bytes());
    assert_eq!(batch.frame(1), None, "it would end before it begins");
}

#[test]
fn a_claimed_length_costs_nothing() {
    let mut pool = SlotPool::new(1000).expect("memory");
    let layout = Arc::new(Layout::length_field(LengthField::default(), 1 << 30).expect("a layout"));
    let readers: Vec<Reader> = (0..1000)
        .map(|_| {
            let mut reader = Reader::new(Arc::clone(&layout));
            assert!(reader.receive(&[0x3f, 0xff, 0xff, 0xf0, 1], &mut pool).expect("it may come").is_none());
            assert!(reader.sight().span().len() <= 64 << 10);
            reader
        })
        .collect();
    assert!(readers.iter().all(|reader| reader.pending() == 5 && reader.awaited() == Some(0x3fff_fff4)));
}

#[test]
fn hostile_streams_are_frames_or_errors() {
    let mut random = Random::new("hostile");
    let mut pool = SlotPool::new(4096).expect("memory");
    let rounds = if cfg!(miri) { 100 } else { 1_000_000 };
    let mut errors = 0;
    for _ in 0..rounds {
        let protocol = Protocol::any(&mut random);
        let layout = match &protocol {
            Protocol::Length(field) => Layout::length_field(*field, 64),
            Protocol::Delimited(delimiter) => Layout::delimited(delimiter, 64),
            Protocol::Announced => Layout::announced(3, 64),
        };
        let mut reader = reader(layout);
        let (mut given, mut taken) = (0, 0);
        for _ in 0..=random.below(3) {
            let chunk: Vec<u8> =
                (0..random.below(60)).map(|_| random.next() as u8 & [255, 3, 15][random.below(3)]).collect();
            if matches!(protocol, Protocol::Announced) && random.below(2) == 0 {
                // It is refused where more has come.
                let _ = reader.announce(random.below(80) as u32);
            }
            match reader.receive(&chunk, &mut pool) {
                Ok(batch) => {
                    given += chunk.len();
                    taken += batch.map_or(0, |batch| frames(&batch).concat().len());
                    assert!(reader.error().is_some() || given == taken + reader.pending());
                }
                Err(error) => {
                    assert!(matches!(error, Error::TooLarge { .. } | Error::TooShort { .. }));
                    errors += 1;
                    break;
                }
            }
        }
    }
    assert!(errors > rounds / 20, "{errors} errors");
}
