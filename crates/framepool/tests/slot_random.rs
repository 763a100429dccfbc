//! Random programs: invariants after every step, and a comparison with the crate's own pool where that is right. Slices
//! are released between any two steps, also within a message.
//!
//! `FRAMEPOOL_SEED` is the seed of the first program, and each further one adds 1. A failure names the seed that
//! repeats it.

use std::{
    env,
    mem::ManuallyDrop,
    ops::Range,
    panic::{self, AssertUnwindSafe},
};

use buffer_sv2::{AeadBuffer, Buffer, BufferFromSystemMemory, BufferPool};
use framepool::slot::{Mode, Place, SLOTS, Slice, SlotPool, Taken};
use rand::{Rng, SeedableRng, rngs::StdRng};

const PROGRAMS: u64 = 100_000;
const MESSAGES: usize = 40;
const DIGITS: &[u8] = b"123456789abcdefghijklmnopqrstuvwxyz";

/// Returns byte `index` of message `message`.
fn pattern(message: usize, index: usize) -> u8 {
    (message * 59 + index * 7) as u8
}

fn is_message(bytes: &[u8], message: usize) -> bool {
    bytes.iter().enumerate().all(|(index, &byte)| byte == pattern(message, index))
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// A slice that was not released yet, with the crate's slice for that message while the two pools are in step.
struct Live {
    message: usize,
    ours: Ours,
    theirs: Option<Theirs>,
}

impl Live {
    fn held(&self) -> Option<(usize, Range<usize>)> {
        self.ours.held()
    }
}

/// A message taken from our pool, either as a slice or in a slot that the pool holds for us.
enum Ours {
    Slice(Slice),
    Held { slot: usize, range: Range<usize> },
}

impl Ours {
    /// Returns the slot and the bytes in the region, if the message has them.
    fn held(&self) -> Option<(usize, Range<usize>)> {
        match self {
            Self::Slice(slice) => {
                let (slot, begin) = (slice.slot()?, slice.offset()?);
                Some((slot.into(), begin..begin + slice.len()))
            }
            Self::Held { slot, range } => Some((*slot, range.clone())),
        }
    }

    fn bytes<'a>(&'a self, pool: &'a SlotPool) -> &'a [u8] {
        match self {
            Self::Slice(slice) => slice.as_ref(),
            Self::Held { slot, .. } => pool.held(*slot).expect("it was not given back"),
        }
    }
}

impl From<Taken> for Ours {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Held { slot, offset, len } => Self::Held { slot: slot.into(), range: offset..offset + len },
            Taken::Heap(slice) => Self::Slice(slice),
        }
    }
}

/// A slice of the crate's pool. `slot` is 0 if it has none, because it is empty or on the heap.
struct Theirs {
    _slice: buffer_sv2::Slice,
    slot: usize,
    range: Range<usize>,
}

/// The reason why the crate's pool is no longer compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It took a message from the heap though ours has room.
    OnHeap,
    /// It moved a message back from the heap before it was taken. Ours stays there.
    BackFromHeap,
    Panic,
    Overlap,
    /// It took a slot that is alive.
    SlotTwice,
    /// In front mode, it used a slot or bytes that are not before the first live slice.
    LeftFront,
    /// It did not start again when nothing was alive.
    NoReset,
}

/// The crate's pool in step with ours, watched for its faults.
struct Oracle {
    /// Never dropped: its drop waits until every slot is free, which is never if slots were taken twice.
    pool: ManuallyDrop<BufferPool<BufferFromSystemMemory>>,
    base: usize,
    /// In front mode: the slot that was the first live one when the mode began, and the offset of its bytes.
    front: Option<(usize, usize)>,
    /// The last slot taken, and the end of its bytes.
    last: (usize, usize),
}

impl Oracle {
    fn new(capacity: usize) -> Self {
        let mut pool = BufferPool::new(capacity);
        let base = pool.get_writable(0).as_ptr().addr();
        Self { pool: ManuallyDrop::new(pool), base, front: None, last: (0, 0) }
    }

