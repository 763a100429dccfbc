//! A thread of a relay: a loop around a poller, and the links that live on it.

use std::collections::{HashMap, LinkedList, TryReserveError, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::command::{Command, Inbox, Message};
use super::ending::{Cause, Ending};
use super::figures::{LinkFigures, REPORT_INTERVAL, Reason, WorkerFigures, milliseconds};
use super::handed::Handed;
use super::link::{Link, Turn};
use super::network::{LISTENER, Network, Ready, Stream, WAKER};
use super::pace::Pace;
use super::queue::Queue;
use super::record::{Disconnected, Record};
use super::shared::Shared;
use super::wheel::Wheel;
use crate::prefetch::prefetch;
use crate::slot::{OutOfMemory, SlotPool};
use crate::sv2::{LinkMemory, Session};

/// Length of the read buffer, in bytes.
const CHUNK: usize = 1 << 16;

/// Capacity of the pool in which frames are decrypted, in bytes. A larger frame goes to the heap.
const POOL_CAPACITY: usize = 1 << 18;

/// Length of a line of the processor's caches, in bytes.
const CACHE_LINE: usize = 64;

/// The least time that one turn has for timers, and as much for newcomers: handshakes, and connections to accept. A crowd of them would
/// delay the frames of others.
const LEAST_SHARE: Duration = Duration::from_micros(250);

/// The time is one part in so many of the time of the frames, if that is more, so that frames do not starve the rest.
const SHARE: u32 = 4;

/// Newcomers that wait for a turn when nothing more is accepted. The others wait with the system, and the time for their handshakes does not
/// run.
const WAITING: usize = 8;

/// Time after which a handshake may end to make room for a connection. An honest miner sends its first frame within milliseconds.
const SLOW_HANDSHAKE: Duration = Duration::from_secs(2);

/// Time for which accepting pauses when descriptors or memory have run out, or too many records wait.
const PAUSE: Duration = Duration::from_millis(100);

/// Names a link on this worker, or what was there before it.
#[derive(Clone, Copy)]
struct Key {
    slot: usize,
    generation: u32,
}

enum Timer {
    /// The link's in a place: the idle timeout, or all else.
    Link(usize, usize),
    Accept,
    /// Refusals that are not reported yet.
    Refusals,
}

struct Place<S> {
    link: Option<Box<Link<S>>>,
    generation: u32,
    /// Whether the place is in the queue. It stays there when its link ends.
    queued: bool,
    /// The timers that are set: for the idle timeout, and for all else. They stay when the link ends, and serve the next one: timers of
    /// links that come and go would pile up.
    timers: [Option<Duration>; 2],
}

impl<S: Stream + 'static> Place<S> {
    /// Puts the place into the queue, unless it is there.
    fn enqueue(&mut self, slot: usize, queue: &mut Queue) {
        if let Some(link) = &self.link
            && !self.queued
        {
            self.queued = true;
            queue.put(slot, link.is_ready());
        }
    }
}

/// One thread's part of a relay.
pub(super) struct Worker<N: Network> {
    network: N,
    shared: Arc<Shared>,
    index: usize,
    /// The inboxes of all workers.
    inboxes: Vec<Arc<Inbox<N::Stream>>>,
    places: Vec<Place<N::Stream>>,
    free: Vec<usize>,
    /// Places that are free from the next turn on: news of what was there may be on their way.
    freed: Vec<usize>,
    by_id: HashMap<u64, usize>,
    /// Links with something to do.
    queue: Queue,
    /// Links in the order in which they came, from the oldest that may still be in its handshake.
    handshakes: VecDeque<Key>,
    handshaking: usize,
    wheel: Wheel<Timer>,
    pace: Pace,
    pool: SlotPool,
    handed: Handed,
    chunk: Vec<u8>,
    ready: Vec<Ready>,
    /// Timers whose moment has come.
    due: LinkedList<Timer>,
    /// Time that the newcomers of this turn and the timers of the next one have, by the frames of this turn.
    share: Duration,
    records: LinkedList<Record>,
    /// Whether there may be connections to accept.
    acceptable: bool,
    /// Time until which nothing is accepted, if there is one.
    paused: Option<Duration>,
    draining: bool,
}

