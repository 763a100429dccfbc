//! A link: what happens to a miner's connection and the connection to the mining pool that belongs to it.
//!
//! Frames from the miner go *upstream*, those from the mining pool *downstream*. A side is named by its place in `sides`, which
//! is also the direction of the frames that come from it.

use std::collections::{LinkedList, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::bucket::{Bucket, Rate};
use super::command::{Inbox, Message, Operation};
use super::descriptors;
use super::ending::{Cause, Ending, Facts, SystemFault};
use super::figures::{LinkFigures, Reason, WorkerFigures, add};
use super::handed::Handed;
use super::hooks::telling;
use super::network::Network;
use super::record::{Disconnected, Record};
use super::shared::Shared;
use super::side::Side;
use crate::ledger::RequestId;
use crate::slot::SlotPool;
use crate::sv2::{Batch, Direction, Error, FrameHeader, LinkMemory, Session, State};

pub(super) const MINER: usize = 0;
pub(super) const UPSTREAM: usize = 1;

/// The most that one turn reads from one side, in bytes. A frame with a grant of memory is read in larger pieces.
const READ: usize = 1 << 14;

/// Time that a link has for its end when nothing more is to be sent.
const CLOSING: Duration = Duration::from_secs(5);

/// Time for which one of several addresses of a mining pool is tried.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Time that a link is silent before its buffers shrink.
const SILENCE: Duration = Duration::from_secs(1);

/// The tools that a link has while it is its turn.
pub(super) struct Turn<'a, N: Network> {
    pub(super) network: &'a mut N,
    /// Pool in which frames are decrypted.
    pub(super) pool: &'a mut SlotPool,
    /// Memory of the frames that are handed to the user.
    pub(super) handed: &'a mut Handed,
    pub(super) chunk: &'a mut [u8],
    pub(super) records: &'a mut LinkedList<Record>,
    pub(super) shared: &'a Shared,
    pub(super) figures: &'a WorkerFigures,
    pub(super) inbox: &'a Arc<Inbox<N::Stream>>,
    pub(super) now: Duration,
    /// Token of the link's first side.
    pub(super) token: usize,
}

impl<N: Network> Turn<'_, N> {
    pub(super) fn refuse(&mut self, reason: Reason) {
        if let Some(count) = self.shared.refusals.count(reason, self.now) {
            self.records.push_back(Record::Refused { reason, count });
        }
    }
}

/// Frames that wait: for the upstream, or for verdicts.
struct Held {
    /// Payloads and table.
    bytes: Vec<u8>,
    table: usize,
    frames: usize,
    /// Index of the first frame that has not been passed on.
    next: usize,
    /// Whether the frames have been handed over.
    handed: bool,
}

/// A mining pool that the user has chosen.
struct Chosen {
    addresses: Vec<SocketAddr>,
    key: Option<String>,
}

/// Addresses of a mining pool that are tried in order.
struct Attempts {
    left: VecDeque<SocketAddr>,
    current: SocketAddr,
    /// Time at which the next address is tried.
    until: Option<Duration>,
    failed: Vec<SystemFault>,
}

/// The numbers that were last added to the figures, by direction.
#[derive(Clone, Copy, Default)]
struct Counted {
    frames: [u64; 2],
    bytes: [u64; 2],
    /// Memory of the session that frames of a direction go out through, in bytes.
    memory: [u64; 2],
    /// Memory of the frames that wait for a verdict, in bytes.
    held: [u64; 2],
}

/// A link.
#[allow(clippy::struct_excessive_bools, reason = "each may be true or not, whatever the others are")]
pub(super) struct Link<S> {
    pub(super) figures: Arc<LinkFigures>,
    sides: [Option<Side<S>>; 2],
    memory: LinkMemory,
    /// Requests for memory, by direction.
    requests: [Option<RequestId>; 2],
    held: [Option<Box<Held>>; 2],
    /// Whether the miner has sent a genuine frame, and so has read the answer to its handshake.
    authenticated: bool,
    /// Whether both handshakes are done.
    ready: bool,
    /// Whether the user has ended the link: no frame passes any more.
    stopped: bool,
    /// Whether the user has sent more than a side takes, by direction. Nothing is read until the side has taken it.
    congested: [bool; 2],
    /// Whether the user has asked for a record when a direction is drained.
    watched: [bool; 2],
    /// The mining pool that the user has chosen, until the connection to it begins.
    chosen: Option<Box<Chosen>>,
    attempts: Option<Box<Attempts>>,
    ending: Option<Box<Ending>>,
    told: Option<Box<(u8, Vec<u8>)>>,
    /// Time at which the present part of the handshakes must be done.
    handshake: Option<Duration>,
    /// Time at which the link ends in any case.
    closing: Option<Duration>,
    /// Time at which bytes last moved.
    moved: Duration,
    /// Whether the buffers may be larger than a silent link needs.
    grown: bool,
    frames: Bucket,
    bytes: Bucket,
    /// Time until which bytes of the miner wait.
    throttled: Option<Duration>,
    counted: Counted,
}

