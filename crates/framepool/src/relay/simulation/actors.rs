//! Peers of the relay: honest miners, attackers of each kind, and the mining pool.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use buffer_sv2::BufferFromSystemMemory;
use rand::Rng;
use rand::rngs::StdRng;

use super::super::options::Limits;
use super::world::World;
use crate::sv2::{FrameHeader, Identity, Options, Session, State};

/// The behavior of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Sends frames, awaits each answer, and ends in order now and then.
    Honest,
    /// Says nothing.
    Silent,
    /// Sends random bytes.
    Garbage,
    /// Shakes hands, and says nothing more.
    Mute,
    /// Sends the beginning of a large frame, and nothing more.
    Stall,
    /// Sends a large frame byte by byte.
    Trickle,
    /// Breaks the connection in the middle of a frame.
    Reset,
    /// Sends large frames, and reads no answer.
    Deaf,
    /// Sends empty frames as fast as it can.
    Burst,
    /// Sends one frame, and says nothing more.
    Idle,
}

const ATTACKS: [Kind; 9] = [
    Kind::Silent,
    Kind::Garbage,
    Kind::Mute,
    Kind::Stall,
    Kind::Trickle,
    Kind::Reset,
    Kind::Deaf,
    Kind::Burst,
    Kind::Idle,
];

/// The most bytes that one turn of the relay reads from one connection.
pub(super) const READ: u64 = 1 << 16;

/// The least bytes of an encrypted frame.
const FRAME: u64 = 22;

/// A client of the relay.
pub(super) struct Actor {
    kind: Kind,
    number: u16,
    key: String,
    line: Option<Line>,
    /// No new connection is made.
    finished: bool,
}

/// A connection of a client.
struct Line {
    id: u64,
    session: Session,
    /// Bytes to be sent.
    wire: VecDeque<u8>,
    /// Sizes of the frames whose answers have not come, in order.
    awaited: VecDeque<(u32, usize)>,
    sent: u32,
    /// Turn at which the oldest of them was sent.
    since: usize,
    /// Frames that it will send before it ends.
    left: u32,
    ended: bool,
    /// An answer has come, so both handshakes are done.
    answered: bool,
    acts: usize,
}

fn payload(number: u16, sequence: u32, length: usize) -> Vec<u8> {
    let mut byte = (u32::from(number) << 16 ^ sequence).wrapping_mul(0x9e37_79b9);
    let mut payload = Vec::with_capacity(length);
    payload.extend(sequence.to_le_bytes().iter().take(length));
    while payload.len() < length {
        byte = byte.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        payload.push((byte >> 24) as u8);
    }
    payload
}

const HEADER: FrameHeader = FrameHeader { extension_type: 0, message_type: 0x1a };

fn drain(session: &mut Session, into: &mut VecDeque<u8>) {
    let output = session.output();
    let mut bytes = vec![0; output.pending()];
    output.read(&mut bytes);
    into.extend(bytes);
}

impl Actor {
    pub(super) fn crowd(honest: usize, attackers: usize, key: &str, rng: &mut StdRng) -> Vec<Self> {
        let mut kinds = vec![Kind::Honest; honest];
        for kind in ATTACKS {
            kinds.extend(std::iter::repeat_n(kind, attackers));
        }
        rand::seq::SliceRandom::shuffle(&mut kinds[..], rng);
        let actor = |(number, kind)| Self { kind, number, key: key.to_owned(), line: None, finished: false };
        (0..).zip(kinds).map(actor).collect()
    }

    pub(super) fn is_honest(&self) -> bool {
        self.kind == Kind::Honest
    }

    /// Returns the port that its connections come from.
    pub(super) fn port(&self) -> u16 {
        1000 + self.number
    }

    /// Stops the client from making new connections. An honest client also ends the one that it has.
    pub(super) fn finish(&mut self) {
        self.finished = true;
        if let Some(line) = &mut self.line {
            line.left = 0;
        }
    }