    fn mode(&self) -> Mode {
        match (self.pool.is_front_mode(), self.pool.is_alloc_mode()) {
            (true, _) => Mode::Front,
            (_, true) => Mode::Alloc,
            _ => Mode::Back,
        }
    }

    /// Returns the place of the message in hand.
    fn get_writable(&mut self, len: usize, live: &[Live]) -> Result<Place, End> {
        let address = panic::catch_unwind(AssertUnwindSafe(|| self.pool.get_writable(len).as_ptr().addr()))
            .map_err(|_| End::Panic)?;
        if self.pool.is_alloc_mode() {
            self.front = None;
            return Ok(Place::Heap);
        }
        let written = Buffer::len(&*self.pool);
        let begin = address - self.base - (written - len);
        let range = begin..begin + written;
        let held = || live.iter().filter_map(|live| live.theirs.as_ref()).filter(|theirs| theirs.slot > 0);
        if held().next().is_none() && (self.pool.is_front_mode() || begin != 0) {
            return Err(End::NoReset);
        }
        if held().any(|theirs| overlap(&theirs.range, &range)) {
            return Err(End::Overlap);
        }
        if self.pool.is_front_mode() {
            let first_live = || held().map(|theirs| (theirs.slot, theirs.range.start)).min().expect("else: NoReset");
            let (end_slot, end) = *self.front.get_or_insert_with(first_live);
            // It is still behind the front's last slot, so the next slice would get the slot after it.
            let front_is_full = (self.last.0 + 1, self.last.1) == (end_slot, begin);
            if range.end > end || front_is_full {
                return Err(End::LeftFront);
            }
        } else {
            self.front = None;
        }
        Ok(Place::Region(begin))
    }

    fn take(&mut self, live: &[Live]) -> Result<Theirs, End> {
        let on_heap = self.pool.is_alloc_mode();
        let slice = panic::catch_unwind(AssertUnwindSafe(|| self.pool.get_data_owned())).map_err(|_| End::Panic)?;
        if on_heap {
            let range = 0..slice.as_ref().len();
            return Ok(Theirs { _slice: slice, slot: 0, range });
        }
        let bytes = slice.as_ref().as_ptr_range();
        let range = bytes.start.addr() - self.base..bytes.end.addr() - self.base;
        let slot = if range.is_empty() { 0 } else { usize::from(slice.index) };
        if slot > 0 && live.iter().filter_map(|live| live.theirs.as_ref()).any(|theirs| theirs.slot == slot) {
            return Err(End::SlotTwice);
        }
        if slot > 0 {
            self.last = (slot, range.end);
        }
        Ok(Theirs { _slice: slice, slot, range })
    }

    fn discard(self) {
        if self.pool.is_droppable() {
            drop(ManuallyDrop::into_inner(self.pool));
        }
    }
}

/// Figures of one program.
#[derive(Default)]
struct Outcome {
    end: Option<End>,
    messages_in_step: u64,
    modes: [bool; 3],
    predictions: u64,
}

/// The sizes of a program's messages, the number of slices that it keeps, and the order of their release.
struct Shape {
    capacity: usize,
    largest: usize,
    parts: usize,
    keep: usize,
    order: u8,
}

impl Shape {
    fn random(rng: &mut StdRng) -> Self {
        let capacity = match rng.gen_range(0..50) {
            0 => 0,
            1..=9 => rng.gen_range(1..=16),
            10..=39 => rng.gen_range(17..=128),
            _ => rng.gen_range(129..=600),
        };
        // Mostly programs that the crate can run without alloc mode.
        let largest = match rng.gen_range(0..6) {
            0..=3 => (capacity / SLOTS).max(1),
            4 => capacity / 3 + 1,
            _ => capacity * 3 / 2 + 2,
        };
        let keep = if rng.gen_ratio(1, 8) { SLOTS + 1 } else { rng.gen_range(0..SLOTS) };
        Self { capacity, largest, parts: rng.gen_range(1..=4), keep, order: rng.gen_range(0..4) }
    }