/// Outcome of a step: the link goes on, or ends.
type Step<T> = Result<T, Box<Ending>>;

fn direction(from: usize) -> Direction {
    if from == MINER { Direction::Upstream } else { Direction::Downstream }
}

/// Returns the side that frames of this direction go to.
fn target(way: Direction) -> usize {
    match way {
        Direction::Upstream => UPSTREAM,
        Direction::Downstream => MINER,
    }
}

/// Returns how users call a side: the miner is `Downstream`.
fn name(side: usize) -> Direction {
    if side == MINER { Direction::Downstream } else { Direction::Upstream }
}

impl<S: super::network::Stream + 'static> Link<S> {
    /// Makes the link of a miner that has connected.
    pub(super) fn new(
        figures: LinkFigures,
        stream: S,
        mut session: Session,
        memory: LinkMemory,
        handshake_timeout: Duration,
    ) -> Self {
        memory.join(&mut session);
        let now = figures.accepted;
        Self {
            figures: Arc::new(figures),
            sides: [Some(Side::new(stream, session, false)), None],
            memory,
            requests: [None, None],
            held: [None, None],
            authenticated: false,
            ready: false,
            stopped: false,
            congested: [false; 2],
            watched: [false; 2],
            chosen: None,
            attempts: None,
            ending: None,
            told: None,
            handshake: Some(now + handshake_timeout),
            closing: None,
            moved: now,
            grown: false,
            frames: Bucket::default(),
            bytes: Bucket::default(),
            throttled: None,
            counted: Counted::default(),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.figures.id
    }

    /// Returns the ending of a link that has to make room for other handshakes.
    pub(super) fn evicted(&self) -> Box<Ending> {
        self.blame(MINER, Cause::Refused(Reason::Handshakes))
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Returns whether the handshakes with both sides are done.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Returns the time at which bytes last moved.
    pub(super) fn moved(&self) -> Duration {
        self.moved
    }

    /// Notes the news of a socket.
    pub(super) fn hear(&mut self, side: usize, readable: bool, writable: bool, closing: bool) {
        if let Some(side) = &mut self.sides[side] {
            side.readable |= readable;
            side.writable |= writable;
            side.closing |= closing;
        }
    }

    /// Does what there is to do, and no more than is fair. Returns whether there is more.
    pub(super) fn serve<N: Network<Stream = S>>(&mut self, turn: &mut Turn<'_, N>) -> Step<bool> {
        self.connect_to_chosen(turn)?;
        self.finish_connecting(turn)?;
        let mut more = self.flush(UPSTREAM, turn)? | self.flush(MINER, turn)?;
        for from in [MINER, UPSTREAM] {
            self.pass_held(from, turn)?;
            self.read(from, turn)?;
            more |= self.flush(1 - from, turn)? | self.flush(from, turn)?;
        }
        self.end_sides(turn)?;
        for from in [MINER, UPSTREAM] {
            let Some(side) = &self.sides[from] else { continue };
            // Otherwise nothing is to be read, and no memory to be asked for or given back.
            let matters = side.readable || side.begun || self.memory.has_grants(direction(from));
            if from == MINER {
                self.throttled = None;
            }
            let open = matters && self.gate(from, turn)?.is_some();
            if let Some(side) = &mut self.sides[from] {
                more |= open && side.readable;
                let limits = &turn.shared.options.limits;
                let incoming = limits.least_rate(self.memory.granted(direction(from)));
                side.measure(!open, incoming, limits.min_rate, turn.now);
            }
        }
        self.account(turn.figures);
        Ok(more)
    }

    fn connect_to_chosen<N: Network<Stream = S>>(&mut self, turn: &mut Turn<'_, N>) -> Step<()> {
        match self.chosen.take() {
            Some(chosen) => self.connect(chosen.addresses, chosen.key.as_deref(), turn),
            None => Ok(()),
        }
    }

    fn finish_connecting<N: Network<Stream = S>>(&mut self, turn: &mut Turn<'_, N>) -> Step<()> {
        if let Some(side) = &mut self.sides[UPSTREAM]
            && side.connecting
            && side.writable
        {
            match side.connect_on() {
                Ok(true) => self.attempts = None,
                Ok(false) => {}
                Err(error) => self.attempt_failed(&error, turn)?,
            }
        }
        Ok(())
    }

    fn flush<N: Network<Stream = S>>(&mut self, which: usize, turn: &mut Turn<'_, N>) -> Step<bool> {
        let Some(side) = &mut self.sides[which] else { return Ok(false) };
        let (written, more) = match side.flush() {
            Ok(flushed) => flushed,
            Err(fault) => return Err(self.departure(which, Some(fault))),
        };
        if written > 0 {
            self.moved = turn.now;
        }
        if (self.congested[which] || self.watched[which]) && side.session.output().is_drained() {
            self.congested[which] = false;
            if std::mem::take(&mut self.watched[which]) {
                turn.records.push_back(Record::Drained { id: self.figures.id, way: direction(1 - which) });
            }
        }
        Ok(more)
    }

    /// Writes although the system has not reported that the socket takes bytes. It does when much of the socket's buffer is free, which
    /// takes a slow reader long, and the socket may take some before.
    fn try_to_write<N: Network<Stream = S>>(&mut self, which: usize, turn: &mut Turn<'_, N>) -> Step<()> {
        if let Some(side) = &mut self.sides[which] {
            side.writable |= !side.connecting;
        }
        self.flush(which, turn).map(drop)
    }

    /// Returns how much may be read from a side now, or `None` if nothing may.
    fn gate<N: Network<Stream = S>>(&mut self, from: usize, turn: &mut Turn<'_, N>) -> Step<Option<usize>> {
        let [miner, upstream] = &mut self.sides;
        let (source, sink) = if from == MINER { (miner, upstream) } else { (upstream, miner) };
        let Some(source) = source else { return Ok(None) };
        if source.ended || source.connecting {
            return Ok(None);
        }
        if source.ignored {
            return Ok(Some(READ));
        }
        if self.held[from].is_some() || self.congested != [false; 2] {
            return Ok(None);
        }
        if from == MINER {
            self.throttled = None;
            let limits = &turn.shared.options.limits;
            let open = self.frames.open(frame_rate(limits)).max(self.bytes.open(byte_rate(limits)));
            if open > turn.now {
                self.throttled = Some(open);
                return Ok(None);
            }
        }
        let input = source.session.partial();
        let Some(sink) = sink else {
            // Nothing beyond the message that makes the miner worth an upstream.
            let missing = input.wire.saturating_sub(input.come).max(1);
            return Ok((!self.authenticated).then_some(missing));
        };
        sink.over |= sink.unsent && sink.session.output().is_over_high_water();
        if sink.over || self.requests[from].is_some() {
            return Ok(None);
        }
        let way = direction(from);
        let step = self.memory.step(way, &input, &mut sink.session);
        if sink.session.output().pending() > step.drained {
            return Ok(None);
        }
        if step.drained == 0 && self.memory.has_grants(way) {
            // Nobody may see more in use than is reserved.
            self.account(turn.figures);
            let Some(sink) = &mut self.sides[1 - from] else { return Ok(None) };
            self.memory.release(way, &mut sink.session);
            sink.changed = true;
        }
        if let Some(payload) = step.granted
            && !self.grant(from, payload, turn)?
        {
            return Ok(None);
        }
        let most = if self.memory.has_grants(way) { turn.chunk.len() } else { READ };
        Ok(Some(step.quota.min(most)))
    }

    /// Gets memory for a frame that comes in. Returns false if it must wait.
    fn grant<N: Network<Stream = S>>(&mut self, from: usize, payload: usize, turn: &Turn<'_, N>) -> Step<bool> {
        let way = direction(from);
        let Some(sink) = &mut self.sides[1 - from] else { return Ok(false) };
        match self.memory.try_grant(way, payload, true, &mut sink.session) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(error) => return Err(self.broken(from, error)),
        }
        let (inbox, id) = (Arc::clone(turn.inbox), self.figures.id);
        let give = move |grant| {
            inbox.send([Message::Grant(id, grant)]);
        };
        match self.memory.enqueue(way, payload, give) {
            Ok(request) => self.requests[from] = Some(request),
            Err(error) => return Err(self.broken(from, error)),
        }
        Ok(false)
    }

    /// Takes memory that was waited for.
    pub(super) fn accept(&mut self, grant: crate::sv2::Grant) {
        let from = if grant.direction() == Direction::Upstream { MINER } else { UPSTREAM };
        if let Some(sink) = &mut self.sides[1 - from] {
            self.requests[from] = None;
            self.memory.accept(grant, true, &mut sink.session);
        }
    }

    /// Reads once from a side, if it may send.
    fn read<N: Network<Stream = S>>(&mut self, from: usize, turn: &mut Turn<'_, N>) -> Step<()> {
        let Some(side) = &self.sides[from] else { return Ok(()) };
        if !side.readable || (from == MINER && !side.ignored && turn.shared.is_draining()) {
            return Ok(());
        }
        let Some(most) = self.gate(from, turn)? else { return Ok(()) };
        let Some(side) = &mut self.sides[from] else { return Ok(()) };
        let most = most.min(turn.chunk.len());
        match side.read(&mut turn.chunk[..most], N::SHORT_READ_EMPTIES) {
            Ok(None) => Ok(()),
            Ok(Some(0)) => self.ended(from),
            Ok(Some(_)) if side.ignored => Ok(()),
            Ok(Some(count)) => {
                self.moved = turn.now;
                self.receive(from, count, turn)
            }
            Err(fault) => Err(self.departure(from, Some(fault))),
        }
    }

    /// Takes what was read.
    fn receive<N: Network<Stream = S>>(&mut self, from: usize, count: usize, turn: &mut Turn<'_, N>) -> Step<()> {
        let Some(side) = &mut self.sides[from] else { return Ok(()) };
        let chunk = &turn.chunk[..count];
        let before = side.session.state();
        if !(if from == MINER { self.authenticated } else { self.ready }) {
            side.note_head(chunk);
        }
        let received = side.session.receive(chunk, turn.pool);
        side.note_received(before);
        let batch = match received {
            Ok(batch) => batch,
            Err(error) => return Err(self.broken(from, error)),
        };
        if before == State::Handshake && side.session.state() != State::Handshake {
            if from == MINER {
                if side.begins_with_text() {
                    return Err(self.blame(from, Cause::Foreign));
                }
            } else {
                self.become_ready();
            }
        }
        if from == MINER
            && !self.authenticated
            && (batch.is_some()
                || self.sides[from].as_ref().is_some_and(|side| side.session.partial().payload.is_some()))
        {
            self.become_authenticated(turn)?;
        }
        if from == MINER && self.authenticated {
            let limits = &turn.shared.options.limits;
            let frames = batch.as_ref().map_or(0, |batch| batch.frames as u64);
            for (bucket, rate, units, reason) in [
                (&mut self.frames, frame_rate(limits), frames, Reason::FrameRate),
                (&mut self.bytes, byte_rate(limits), count as u64, Reason::ByteRate),
            ] {
                let was_open = bucket.open(rate) <= turn.now;
                bucket.take(units, rate, turn.now);
                if was_open
                    && bucket.open(rate) > turn.now
                    && let Some(count) = turn.shared.refusals.count(reason, turn.now)
                {
                    turn.records.push_back(Record::Refused { reason, count });
                }
            }
        }
        if let Some(batch) = batch {
            if batch.slice.slot().is_none() {
                add(&turn.figures.heap_fallbacks, 1);
            }
            self.grown = true;
            let Batch { slice, table, frames } = batch;
            let next = self.pass(from, slice.as_ref(), table, 0..frames, turn)?;
            if next < frames {
                self.hold(from, slice.as_ref(), table, frames, next, turn)?;
            }
        }
        if from == UPSTREAM {
            self.pass_held(MINER, turn)?;
        }
        let error = self.sides[from].as_ref().and_then(|side| side.session.error().cloned());
        if let Some(error) = error {
            // Frames that came before it go out.
            let _ = self.flush(1 - from, turn);
            return Err(self.broken(from, error));
        }
        Ok(())
    }

    /// Notes that the miner has sent a genuine frame, and begins the connection to the mining pool or asks for its address.
    fn become_authenticated<N: Network<Stream = S>>(&mut self, turn: &mut Turn<'_, N>) -> Step<()> {
        self.authenticated = true;
        let options = &turn.shared.options;
        self.handshake = Some(turn.now + options.limits.handshake_timeout);
        if let Some(side) = &mut self.sides[MINER] {
            side.forget_head();
        }
        if options.upstream.is_empty() {
            let (id, address) = (self.figures.id, self.figures.address);
            turn.records.push_back(Record::Wanted { id, address });
            return Ok(());
        }
        self.connect(options.upstream.clone(), options.upstream_key.as_deref(), turn)
    }

    fn become_ready(&mut self) {
        self.ready = true;
        self.handshake = None;
        self.figures.open.store(1, Ordering::Relaxed);
        if let Some(side) = &mut self.sides[UPSTREAM] {
            side.forget_head();
        }
    }

    /// Begins the connection to the mining pool.
    fn connect<N: Network<Stream = S>>(
        &mut self,
        addresses: Vec<SocketAddr>,
        key: Option<&str>,
        turn: &mut Turn<'_, N>,
    ) -> Step<()> {
        if !self.authenticated || self.sides[UPSTREAM].is_some() || self.stopped || self.ending.is_some() {
            return Ok(());
        }
        let mut session = Session::initiator(turn.shared.options.session, key)
            .map_err(|error| Ending::of_relay(Cause::Broken(error)))?;
        self.memory.join(&mut session);
        let mut left = VecDeque::from(addresses);
        let mut failed = Vec::new();
        match next_stream(&mut left, &mut failed, turn) {
            None => Err(unreachable(failed)),
            Some((stream, current)) => {
                let until = (!left.is_empty()).then_some(turn.now + ATTEMPT);
                self.attempts = Some(Box::new(Attempts { left, current, until, failed }));
                self.sides[UPSTREAM] = Some(Side::new(stream, session, true));
                add(&turn.figures.upstreams, 1);
                Ok(())
            }
        }
    }

    /// Goes on with the next address of the mining pool.
    fn attempt_failed<N: Network<Stream = S>>(&mut self, error: &std::io::Error, turn: &mut Turn<'_, N>) -> Step<()> {
        let (Some(attempts), Some(side)) = (&mut self.attempts, &mut self.sides[UPSTREAM]) else { return Ok(()) };
        let address = Some(attempts.current);
        attempts.failed.push(SystemFault { address, ..SystemFault::new("connect", error) });
        match next_stream(&mut attempts.left, &mut attempts.failed, turn) {
            None => {
                let failed = std::mem::take(&mut attempts.failed);
                Err(unreachable(failed))
            }
            Some((stream, address)) => {
                attempts.current = address;
                attempts.until = (!attempts.left.is_empty()).then_some(turn.now + ATTEMPT);
                turn.network.close(std::mem::replace(&mut side.stream, stream));
                (side.readable, side.writable, side.closing) = (false, false, false);
                Ok(())
            }
        }
    }

    /// Passes on frames of a batch. Returns the index of the first one that must wait, or the index after the last.
    fn pass<N: Network<Stream = S>>(
        &mut self,
        from: usize,
        bytes: &[u8],
        table: usize,
        frames: std::ops::Range<usize>,
        turn: &Turn<'_, N>,
    ) -> Step<usize> {
        if !self.ready {
            return Ok(frames.start);
        }
        let hooks = &turn.shared.options.hooks;
        let end = if hooks.is_none() {
            frames.end
        } else {
            let batch = Batch { slice: bytes, table, frames: frames.end };
            let mut rest = frames.clone();
            rest.find(|&index| batch.frame(index).is_some_and(|frame| hooks.contains(frame.header)))
                .unwrap_or(frames.end)
        };
        self.forward(from, bytes, table, frames.start..end)?;
        Ok(end)
    }

    /// Encrypts frames again, into the output of the other side.
    fn forward(&mut self, from: usize, bytes: &[u8], table: usize, frames: std::ops::Range<usize>) -> Step<()> {
        if frames.is_empty() {
            return Ok(());
        }
        let Some(sink) = &mut self.sides[1 - from] else { return Ok(()) };
        if let Err(error) = sink.session.forward(bytes, table, frames.clone()) {
            return Err(self.not_passed(from, error));
        }
        (sink.unsent, sink.changed) = (true, true);
        sink.forwarded += frames.len() as u64;
        if from == UPSTREAM {
            let batch = Batch { slice: bytes, table, frames: frames.end };
            for frame in frames.filter_map(|index| batch.frame(index)) {
                if let Some(told) = telling(&frame) {
                    self.told = Some(Box::new(told));
                }
            }
        }
        Ok(())
    }

    /// Keeps a copy of a batch whose frames from `next` on must wait. If they wait for verdicts, hands them over.
    fn hold<N: Network<Stream = S>>(
        &mut self,
        from: usize,
        bytes: &[u8],
        table: usize,
        frames: usize,
        next: usize,
        turn: &mut Turn<'_, N>,
    ) -> Step<()> {
        let mut copy = Vec::new();
        if copy.try_reserve_exact(bytes.len()).is_err() {
            return Err(Ending::of_relay(Cause::Broken(Error::NoMemory)));
        }
        copy.extend_from_slice(bytes);
        let mut held = Box::new(Held { bytes: copy, table, frames, next, handed: false });
        if self.ready {
            self.hand_over(from, &mut held, turn)?;
        }
        self.held[from] = Some(held);
        Ok(())
    }

    fn hand_over<N: Network<Stream = S>>(&self, from: usize, held: &mut Held, turn: &mut Turn<'_, N>) -> Step<()> {
        held.handed = true;
        let Ok(slice) = turn.handed.copy(&held.bytes) else {
            return Err(Ending::of_relay(Cause::Broken(Error::NoMemory)));
        };
        turn.records.push_back(Record::Frames {
            id: self.figures.id,
            address: self.figures.address,
            way: direction(from),
            slice,
            table: held.table,
            frames: held.frames,
            first: held.next,
        });
        Ok(())
    }

    /// Goes on with frames that waited for the upstream.
    fn pass_held<N: Network<Stream = S>>(&mut self, from: usize, turn: &mut Turn<'_, N>) -> Step<()> {
        if !self.ready || self.held[from].as_ref().is_none_or(|held| held.handed) {
            return Ok(());
        }
        let Some(mut held) = self.held[from].take() else { return Ok(()) };
        held.next = self.pass(from, &held.bytes, held.table, held.next..held.frames, turn)?;
        if held.next < held.frames {
            self.hand_over(from, &mut held, turn)?;
            self.held[from] = Some(held);
        }
        Ok(())
    }

    /// Does what the user of the relay asks for.
    pub(super) fn operate<N: Network<Stream = S>>(&mut self, operation: Operation, turn: &mut Turn<'_, N>) -> Step<()> {
        match operation {
            Operation::Connect { addresses, key } => {
                self.chosen = Some(Box::new(Chosen { addresses, key }));
                Ok(())
            }
            Operation::Forward { way, from, to } => {
                let source = 1 - target(way);
                let Some(held) = self.verdict(source) else { return Ok(()) };
                let passed = self.forward_held(source, &held, from, to);
                self.held[source] = Some(held);
                passed
            }
            Operation::Replace { way, frame, payload } => {
                let source = 1 - target(way);
                let Some(held) = self.verdict(source) else { return Ok(()) };
                let batch = Batch { slice: &held.bytes[..], table: held.table, frames: held.frames };
                let header = batch.frame(frame).map(|frame| frame.header);
                self.held[source] = Some(held);
                let Some(header) = header else { return Ok(()) };
                self.send(way, header, &payload)?;
                if let Some(sink) = &mut self.sides[target(way)] {
                    sink.forwarded += 1;
                }
                if source == UPSTREAM
                    && let Some(told) = telling(&crate::sv2::Frame { header, payload: &payload })
                {
                    self.told = Some(Box::new(told));
                }
                Ok(())
            }
            Operation::Done { way, from, to } => {
                let source = 1 - target(way);
                match self.verdict(source) {
                    Some(held) => self.forward_held(source, &held, from, to),
                    None => Ok(()),
                }
            }
            Operation::Send { way, header, payload } => {
                let finished = self.sides[target(way)].as_ref().is_none_or(|side| side.finished);
                if self.stopped || !self.ready || finished {
                    return Ok(());
                }
                self.send(way, header, &payload)?;
                self.flush(target(way), turn)?;
                let to = target(way);
                let over = self.sides[to].as_mut().is_some_and(|side| side.session.output().is_over_high_water());
                self.congested[to] |= over;
                Ok(())
            }
            Operation::Watch { way } => {
                self.watched[target(way)] = true;
                Ok(())
            }
            Operation::Close => self.close(turn),
        }
    }

    /// Forwards frames that have waited for a verdict.
    fn forward_held(&mut self, source: usize, held: &Held, from: usize, to: usize) -> Step<()> {
        self.forward(source, &held.bytes, held.table, from.min(held.frames)..to.min(held.frames))
    }

    /// Takes the frames that wait for a verdict, unless no verdict counts any more.
    fn verdict(&mut self, from: usize) -> Option<Box<Held>> {
        if self.stopped { None } else { self.held[from].take_if(|held| held.handed) }
    }

    /// Sends a frame of the user's own. It takes memory of the budget that is free now: it does not wait.
    fn send(&mut self, way: Direction, header: FrameHeader, payload: &[u8]) -> Step<()> {
        let Some(sink) = &mut self.sides[target(way)] else { return Ok(()) };
        let mut sent = sink.session.send(header, payload);
        if let Err(Error::MemoryLimit { .. }) = sent {
            sent = match self.memory.try_grant(way, payload.len(), false, &mut sink.session) {
                Ok(true) => sink.session.send(header, payload),
                Ok(false) => sent,
                Err(error) => Err(error),
            };
        }
        (sink.unsent, sink.changed) = (true, true);
        self.grown = true;
        sent.map(drop).map_err(|error| self.not_passed(1 - target(way), error))
    }

    /// Ends the link when what is in its outputs has gone out.
    fn close<N: Network<Stream = S>>(&mut self, turn: &Turn<'_, N>) -> Step<()> {
        let ending = Ending::of_relay(Cause::User);
        if !self.ready {
            return Err(ending);
        }
        self.ending.get_or_insert(ending);
        if !self.stopped {
            self.stopped = true;
            self.held = [None, None];
            self.cancel_requests();
            self.closing = Some(turn.now + CLOSING);
            for side in self.sides.iter_mut().flatten() {
                side.ignored = true;
            }
        }
        Ok(())
    }

    /// Reads nothing more from the miner. The bytes that were read still go through, as do the answers of the mining pool.
    pub(super) fn drain<N: Network<Stream = S>>(&mut self, turn: &mut Turn<'_, N>) -> Step<()> {
        self.connect_to_chosen(turn)?;
        let ending = Ending::of_relay(Cause::Closed);
        if self.sides[UPSTREAM].is_none() {
            return Err(ending);
        }
        self.ending.get_or_insert(ending);
        if let Some(request) = self.requests[MINER].take() {
            self.memory.memory().cancel(Direction::Upstream, request);
        }
        if let Some(miner) = &mut self.sides[MINER] {
            miner.ignored = true;
        }
        Ok(())
    }

    /// Notes that a side has sent its last byte.
    fn ended(&mut self, from: usize) -> Step<()> {
        let ending = self.departure(from, None);
        let Some(side) = &mut self.sides[from] else { return Ok(()) };
        side.ended = true;
        if !(if from == MINER { self.authenticated } else { self.ready }) {
            return Err(ending);
        }
        self.ending.get_or_insert(ending);
        Ok(())
    }

    /// Ends our own side of each connection for which nothing more comes. Ends the link when both are over.
    fn end_sides<N: Network<Stream = S>>(&mut self, turn: &Turn<'_, N>) -> Step<()> {
        let [Some(_), Some(_)] = &self.sides else { return Ok(()) };
        let mut cut = false;
        for which in [MINER, UPSTREAM] {
            let from = 1 - which;
            let [miner, upstream] = &mut self.sides;
            let (side, source) = if which == MINER { (miner, upstream) } else { (upstream, miner) };
            let (Some(side), Some(source)) = (side, source) else { continue };
            let over = self.stopped || (self.ready && self.held[from].is_none() && (source.ended || source.ignored));
            if over
                && !side.finished
                && !side.connecting
                && side.session.output().pending() == 0
                && let Err(fault) = side.finish()
            {
                return Err(self.departure(which, Some(fault)));
            }
            cut |= side.finished && source.ended && source.begun;
        }
        if cut {
            // The frame never becomes whole, and holds its memory.
            self.closing.get_or_insert(turn.now + CLOSING);
        }
        let all = |test: fn(&Side<S>) -> bool| self.sides.iter().flatten().all(test);
        if all(|side| side.finished) {
            if all(|side| side.ended) {
                return Err(Ending::of_relay(Cause::Closed));
            }
            // Nobody can get anything more.
            self.closing.get_or_insert(turn.now + CLOSING);
        }
        Ok(())
    }

    /// Blames a side.
    fn blame(&self, which: usize, cause: Cause) -> Box<Ending> {
        let facts = self.sides[which].as_ref().map(Side::facts).unwrap_or_default();
        Box::new(Ending { side: Some(name(which)), cause, facts })
    }

    fn departure(&self, which: usize, fault: Option<SystemFault>) -> Box<Ending> {
        self.blame(which, Cause::Departed(fault))
    }

    fn broken(&self, which: usize, error: Error) -> Box<Ending> {
        self.blame(which, Cause::Broken(error))
    }

    /// Returns the ending of a link whose frames from one side could not be passed on.
    fn not_passed(&self, from: usize, error: Error) -> Box<Ending> {
        let sink = self.sides[1 - from].as_ref();
        if sink.is_some_and(|sink| sink.session.error() == Some(&error)) {
            self.broken(1 - from, error)
        } else if matches!(error, Error::MemoryLimit { .. }) {
            self.broken(from, error)
        } else {
            Ending::of_relay(Cause::Broken(error))
        }
    }

    /// Returns when the link must be looked at, at the latest: for the idle timeout, and for all else.
    pub(super) fn deadlines(&self, shared: &Shared) -> [Option<Duration>; 2] {
        let limits = &shared.options.limits;
        let slow = self.sides.iter().flatten().filter_map(|side| side.slow_at(limits.grace)).min();
        let moments = [
            self.handshake,
            self.closing,
            self.throttled,
            slow.filter(|_| limits.min_rate > 0),
            self.grown.then_some(self.moved + SILENCE),
            self.attempts.as_ref().and_then(|attempts| attempts.until),
        ];
        [limits.idle_timeout.map(|timeout| self.moved + timeout), moments.into_iter().flatten().min()]
    }

    /// Does what is due.
    pub(super) fn expire<N: Network<Stream = S>>(&mut self, turn: &mut Turn<'_, N>) -> Step<()> {
        let now = turn.now;
        let due = |moment: Option<Duration>| moment.is_some_and(|moment| moment <= now);
        if due(self.closing) {
            return Err(Ending::of_relay(Cause::Closed));
        }
        if due(self.handshake) {
            let late = if self.authenticated { UPSTREAM } else { MINER };
            let mut ending = self.blame(late, Cause::Silent);
            ending.facts.connecting |= self.sides[late].is_none();
            return Err(ending);
        }
        let limits = &turn.shared.options.limits;
        let is_idle = |moved: Duration| due(limits.idle_timeout.map(|timeout| moved + timeout));
        if is_idle(self.moved) {
            self.try_to_write(MINER, turn)?;
            self.try_to_write(UPSTREAM, turn)?;
        }
        if is_idle(self.moved) {
            if self.requests == [None, None] && self.throttled.is_none() {
                return Err(self.blame(MINER, Cause::Idle));
            }
            // A link that the relay does not read, for want of memory or because of a rate, is not idle.
            self.moved = now;
        }
        if limits.min_rate > 0 {
            for which in [MINER, UPSTREAM] {
                let Some(side) = &mut self.sides[which] else { continue };
                let (mut incoming, mut outgoing) = side.is_slow(limits.grace, now);
                if outgoing {
                    self.try_to_write(which, turn)?;
                    let Some(side) = &mut self.sides[which] else { continue };
                    (incoming, outgoing) = side.is_slow(limits.grace, now);
                }
                if incoming || outgoing {
                    let reason = if incoming { Reason::SlowFrame } else { Reason::SlowReader };
                    return Err(self.blame(which, Cause::Refused(reason)));
                }
            }
        }
        if self.grown && due(Some(self.moved + SILENCE)) {
            self.grown = false;
            for side in self.sides.iter_mut().flatten() {
                side.session.shrink();
                side.changed = true;
            }
        }
        if due(self.attempts.as_ref().and_then(|attempts| attempts.until)) {
            let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
            self.attempt_failed(&error, turn)?;
        }
        Ok(())
    }

    /// Brings the figures up to date.
    fn account(&mut self, figures: &WorkerFigures) {
        // Frames to the mining pool go out through its side.
        for (way, which) in [(0, UPSTREAM), (1, MINER)] {
            let held = self.held[way].as_ref().map_or(0, |held| held.bytes.len() as u64);
            add(&figures.memory, held.wrapping_sub(self.counted.held[way]));
            self.counted.held[way] = held;
            let Some(side) = &mut self.sides[which] else { continue };
            if !std::mem::take(&mut side.changed) {
                continue;
            }
            let stats = side.session.stats();
            let memory = stats.memory_bytes as u64;
            add(&figures.frames[way], side.forwarded - self.counted.frames[way]);
            add(&figures.bytes[way], stats.bytes_out - self.counted.bytes[way]);
            add(&figures.memory, memory.wrapping_sub(self.counted.memory[way]));
            self.figures.frames[way].store(side.forwarded, Ordering::Relaxed);
            self.figures.bytes[way].store(stats.bytes_out, Ordering::Relaxed);
            self.counted.frames[way] = side.forwarded;
            self.counted.bytes[way] = stats.bytes_out;
            self.counted.memory[way] = memory;
        }
    }

    fn cancel_requests(&mut self) {
        for (from, request) in self.requests.iter_mut().enumerate() {
            if let Some(request) = request.take() {
                self.memory.memory().cancel(direction(from), request);
            }
        }
    }

    /// Ends the link. `ending` is why, unless there was a reason before.
    pub(super) fn end<N: Network<Stream = S>>(mut self, ending: Box<Ending>, turn: &mut Turn<'_, N>) {
        let ending = *self.ending.take().unwrap_or(ending);
        self.cancel_requests();
        self.account(turn.figures);
        for bytes in [self.counted.memory, self.counted.held].concat() {
            add(&turn.figures.memory, bytes.wrapping_neg());
        }
        // Before the peers can notice that the connection is over.
        if !self.ready && ending.cause != Cause::Idle {
            add(&turn.figures.handshake_failures, 1);
        }
        if let Some(reason) = ending.refusal() {
            turn.refuse(reason);
        }
        add(&turn.figures.upstreams, u64::from(self.sides[UPSTREAM].is_some()).wrapping_neg());
        for side in &mut self.sides {
            if let Some(side) = side.take() {
                turn.network.close(side.stream);
            }
        }
        turn.records.push_back(Record::Disconnected(Box::new(Disconnected {
            id: self.figures.id,
            address: self.figures.address,
            ending,
            told: self.told.take().map(|told| *told),
            frames: self.counted.frames,
            duration: turn.now.saturating_sub(self.figures.accepted),
        })));
    }
}

fn unreachable(failed: Vec<SystemFault>) -> Box<Ending> {
    Box::new(Ending { side: Some(Direction::Upstream), cause: Cause::Unreachable(failed), facts: Facts::default() })
}

fn frame_rate(limits: &super::options::Limits) -> Rate {
    Rate { units: limits.frames_per_second, burst: Duration::from_secs(1) }
}

fn byte_rate(limits: &super::options::Limits) -> Rate {
    Rate { units: limits.bytes_per_second, burst: Duration::from_secs(1) }
}

/// Begins a connection to the first address for which that does not fail at once.
fn next_stream<N: Network>(
    left: &mut VecDeque<SocketAddr>,
    failed: &mut Vec<SystemFault>,
    turn: &mut Turn<'_, N>,
) -> Option<(N::Stream, SocketAddr)> {
    while let Some(address) = left.pop_front() {
        match turn.network.connect(address, turn.token + UPSTREAM) {
            Ok(stream) => return Some((stream, address)),
            Err(error) => {
                if descriptors::lacked(&error) {
                    turn.refuse(Reason::Descriptors);
                }
                failed.push(SystemFault { address: Some(address), ..SystemFault::new("connect", &error) });
            }
        }
    }
    None
}