    pub(super) fn act(&mut self, world: &World, rng: &mut StdRng, turn: usize) -> Result<(), String> {
        let Some(line) = &mut self.line else {
            if !self.finished && rng.gen_ratio(1, 4) {
                self.line = Some(self.dial(world, rng, turn));
            }
            return Ok(());
        };
        line.acts += 1;
        if world.is_gone(line.id) {
            let line = self.line.take().expect("it is there");
            world.forget(line.id);
            return self.check_lost(&line);
        }
        match self.kind {
            Kind::Honest => return self.be_honest(world, rng, turn),
            Kind::Silent => {}
            Kind::Garbage => {
                let bytes: Vec<u8> = (0..rng.gen_range(1..200)).map(|_| rng.r#gen()).collect();
                world.send(line.id, &bytes);
            }
            Kind::Mute => line.exchange(world, rng, usize::MAX)?,
            Kind::Stall | Kind::Trickle | Kind::Reset => {
                let shaken = line.session.state() == State::Transport;
                if shaken && line.sent == 0 {
                    line.send(self.number, 200_000, turn);
                    line.wire.truncate(if self.kind == Kind::Stall { 30_000 } else { usize::MAX });
                }
                let most = if self.kind == Kind::Trickle && shaken { usize::from(rng.gen_ratio(1, 20)) } else { 4_000 };
                line.exchange(world, rng, most)?;
                if self.kind == Kind::Reset && shaken && line.acts > 20 {
                    if rng.r#gen() { world.reset(line.id) } else { world.end(line.id) }
                }
            }
            Kind::Deaf => {
                if line.session.state() == State::Handshake {
                    line.exchange(world, rng, usize::MAX)?;
                } else {
                    if line.wire.len() < 10_000 {
                        line.send(self.number, 2_000, turn);
                    }
                    line.push(world, usize::MAX);
                }
            }
            Kind::Burst => {
                while line.session.state() == State::Transport && line.wire.len() < world.room() {
                    line.send(self.number, 0, turn);
                }
                line.exchange(world, rng, usize::MAX)?;
                line.awaited.clear();
            }
            Kind::Idle => {
                if line.session.state() == State::Transport && line.sent == 0 {
                    line.send(self.number, 100, turn);
                }
                line.exchange(world, rng, usize::MAX)?;
            }
        }
        Ok(())
    }

    fn dial(&self, world: &World, rng: &mut StdRng, turn: usize) -> Line {
        if rng.gen_ratio(1, 100) {
            world.exhaust(rng.gen_range(1..20));
        }
        let address = SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + u32::from(self.number % 8)), self.port()));
        let mut session = Session::initiator(Options::default(), Some(&self.key)).expect("a good key");
        let mut wire = VecDeque::new();
        drain(&mut session, &mut wire);
        let left = rng.gen_range(1..60);
        let (awaited, id) = (VecDeque::new(), world.dial(address));
        Line { id, session, wire, awaited, sent: 0, since: turn, left, ended: false, answered: false, acts: 0 }
    }

    fn be_honest(&mut self, world: &World, rng: &mut StdRng, turn: usize) -> Result<(), String> {
        let Some(line) = &mut self.line else { return Ok(()) };
        let ready = line.session.state() == State::Transport && line.wire.is_empty();
        if ready && line.left > 0 && line.awaited.len() < 4 {
            let length = match rng.gen_range(0..100) {
                0 => rng.gen_range(0..100_000),
                1..=20 => rng.gen_range(0..3_000),
                _ => rng.gen_range(4..200),
            };
            line.send(self.number, length, turn);
            line.left -= 1;
        }
        line.push(world, rng.gen_range(1..5_000));
        if line.left == 0 && line.wire.is_empty() && !line.ended && rng.gen_ratio(1, 3) {
            line.ended = true;
            world.end(line.id);
        }
        let Some(bytes) = world.receive(line.id, rng.gen_range(1..5_000)) else {
            // The end comes after all answers, if the mining pool went on for as long.
            let line = self.line.take().expect("it is there");
            if line.ended {
                world.forget(line.id);
            } else {
                world.end(line.id);
            }
            return self.check_lost(&line);
        };
        let before = line.awaited.len();
        line.answered |= line.sent > 0 && !bytes.is_empty() && line.session.stats().frames_in > 0;
        for (header, payload) in receive(&mut line.session, &bytes)? {
            let Some((sequence, length)) = line.awaited.pop_front() else {
                return Err(format!("miner {}: a frame that nobody sent", self.number));
            };
            if header != HEADER || payload != self::payload(self.number, sequence, length) {
                return Err(format!("miner {}: frame {sequence} was changed, lost, or came out of order", self.number));
            }
        }
        drain(&mut line.session, &mut line.wire);
        if line.awaited.len() != before || line.awaited.is_empty() {
            line.since = turn;
        }
        Ok(())
    }

    /// Fails if the connection of an honest miner has ended before its answers came. A mining pool that nobody could connect to
    /// explains that, but only before the first answer.
    fn check_lost(&self, line: &Line) -> Result<(), String> {
        if self.is_honest() && line.answered && !line.awaited.is_empty() {
            return Err(format!("miner {} has lost {} answers", self.number, line.awaited.len()));
        }
        Ok(())
    }

    /// Fails if an honest miner has waited for too long.
    pub(super) fn check(&self, turn: usize, patience: usize) -> Result<(), String> {
        match &self.line {
            Some(line) if self.is_honest() && !line.awaited.is_empty() && turn > line.since + patience => Err(format!(
                "miner {} has waited for {} turns for {} answers",
                self.number,
                turn - line.since,
                line.awaited.len()
            )),
            _ => Ok(()),
        }
    }
}