    fn victim(&self, rng: &mut StdRng, count: usize) -> usize {
        match self.order {
            0 | 1 => 0,
            2 => count - 1,
            _ => rng.gen_range(0..count),
        }
    }
}

struct Program {
    pool: SlotPool,
    oracle: Option<Oracle>,
    live: Vec<Live>,
    message: usize,
    digits: [u8; SLOTS],
    slots_taken: usize,
    /// The slot that `room()` predicted for the message in hand, if it was written at once.
    predicted_slot: Option<usize>,
    /// Whether the current message was ever too large for the region.
    was_too_large: bool,
    fallbacks: u64,
    outcome: Outcome,
}

impl Program {
    fn run(seed: u64) -> Outcome {
        let mut rng = StdRng::seed_from_u64(seed);
        let shape = Shape::random(&mut rng);
        let mut program = Self {
            pool: SlotPool::new(shape.capacity).expect("memory"),
            oracle: Some(Oracle::new(shape.capacity)),
            live: Vec::new(),
            message: 0,
            digits: [b'-'; SLOTS],
            slots_taken: 0,
            predicted_slot: None,
            was_too_large: false,
            fallbacks: 0,
            outcome: Outcome::default(),
        };
        for message in 0..MESSAGES {
            program.message = message;
            program.step(&shape, &mut rng);
        }
        program.live.clear();
        if let Some(oracle) = program.oracle {
            oracle.discard();
        }
        program.outcome
    }

    fn step(&mut self, shape: &Shape, rng: &mut StdRng) {
        let mut left = rng.gen_range(0..=shape.largest);
        for part in (0..rng.gen_range(1..=shape.parts)).rev() {
            let len = if part == 0 { left } else { rng.gen_range(0..=left) };
            left -= len;
            self.write(len);
            if rng.gen_ratio(1, 8) {
                self.truncate(rng);
            }
            if rng.gen_ratio(1, 8) {
                self.release(shape, rng);
            }
        }
        self.take(rng);
        self.was_too_large = false;
        while self.live.len() > shape.keep {
            self.release(shape, rng);
        }
        if rng.gen_ratio(1, 12) {
            for _ in 0..rng.gen_range(0..=SLOTS) {
                self.release(shape, rng);
            }
        }
        self.check();
    }

    fn write(&mut self, len: usize) {
        let (begin, live, was_on_heap) = (self.pool.len(), self.pool.live(), self.pool.place() == Place::Heap);
        let room = self.pool.room();
        let total = begin + len;

        let bytes = self.pool.get_writable(len);
        assert_eq!(bytes.len(), len);
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = pattern(self.message, begin + index);
        }
        assert_eq!(self.pool.len(), total);
        assert!(is_message(self.pool.get_data_by_ref_(total), self.message), "moved out of order");

        let place = self.pool.place();
        self.predicted_slot = None;
        if begin == 0 && len > 0 && len <= room.bytes {
            self.predicted_slot = Some(room.slot);
            assert!(room.slot <= room.last_slot && room.last_slot <= SLOTS);
            self.outcome.predictions += 1;
            assert_eq!(place, Place::Region(room.offset), "room() predicted otherwise");
        }
        if total > self.pool.capacity() || was_on_heap {
            assert_eq!(place, Place::Heap);
        } else if live == 0 {
            assert_eq!((place, self.pool.mode()), (Place::Region(0), Mode::Back), "no reset");
            assert!(begin > 0 || (room.offset, room.bytes, room.slot) == (0, self.pool.capacity(), 1));
        } else {
            let alloc = self.pool.mode() == Mode::Alloc;
            assert_eq!(alloc, place == Place::Heap);
            assert!(!(alloc && self.has_room(total)), "alloc mode while there is room");
        }
        if let Place::Region(offset) = place {
            let range = offset..offset + total;
            assert!(range.end <= self.pool.capacity());
            let mut held = self.live.iter().filter_map(Live::held);
            assert!(!held.any(|(_, live)| overlap(&live, &range)), "a live slice is being overwritten");
        }
        self.outcome.modes[self.pool.mode() as usize] = true;