impl<N: Network> Worker<N>
where
    N::Stream: 'static,
{
    pub(super) fn new(
        network: N,
        shared: Arc<Shared>,
        index: usize,
        inboxes: Vec<Arc<Inbox<N::Stream>>>,
    ) -> Result<Self, OutOfMemory> {
        let mut chunk = Vec::new();
        chunk.try_reserve_exact(CHUNK).map_err(|_| OutOfMemory { bytes: CHUNK })?;
        chunk.resize(CHUNK, 0);
        Ok(Self {
            network,
            shared,
            index,
            inboxes,
            places: Vec::new(),
            free: Vec::new(),
            freed: Vec::new(),
            by_id: HashMap::new(),
            queue: Queue::default(),
            handshakes: VecDeque::new(),
            handshaking: 0,
            wheel: Wheel::new(),
            pace: Pace::default(),
            pool: SlotPool::new(POOL_CAPACITY)?,
            handed: Handed::default(),
            chunk,
            ready: Vec::new(),
            due: LinkedList::new(),
            share: LEAST_SHARE,
            records: LinkedList::new(),
            acceptable: false,
            paused: None,
            draining: false,
        })
    }

    /// Waits for something to do, at most for `most`, and does it. Returns false once the worker is done.
    pub(super) fn turn(&mut self, most: Option<Duration>) -> io::Result<bool> {
        let busy = !self.queue.is_empty() || !self.due.is_empty() || (self.acceptable && self.paused.is_none());
        let timeout = if busy {
            Some(Duration::ZERO)
        } else {
            let now = self.network.now();
            let next = self.wheel.next().map(|next| next.saturating_sub(now));
            let longest = [next, most].into_iter().flatten().min();
            let rest = self.pace.rest(now).map(|rest| longest.map_or(rest, |longest| rest.min(longest)));
            if let Some(rest) = rest {
                self.network.rest(rest);
            }
            longest.map(|longest| longest.saturating_sub(rest.unwrap_or_default()))
        };
        self.network.poll(&mut self.ready, timeout)?;
        let now = self.network.now();
        self.pace.look(now);
        self.free.append(&mut self.freed);
        self.hear();
        self.take_messages(now);
        self.take_due(now);
        let begun = self.network.now();
        self.queue.begin_round();
        while let Some(slot) = self.queue.next() {
            self.fetch_next();
            self.serve(slot, now);
        }
        let served = self.network.now();
        self.share = LEAST_SHARE.max(served.saturating_sub(begun) / SHARE);
        self.welcome(served + self.share, now);
        self.publish(now);
        let done = self.draining && self.by_id.is_empty();
        if done {
            self.close_inbox();
        }
        Ok(!done)
    }

    /// Goes on with handshakes and accepts connections until `end`, at least one of each.
    fn welcome(&mut self, end: Duration, now: Duration) {
        loop {
            let newcomer = self.queue.next_newcomer();
            if let Some(slot) = newcomer {
                self.serve(slot, now);
            }
            let acceptable = self.queue.newcomers() < WAITING && self.accept(now);
            if (newcomer.is_none() && !acceptable) || self.network.now() >= end {
                return;
            }
        }
    }

    /// Has the processor fetch the link whose turn is next. With hundreds of links its caches have lost each by the time of its turn.
    fn fetch_next(&self) {
        let Some(link) = self.queue.peek().and_then(|slot| self.places[slot].link.as_deref()) else { return };
        for offset in (0..size_of_val(link)).step_by(CACHE_LINE) {
            prefetch((&raw const *link).cast::<u8>().wrapping_add(offset));
        }
    }

    fn hear(&mut self) {
        for Ready { token, readable, writable, closing } in self.ready.drain(..) {
            match token {
                LISTENER => self.acceptable = true,
                WAKER => {}
                _ => {
                    let slot = token / 2;
                    let Some(place) = self.places.get_mut(slot) else { continue };
                    if let Some(link) = &mut place.link {
                        link.hear(token % 2, readable, writable, closing);
                        place.enqueue(slot, &mut self.queue);
                    }
                }
            }
        }
    }

    fn take_messages(&mut self, now: Duration) {
        for message in self.inboxes[self.index].take() {
            match message {
                Message::Command(Command { link, operation }) => {
                    self.with(link, now, |link, turn| link.operate(operation, turn));
                }
                Message::Drain => self.drain(now),
                Message::Destroy => self.end_all(now, || Cause::Closed),
                Message::Adopt(stream, address) => self.adopt(stream, address, now),
                Message::Grant(id, grant) => self.with(id, now, |link, _| {
                    link.accept(grant);
                    Ok(())
                }),
                Message::MakeRoom(accepting) => {
                    if self.has_slow_handshake(now) {
                        self.end_oldest_handshake(now);
                    }
                    self.inboxes[accepting].send([Message::Resume]);
                }
                Message::Resume => self.paused = None,
            }
        }
    }

    fn take_due(&mut self, now: Duration) {
        self.wheel.take_due(now, &mut self.due);
        // News and messages have taken some of this turn.
        let end = self.network.now() + self.share;
        while let Some(timer) = self.due.pop_front() {
            match timer {
                Timer::Accept => self.paused = self.paused.filter(|&until| until > now),
                Timer::Refusals => self.records.extend(self.shared.refused(now)),
                Timer::Link(slot, kind) => {
                    let set = &mut self.places[slot].timers[kind];
                    if set.is_some_and(|moment| moment <= now) {
                        *set = None;
                        self.at(slot, now, Link::expire);
                    }
                }
            }
            if self.network.now() >= end {
                return;
            }
        }
    }

    /// Lets something happen to the link with a number, if it is there, and gives it a turn.
    fn with(
        &mut self,
        id: u64,
        now: Duration,
        act: impl FnOnce(&mut Link<N::Stream>, &mut Turn<'_, N>) -> Result<(), Box<Ending>>,
    ) {
        if let Some(&slot) = self.by_id.get(&id) {
            self.at(slot, now, act);
        }
    }

    /// Lets something happen to a link, and gives it a turn.
    fn at(
        &mut self,
        slot: usize,
        now: Duration,
        act: impl FnOnce(&mut Link<N::Stream>, &mut Turn<'_, N>) -> Result<(), Box<Ending>>,
    ) {
        if let Some(mut link) = self.places[slot].link.take() {
            let outcome = act(&mut link, &mut self.give_turn(slot, now));
            self.put_back(slot, link, outcome.map(|()| true), now);
        }
    }

    /// Gives a link its turn.
    fn serve(&mut self, slot: usize, now: Duration) {
        let place = &mut self.places[slot];
        place.queued = false;
        let Some(mut link) = place.link.take() else { return };
        let (was_authenticated, moved) = (link.is_authenticated(), link.moved());
        let outcome = link.serve(&mut self.give_turn(slot, now));
        if link.is_authenticated() && !was_authenticated {
            self.handshaking -= 1;
        }
        if link.moved() > moved {
            self.pace.note(moved);
        }
        self.put_back(slot, link, outcome, now);
    }

    fn give_turn(&mut self, slot: usize, now: Duration) -> Turn<'_, N> {
        Turn {
            network: &mut self.network,
            pool: &mut self.pool,
            handed: &mut self.handed,
            chunk: &mut self.chunk,
            records: &mut self.records,
            shared: &self.shared,
            figures: &self.shared.workers[self.index],
            inbox: &self.inboxes[self.index],
            now,
            token: slot * 2,
        }
    }

    /// Puts a link back and sets its timers, or ends it. `outcome` tells whether it wants another turn.
    fn put_back(&mut self, slot: usize, link: Box<Link<N::Stream>>, outcome: Result<bool, Box<Ending>>, now: Duration) {
        let more = match outcome {
            Ok(more) => more,
            Err(ending) => return self.end(slot, *link, ending, now),
        };
        let place = &mut self.places[slot];
        for (kind, deadline) in link.deadlines(&self.shared).into_iter().enumerate() {
            if let Some(deadline) = deadline
                && place.timers[kind].is_none_or(|set| deadline < set)
            {
                place.timers[kind] = Some(deadline);
                self.wheel.set(deadline, Timer::Link(slot, kind));
            }
        }
        place.link = Some(link);
        if more {
            place.enqueue(slot, &mut self.queue);
        }
    }

    fn end(&mut self, slot: usize, link: Link<N::Stream>, ending: Box<Ending>, now: Duration) {
        let (id, address) = (link.id(), link.figures.address);
        if !link.is_authenticated() {
            self.handshaking -= 1;
        }
        self.by_id.remove(&id);
        self.places[slot].generation = self.places[slot].generation.wrapping_add(1);
        self.freed.push(slot);
        link.end(ending, &mut self.give_turn(slot, now));
        self.shared.forget(id);
        self.leave(self.index, address);
    }

    /// Counts a connection that has left a worker.
    fn leave(&self, worker: usize, address: SocketAddr) {
        self.shared.admission().leave(address.ip());
        self.shared.workers[worker].links.fetch_sub(1, Ordering::Relaxed);
    }

    fn drain(&mut self, now: Duration) {
        self.draining = true;
        self.acceptable = false;
        self.network.stop_listening();
        for slot in 0..self.places.len() {
            self.at(slot, now, Link::drain);
        }
    }

    /// Ends all links.
    pub(super) fn end_all(&mut self, now: Duration, cause: impl Fn() -> Cause) {
        for slot in 0..self.places.len() {
            if let Some(link) = self.places[slot].link.take() {
                self.end(slot, *link, Ending::of_relay(cause()), now);
            }
        }
    }

    /// Ends the worker after a failure.
    pub(super) fn fail(&mut self, what: &str) {
        let now = self.network.now();
        self.network.stop_listening();
        self.end_all(now, || Cause::Internal(what.to_owned()));
        self.end_lost(now, what);
        self.close_inbox();
        self.records.push_back(Record::Failed(what.to_owned()));
        self.publish(now);
    }

    /// Tells the end of links that a failure in their turn has dropped.
    fn end_lost(&mut self, now: Duration, what: &str) {
        for (id, _) in std::mem::take(&mut self.by_id) {
            let Some(figures) = self.shared.forget(id) else { continue };
            self.leave(self.index, figures.address);
            self.records.push_back(Record::Disconnected(Box::new(Disconnected {
                id,
                address: figures.address,
                ending: *Ending::of_relay(Cause::Internal(what.to_owned())),
                told: None,
                frames: figures.frames(),
                duration: now.saturating_sub(figures.accepted),
            })));
        }
        let figures = &self.shared.workers[self.index];
        figures.memory.store(0, Ordering::Relaxed);
        figures.upstreams.store(0, Ordering::Relaxed);
    }

    /// Closes the connections that came from other workers too late.
    fn close_inbox(&mut self) {
        for message in self.inboxes[self.index].close() {
            if let Message::Adopt(stream, address) = message {
                self.network.close(stream);
                self.leave(self.index, address);
            }
        }
    }

    /// Accepts a connection, and gives it to the worker with the fewest links. Returns whether there may be more.
    fn accept(&mut self, now: Duration) -> bool {
        if !self.acceptable || self.paused.is_some() {
            return false;
        }
        if self.shared.records.are_congested() {
            self.pause(now);
            return false;
        }
        let lacks_descriptors = self.lacks_descriptors();
        let full = lacks_descriptors || self.shared.links() >= self.shared.options.limits.connections;
        let has_slow_handshake = full && self.has_slow_handshake(now);
        if full && !has_slow_handshake && self.ask_for_room(now) {
            self.pause(now);
            return false;
        }
        let lack = if lacks_descriptors && !has_slow_handshake {
            Some(Reason::Descriptors)
        } else if !(self.shared.options.has_memory)() {
            Some(Reason::Memory)
        } else {
            None
        };
        if let Some(reason) = lack {
            self.refuse(reason, now);
            self.pause(now);
            return false;
        }
        match self.network.accept() {
            Ok((stream, address)) => self.admit(stream, address, lacks_descriptors, now),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.acceptable = false,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
            Err(_) => {
                // No descriptors, or no memory for one more socket.
                self.refuse(Reason::Descriptors, now);
                self.pause(now);
            }
        }
        self.acceptable && self.paused.is_none()
    }

    /// Returns whether the descriptors that are left are for the links that are there, and the rest of the process. One link is always
    /// let in.
    fn lacks_descriptors(&mut self) -> bool {
        let links = self.shared.links();
        links > 0 && !self.network.has_descriptors(links)
    }

    /// Accepts nothing for a while.
    fn pause(&mut self, now: Duration) {
        if self.paused.is_none() {
            self.paused = Some(now + PAUSE);
            self.wheel.set(now + PAUSE, Timer::Accept);
        }
    }

    fn refuse(&mut self, reason: Reason, now: Duration) {
        self.give_turn(0, now).refuse(reason);
    }

    fn reject(&mut self, stream: N::Stream, reason: Reason, now: Duration) {
        self.network.close(stream);
        self.shared.rejected.fetch_add(1, Ordering::Relaxed);
        self.refuse(reason, now);
    }

    /// Lets a connection in, in place of the oldest handshake if there is no room for both.
    fn admit(&mut self, stream: N::Stream, address: SocketAddr, lacks_descriptors: bool, now: Duration) {
        let most = self.shared.options.limits.connections;
        if self.shared.links() >= most && !self.has_slow_handshake(now) {
            return self.reject(stream, Reason::Connections, now);
        }
        let entered = self.shared.admission().enter(address.ip(), now);
        if let Err(reason) = entered {
            return self.reject(stream, reason, now);
        }
        if self.shared.links() >= most || lacks_descriptors {
            // Its place, or its descriptors, are for the new connection.
            self.end_oldest_handshake(now);
        }
        let workers = self.shared.workers.iter().enumerate().filter(|&(index, _)| self.inboxes[index].is_open());
        let fewest = workers
            .min_by_key(|(_, worker)| worker.links.load(Ordering::Relaxed))
            .map_or(self.index, |(index, _)| index);
        self.shared.workers[fewest].links.fetch_add(1, Ordering::Relaxed);
        if fewest == self.index {
            self.adopt(stream, address, now);
        } else if !self.inboxes[fewest].send([Message::Adopt(stream, address)]) {
            // The other worker has ended just now. The stream is closed then.
            self.leave(fewest, address);
        }
    }

    /// Makes a link of an accepted connection.
    fn adopt(&mut self, mut stream: N::Stream, address: SocketAddr, now: Duration) {
        if self.draining {
            self.network.close(stream);
            return self.leave(self.index, address);
        }
        let (slot, session, memory) = match self.furnish(&mut stream, now) {
            Ok(place) => place,
            Err(reason) => {
                self.leave(self.index, address);
                return self.reject(stream, reason, now);
            }
        };
        if self.handshaking >= self.shared.options.limits.handshakes.div_ceil(self.shared.workers.len()).max(1) {
            self.end_oldest_handshake(now);
        }
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        let timeout = self.shared.options.limits.handshake_timeout;
        let link =
            Box::new(Link::new(LinkFigures::new(id, self.index, address, now), stream, session, memory, timeout));
        self.shared.note(Arc::clone(&link.figures));
        self.by_id.insert(id, slot);
        self.handshaking += 1;
        self.handshakes.push_back(Key { slot, generation: self.places[slot].generation });
        self.records.push_back(Record::Connected { id, address });
        self.put_back(slot, link, Ok(true), now);
        self.forget_finished_handshakes();
    }

    /// Finds what a connection needs: a place, a session, and memory.
    fn furnish(&mut self, stream: &mut N::Stream, now: Duration) -> Result<(usize, Session, LinkMemory), Reason> {
        let options = &self.shared.options;
        let session = Session::responder(options.session, &options.identity).map_err(|_| Reason::Memory)?;
        let memory = match self.shared.memory.link() {
            None if self.has_slow_handshake(now) => {
                self.end_oldest_handshake(now);
                self.shared.memory.link()
            }
            None => {
                // The next one finds room then.
                self.ask_for_room(now);
                None
            }
            memory => memory,
        };
        let memory = memory.ok_or(Reason::Memory)?;
        let slot = self.take_place().map_err(|_| Reason::Memory)?;
        if self.network.register(stream, slot * 2).is_err() {
            self.free.push(slot);
            return Err(Reason::Descriptors);
        }
        Ok((slot, session, memory))
    }

    /// Takes a free place, with room for its link in every list.
    fn take_place(&mut self) -> Result<usize, TryReserveError> {
        self.by_id.try_reserve(1)?;
        self.handshakes.try_reserve(1)?;
        if let Some(slot) = self.free.pop() {
            return Ok(slot);
        }
        let places = self.places.len() + 1;
        self.places.try_reserve(1)?;
        self.queue.try_reserve(places)?;
        for list in [&mut self.free, &mut self.freed] {
            list.try_reserve(places.saturating_sub(list.len()))?;
        }
        self.places.push(Place { link: None, generation: 0, queued: false, timers: [None; 2] });
        Ok(places - 1)
    }

    /// Returns the number of links that the queue has room for.
    #[cfg(test)]
    pub(super) fn room_in_queue(&self) -> usize {
        self.queue.room()
    }

    /// Returns the number of timers that are set.
    #[cfg(test)]
    pub(super) fn timers(&self) -> usize {
        self.wheel.len()
    }

    fn is_handshaking(&self, key: Key) -> bool {
        let place = &self.places[key.slot];
        place.generation == key.generation && place.link.as_ref().is_some_and(|link| !link.is_authenticated())
    }

    /// Forgets links at the front that are over their handshake, and now and then all of them.
    fn forget_finished_handshakes(&mut self) {
        while let Some(&key) = self.handshakes.front()
            && !self.is_handshaking(key)
        {
            self.handshakes.pop_front();
        }
        if self.handshakes.len() > 2 * self.handshaking + 64 {
            let mut all = std::mem::take(&mut self.handshakes);
            all.retain(|&key| self.is_handshaking(key));
            self.handshakes = all;
        }
        self.note_oldest_handshake();
    }

    /// Returns whether the oldest handshake may end to make room for a connection: silent clients would keep all others out.
    fn has_slow_handshake(&mut self, now: Duration) -> bool {
        self.forget_finished_handshakes();
        let oldest = self.handshakes.front().and_then(|key| self.places[key.slot].link.as_ref());
        oldest.is_some_and(|link| link.figures.accepted + SLOW_HANDSHAKE <= now)
    }

    fn end_oldest_handshake(&mut self, now: Duration) {
        self.forget_finished_handshakes();
        if let Some(Key { slot, .. }) = self.handshakes.pop_front() {
            self.at(slot, now, |link, _| Err(link.evicted()));
            self.forget_finished_handshakes();
        }
    }

    /// Tells the worker that accepts connections of the oldest handshake.
    fn note_oldest_handshake(&self) {
        let oldest = self.handshakes.front().and_then(|key| self.places[key.slot].link.as_ref());
        let accepted = oldest.map_or(0, |link| milliseconds(link.figures.accepted));
        self.shared.workers[self.index].oldest_handshake.store(accepted, Ordering::Relaxed);
    }

    /// Asks a worker with a slow handshake to end it. Returns false if there is none.
    fn ask_for_room(&self, now: Duration) -> bool {
        let slow = |worker: &WorkerFigures| {
            let accepted = worker.oldest_handshake.load(Ordering::Relaxed);
            accepted > 0 && accepted + milliseconds(SLOW_HANDSHAKE) <= milliseconds(now)
        };
        let mut others =
            self.shared.workers.iter().zip(&self.inboxes).enumerate().filter(|&(index, _)| index != self.index);
        others.any(|(_, (worker, inbox))| slow(worker) && inbox.send([Message::MakeRoom(self.index)]))
    }

    /// Hands the records of this turn over.
    fn publish(&mut self, now: Duration) {
        if self.shared.refusals.take_owed() {
            self.wheel.set(now + REPORT_INTERVAL, Timer::Refusals);
        }
        self.shared.records.add(&mut self.records);
    }
}