impl Line {
    fn send(&mut self, number: u16, length: usize, turn: usize) {
        let payload = payload(number, self.sent, length);
        self.session.send(HEADER, &payload).expect("memory");
        if self.awaited.is_empty() {
            self.since = turn;
        }
        self.awaited.push_back((self.sent, length));
        self.sent += 1;
        drain(&mut self.session, &mut self.wire);
    }

    fn push(&mut self, world: &World, most: usize) {
        let bytes: Vec<u8> = self.wire.iter().copied().take(most).collect();
        if let Some(count) = world.send(self.id, &bytes) {
            self.wire.drain(..count);
        }
    }

    /// Sends at most `most` bytes, and takes what comes.
    fn exchange(&mut self, world: &World, rng: &mut StdRng, most: usize) -> Result<(), String> {
        self.push(world, most);
        if let Some(bytes) = world.receive(self.id, rng.gen_range(1..5_000)) {
            receive(&mut self.session, &bytes)?;
            drain(&mut self.session, &mut self.wire);
        }
        Ok(())
    }
}

fn receive(session: &mut Session, bytes: &[u8]) -> Result<Vec<(FrameHeader, Vec<u8>)>, String> {
    let batch = session.receive(bytes, &mut BufferFromSystemMemory::new(0)).map_err(|error| error.to_string())?;
    let frames = batch.iter().flat_map(|batch| (0..batch.frames).filter_map(|index| batch.frame(index)));
    Ok(frames.map(|frame| (frame.header, frame.payload.to_vec())).collect())
}

/// The mining pool, which sends every frame back, and looks at the rates of what it gets.
pub(super) struct MiningPool {
    identity: Identity,
    limits: Limits,
    lines: HashMap<u64, MiningPoolLine>,
}

struct MiningPoolLine {
    session: Session,
    wire: VecDeque<u8>,
    ended: bool,
    since: Duration,
}

impl MiningPool {
    pub(super) fn new(identity: &Identity, limits: Limits) -> Self {
        Self { identity: identity.clone(), limits, lines: HashMap::new() }
    }

    pub(super) fn act(&mut self, world: &World, rng: &mut StdRng) -> Result<(), String> {
        while let Some(id) = world.answer(rng.gen_ratio(1, 20)) {
            let session = Session::responder(Options::default(), &self.identity).expect("memory");
            let since = world.now();
            let line = MiningPoolLine { session, wire: VecDeque::new(), ended: false, since };
            self.lines.insert(id, line);
        }
        let mut ids: Vec<u64> = self.lines.keys().copied().collect();
        ids.sort_unstable();
        rand::seq::SliceRandom::shuffle(&mut ids[..], rng);
        // Some have their turn.
        for id in ids.into_iter().take(16) {
            if world.is_gone(id) {
                self.lines.remove(&id);
                world.forget(id);
                continue;
            }
            let line = self.lines.get_mut(&id).expect("it is there");
            match world.receive(id, rng.gen_range(1..10_000)) {
                Some(bytes) => {
                    for (header, payload) in receive(&mut line.session, &bytes)? {
                        line.session.send(header, &payload).map_err(|error| error.to_string())?;
                    }
                    line.check(&self.limits, world.now())?;
                    drain(&mut line.session, &mut line.wire);
                }
                None if line.wire.is_empty() && !line.ended => {
                    line.ended = true;
                    world.end(id);
                }
                None => {}
            }
            let bytes: Vec<u8> = line.wire.iter().copied().take(rng.gen_range(1..10_000)).collect();
            if let Some(count) = world.send(id, &bytes) {
                line.wire.drain(..count);
            }
        }
        Ok(())
    }
}

impl MiningPoolLine {
    /// Fails if more has come than the rates of a miner allow: a burst of one second, what the time since then allows, and what one
    /// read may be over.
    fn check(&self, limits: &Limits, now: Duration) -> Result<(), String> {
        let seconds = now.saturating_sub(self.since).as_secs() + 2;
        let stats = self.session.stats();
        for (what, count, rate, read) in [
            ("frames", stats.frames_in, limits.frames_per_second, READ / FRAME),
            ("bytes", stats.bytes_in, limits.bytes_per_second, READ),
        ] {
            if rate > 0 && count > rate * seconds + 2 * read {
                return Err(format!("{count} {what} of one miner in {seconds} seconds"));
            }
        }
        Ok(())
    }
}