        self.was_too_large |= total > self.pool.capacity();
        if let Some(oracle) = &mut self.oracle {
            match oracle.get_writable(len, &self.live) {
                Ok(Place::Heap) if place != Place::Heap => self.part(End::OnHeap),
                Ok(Place::Region(_)) if was_on_heap => self.part(End::BackFromHeap),
                Ok(theirs) => {
                    assert_eq!(place, theirs, "not as the crate");
                    // One difference: a message that could never fit leaves our mode as it is.
                    assert!(self.was_too_large || self.pool.mode() == oracle.mode(), "not as the crate");
                }
                Err(end) => self.part(end),
            }
        }
    }

    /// Returns true if the gap before the first live slice or the one after the last holds `bytes`.
    fn has_room(&self, bytes: usize) -> bool {
        let held = || self.live.iter().filter_map(Live::held);
        let (first_slot, first) = held().min_by_key(|(slot, _)| *slot).expect("else there would be a reset");
        let (last_slot, last) = held().max_by_key(|(slot, _)| *slot).expect("else there would be a reset");
        (first_slot > 1 && bytes <= first.start) || (last_slot < SLOTS && bytes <= self.pool.capacity() - last.end)
    }

    fn truncate(&mut self, rng: &mut StdRng) {
        let (begin, start) = (self.pool.len(), rng.gen_range(0..=self.pool.len()));
        let len = rng.gen_range(0..=begin - start);
        self.pool.try_set_start(start).expect("in range");
        self.pool.try_truncate(len).expect("in range");
        let hidden = self.pool.as_ref();
        assert!(hidden.iter().zip(start..).all(|(&byte, index)| byte == pattern(self.message, index)));
        assert_eq!((hidden.len(), self.pool.len()), (len, start + len));
        if let Some(oracle) = &mut self.oracle {
            // The crate's start would outlive the message.
            oracle.pool.truncate(start + len);
        }
    }

    fn take(&mut self, rng: &mut StdRng) {
        let (len, place) = (self.pool.len(), self.pool.place());
        let ours = match rng.gen_range(0..3) {
            0 => Ours::Slice(self.pool.get_data_owned()),
            1 => self.pool.take_held().into(),
            _ => {
                let slice = self.pool.get_data_owned();
                self.pool.hold(slice).into()
            }
        };
        assert_eq!(ours.bytes(&self.pool).len(), len);
        assert_eq!((self.pool.len(), self.pool.start()), (0, 0));
        if let Some((slot, range)) = ours.held() {
            assert_eq!(Place::Region(range.start), place);
            assert_eq!(self.predicted_slot.unwrap_or(slot), slot, "room() predicted otherwise");
            self.digits[slot - 1] = DIGITS[self.slots_taken % DIGITS.len()];
            self.slots_taken += 1;
        } else {
            assert!(len == 0 || place == Place::Heap);
            self.fallbacks += u64::from(len > 0);
        }
        let mut live = Live { message: self.message, ours, theirs: None };
        match self.oracle.as_mut().map(|oracle| oracle.take(&self.live)) {
            Some(Ok(theirs)) => {
                let held = (theirs.slot > 0).then(|| (theirs.slot, theirs.range.clone()));
                assert_eq!((live.held(), len), (held, theirs.range.len()), "not as the crate");
                live.theirs = Some(theirs);
                self.outcome.messages_in_step += 1;
            }
            Some(Err(end)) => self.part(end),
            None => {}
        }
        self.live.push(live);
    }

    /// Continues without the crate.
    fn part(&mut self, end: End) {
        self.outcome.end = Some(end);
        for live in &mut self.live {
            live.theirs = None;
        }
        if let Some(oracle) = self.oracle.take() {
            oracle.discard();
        }
    }

    fn release(&mut self, shape: &Shape, rng: &mut StdRng) {
        if self.live.is_empty() {
            return;
        }
        let live = self.live.remove(shape.victim(rng, self.live.len()));
        if let Some((slot, _)) = live.held() {
            self.digits[slot - 1] = b'-';
        }
        if let Ours::Held { slot, .. } = live.ours {
            self.pool.give_back(1 << (slot - 1));
            assert!(self.pool.held(slot).is_none());
        }
    }

    /// Checks what must hold between any two messages.
    fn check(&self) {
        let mut slots: [Option<Range<usize>>; SLOTS] = Default::default();
        for live in &self.live {
            assert!(is_message(live.ours.bytes(&self.pool), live.message), "a live slice changed");
            if let Some((slot, range)) = live.held() {
                assert!(slots[slot - 1].replace(range).is_none(), "two live slices in one slot");
            }
        }
        let mut end = 0;
        for range in slots.iter().flatten() {
            assert!(end <= range.start, "live slices overlap, or lie out of order");
            end = range.end;
        }
        assert!(end <= self.pool.capacity());
        let bits = slots.iter().rev().fold(0, |bits, slot| bits << 1 | u8::from(slot.is_some()));
        let stats = self.pool.stats();
        assert_eq!((self.pool.live(), stats.live_slices), (bits.into(), bits.count_ones()));
        assert_eq!((&stats.slots[..], stats.heap_fallbacks), (&self.digits[..], self.fallbacks));
        assert_eq!(self.pool.is_droppable(), bits == 0);
    }
}

fn first_seed() -> u64 {
    env::var("FRAMEPOOL_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("a u64 in decimal"))
}

/// Silences the crate's panics, which are expected and caught.
fn silence_the_crate() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.location().is_none_or(|location| !location.file().contains("buffer_sv2")) {
            report(info);
        }
    }));
}

#[test]
fn random_programs() {
    let first = first_seed();
    println!("FRAMEPOOL_SEED={first}");
    silence_the_crate();
    let (mut in_step, mut in_step_with_front, mut messages, mut predictions) = (0, 0, 0, 0);
    let mut parted: Vec<(End, u64)> = Vec::new();
    let mut visited = [0_u64; 3];
    for seed in (0..PROGRAMS).map(|program| first.wrapping_add(program)) {
        let outcome = panic::catch_unwind(|| Program::run(seed))
            .unwrap_or_else(|_| panic!("repeat it with FRAMEPOOL_SEED={seed}"));
        for (count, visited) in visited.iter_mut().zip(outcome.modes) {
            *count += u64::from(visited);
        }
        messages += outcome.messages_in_step;
        predictions += outcome.predictions;
        match outcome.end {
            None => {
                in_step += 1;
                in_step_with_front += u64::from(outcome.modes[Mode::Front as usize]);
            }
            Some(end) => match parted.iter_mut().find(|(known, _)| *known == end) {
                Some((_, count)) => *count += 1,
                None => parted.push((end, 1)),
            },
        }
    }
    println!(
        "programs in step with the crate to their end: {in_step}, {in_step_with_front} of them through front mode"
    );
    println!("messages in step with the crate: {messages}; programs that parted from it: {parted:?}");
    println!("programs that were in back, front, alloc mode: {visited:?}; predictions that held: {predictions}");
    // Without these checks the comparisons above could be empty unnoticed.
    assert!(in_step > PROGRAMS / 4 && in_step_with_front > PROGRAMS / 20 && messages > PROGRAMS * 15);
    // The module's documentation states these shares.
    let ended = |end: End| parted.iter().find(|(known, _)| *known == end).map_or(0, |(_, count)| *count);
    assert!(ended(End::OnHeap) > PROGRAMS / 2 && PROGRAMS - in_step - ended(End::OnHeap) < PROGRAMS / 25);
    assert!(visited.iter().all(|&programs| programs > PROGRAMS / 10) && predictions > PROGRAMS);
}
