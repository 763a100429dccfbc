//! The simulated network: connections as pairs of byte queues, news of them in any order, and a clock that is set by hand.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::super::network::{LISTENER, Network, Ready, Stream};

/// One connection between the worker and somebody.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each may be true or not, whatever the others are")]
struct Connection {
    to_worker: VecDeque<u8>,
    from_worker: VecDeque<u8>,
    /// The other end has ended its side.
    ended: bool,
    /// The worker has ended its side.
    worker_ended: bool,
    reset: bool,
    /// The worker has closed it.
    closed: bool,
    /// The worker could not write.
    blocked: bool,
    connected: bool,
    refused: bool,
    token: Option<usize>,
    /// Address of the miner, if it is one's.
    from: Option<IpAddr>,
    /// The turn in which the worker has last read, and the bytes that it has read in it.
    read: (u64, u64),
}

/// The connections of one address that the worker has taken.
#[derive(Clone, Copy, Default)]
pub(super) struct Taken {
    /// Those that are open.
    pub(super) open: usize,
    /// All of them.
    pub(super) total: u64,
}

struct State {
    rng: StdRng,
    now: Duration,
    /// Time that passes with each look at the clock.
    cost: Duration,
    /// Number of links that the descriptors of the process allow.
    descriptor_room: usize,
    /// Time for which the worker has rested.
    rested: Duration,
    short_reads: bool,
    /// Bytes that a connection holds on their way in each direction.
    room: usize,
    taken: HashMap<IpAddr, Taken>,
    /// Each turn of the worker polls once.
    polls: u64,
    /// The most bytes that the worker has read from one connection in one turn.
    most_read: u64,
    connections: HashMap<u64, Connection>,
    next: u64,
    incoming: VecDeque<(u64, SocketAddr)>,
    /// Connections to the mining pool that it has not taken.
    outgoing: VecDeque<u64>,
    news: HashMap<usize, Ready>,
    listening: bool,
    /// The next accepts fail.
    exhausted: usize,
    /// The connection whose next read panics.
    explosive: Option<u64>,
}

/// A world that its inhabitants share.
pub(super) struct World(Mutex<State>);

impl State {
    fn tell(&mut self, id: u64, readable: bool, writable: bool, closing: bool) {
        if let Some(token) = self.connections.get(&id).and_then(|connection| connection.token) {
            let news =
                self.news.entry(token).or_insert(Ready { token, readable: false, writable: false, closing: false });
            news.readable |= readable;
            news.writable |= writable;
            news.closing |= closing;
        }
    }

    fn add(&mut self, connection: Connection) -> u64 {
        self.next += 1;
        self.connections.insert(self.next, connection);
        self.next
    }
}

impl World {
    pub(super) fn new(seed: u64, short_reads: bool, room: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            rng: StdRng::seed_from_u64(seed),
            now: Duration::from_secs(1),
            cost: Duration::ZERO,
            descriptor_room: usize::MAX,
            rested: Duration::ZERO,
            short_reads,
            room,
            taken: HashMap::new(),
            polls: 0,
            most_read: 0,
            connections: HashMap::new(),
            next: 0,
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
            news: HashMap::new(),
            listening: true,
            exhausted: 0,
            explosive: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere drops streams.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Duration {
        self.lock().now
    }

    pub(super) fn pass(&self, time: Duration) {
        self.lock().now += time;
    }

    /// Sets the number of links that the descriptors of the process allow.
    pub(super) fn set_descriptor_room(&self, links: usize) {
        self.lock().descriptor_room = links;
    }

    /// Has some time pass with each look of the worker at the clock, which it takes after each piece of work.
    pub(super) fn set_cost(&self, cost: Duration) {
        self.lock().cost = cost;
    }

    pub(super) fn rested(&self) -> Duration {
        self.lock().rested
    }

    pub(super) fn room(&self) -> usize {
        self.lock().room
    }

    /// Returns the connections that the worker has taken, by address.
    pub(super) fn taken(&self) -> Vec<Taken> {
        self.lock().taken.values().copied().collect()
    }

    /// Returns the most bytes that the worker has read from one connection in one turn.
    pub(super) fn most_read(&self) -> u64 {
        self.lock().most_read
    }

    /// Descriptors run out for the next accepts.
    pub(super) fn exhaust(&self, accepts: usize) {
        self.lock().exhausted = accepts;
    }

    /// The next read of a connection panics.
    pub(super) fn explode(&self, id: u64) {
        self.lock().explosive = Some(id);
    }

    /// Connects a miner. Returns the connection.
    pub(super) fn dial(&self, address: SocketAddr) -> u64 {
        let mut state = self.lock();
        let id = state.add(Connection { connected: true, from: Some(address.ip()), ..Connection::default() });
        state.incoming.push_back((id, address));
        state.news.insert(LISTENER, Ready { token: LISTENER, readable: true, writable: false, closing: false });
        id
    }

    /// Takes the next connection to the mining pool, or refuses it.
    pub(super) fn answer(&self, refuse: bool) -> Option<u64> {
        let mut state = self.lock();
        let id = state.outgoing.pop_front()?;
        let connection = state.connections.get_mut(&id)?;
        if connection.closed {
            return None;
        }
        (connection.connected, connection.refused) = (!refuse, refuse);
        state.tell(id, refuse, true, refuse);
        (!refuse).then_some(id)
    }

    /// Sends bytes to the worker. Returns how many there is room for; `None` if the connection is gone.
    pub(super) fn send(&self, id: u64, bytes: &[u8]) -> Option<usize> {
        let mut state = self.lock();
        let room = state.room;
        let connection = state.connections.get_mut(&id).filter(|connection| !connection.closed && !connection.reset)?;
        let count = bytes.len().min(room - connection.to_worker.len());
        connection.to_worker.extend(&bytes[..count]);
        if count > 0 {
            state.tell(id, true, false, false);
        }
        Some(count)
    }

    /// Receives at most `most` bytes. `None` is the end.
    pub(super) fn receive(&self, id: u64, most: usize) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let connection = state.connections.get_mut(&id)?;
        if connection.from_worker.is_empty() && (connection.closed || connection.worker_ended || connection.reset) {
            return None;
        }
        let count = most.min(connection.from_worker.len());
        let bytes = connection.from_worker.drain(..count).collect();
        if count > 0 && std::mem::take(&mut connection.blocked) {
            state.tell(id, false, true, false);
        }
        Some(bytes)
    }

    /// Ends the other end's side.
    pub(super) fn end(&self, id: u64) {
        let mut state = self.lock();
        if let Some(connection) = state.connections.get_mut(&id) {
            connection.ended = true;
            state.tell(id, true, false, true);
        }
    }

    /// Breaks the connection.
    pub(super) fn reset(&self, id: u64) {
        let mut state = self.lock();
        if let Some(connection) = state.connections.get_mut(&id) {
            connection.reset = true;
            connection.to_worker.clear();
            connection.from_worker.clear();
            state.tell(id, true, true, true);
        }
    }

    /// Returns whether nothing more comes of the connection: it is broken, or the worker has closed it and all was read.
    pub(super) fn is_gone(&self, id: u64) -> bool {
        let gone =
            |connection: &Connection| connection.reset || (connection.closed && connection.from_worker.is_empty());
        self.lock().connections.get(&id).is_none_or(gone)
    }

    pub(super) fn forget(&self, id: u64) {
        let mut state = self.lock();
        if state.connections.get(&id).is_some_and(|connection| connection.closed) {
            state.connections.remove(&id);
        }
    }
}

/// The worker's end of a connection.
pub(super) struct SimulatedStream {
    id: u64,
    world: Arc<World>,
}

impl Drop for SimulatedStream {
    fn drop(&mut self) {
        let mut state = self.world.lock();
        if let Some(connection) = state.connections.get_mut(&self.id) {
            connection.closed = true;
            let registered = connection.token.take().is_some();
            if let Some(from) = connection.from.filter(|_| registered) {
                state.taken.entry(from).or_default().open -= 1;
            }
        }
    }
}

impl Stream for SimulatedStream {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let mut state = self.world.lock();
        assert_ne!(state.explosive, Some(self.id), "an explosion");
        let State { rng, connections, short_reads, polls, most_read, .. } = &mut *state;
        let connection = connections.get_mut(&self.id).expect("it is open");
        if connection.reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let available = connection.to_worker.len();
        if available == 0 {
            return if connection.ended { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let mut count = available.min(target.len());
        if *short_reads {
            count = rng.gen_range(1..=count);
        }
        for (place, byte) in target.iter_mut().zip(connection.to_worker.drain(..count)) {
            *place = byte;
        }
        if connection.read.0 != *polls {
            connection.read = (*polls, 0);
        }
        connection.read.1 += count as u64;
        *most_read = (*most_read).max(connection.read.1);
        Ok(count)
    }

    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.world.lock();
        let State { rng, connections, room, .. } = &mut *state;
        let connection = connections.get_mut(&self.id).expect("it is open");
        if connection.reset || connection.worker_ended {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let total: usize = pieces.iter().map(|piece| piece.len()).sum();
        let room = *room - connection.from_worker.len();
        let mut count = total.min(room);
        if count == 0 {
            connection.blocked = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        if rng.gen_ratio(1, 4) {
            count = rng.gen_range(1..=count);
        }
        connection.from_worker.extend(pieces.iter().flat_map(|piece| piece.iter()).take(count));
        Ok(count)
    }

    fn connected(&mut self) -> io::Result<bool> {
        let state = self.world.lock();
        let connection = &state.connections[&self.id];
        if connection.refused { Err(ErrorKind::ConnectionRefused.into()) } else { Ok(connection.connected) }
    }

    fn end(&mut self) -> io::Result<()> {
        self.world.lock().connections.get_mut(&self.id).expect("it is open").worker_ended = true;
        Ok(())
    }
}

/// The worker's view of the world.
pub(super) struct SimulatedNetwork {
    world: Arc<World>,
}

impl SimulatedNetwork {
    pub(super) fn new(world: Arc<World>) -> Self {
        Self { world }
    }
}

impl Network for SimulatedNetwork {
    type Stream = SimulatedStream;

    // With short reads a read that takes all that was asked for may be the only one that empties the socket.
    const SHORT_READ_EMPTIES: bool = false;

    fn now(&self) -> Duration {
        let mut state = self.world.lock();
        let cost = state.cost;
        state.now += cost;
        state.now
    }

    fn rest(&mut self, time: Duration) {
        let mut state = self.world.lock();
        state.now += time;
        state.rested += time;
    }

    fn poll(&mut self, ready: &mut Vec<Ready>, _: Option<Duration>) -> io::Result<()> {
        let mut state = self.world.lock();
        let mut news: Vec<Ready> = state.news.drain().map(|(_, news)| news).collect();
        news.sort_by_key(|news| news.token);
        let State { rng, polls, .. } = &mut *state;
        *polls += 1;
        news.shuffle(rng);
        // Some come a little later.
        let late = if rng.gen_ratio(1, 8) { rng.gen_range(0..=news.len()) } else { 0 };
        for news in news.drain(..late) {
            state.news.insert(news.token, news);
        }
        ready.extend(news);
        Ok(())
    }

    fn accept(&mut self) -> io::Result<(SimulatedStream, SocketAddr)> {
        let mut state = self.world.lock();
        if state.exhausted > 0 && !state.incoming.is_empty() {
            state.exhausted -= 1;
            return Err(io::Error::from_raw_os_error(24));
        }
        let (id, address) = state.incoming.pop_front().ok_or(ErrorKind::WouldBlock)?;
        Ok((SimulatedStream { id, world: Arc::clone(&self.world) }, address))
    }

    fn has_descriptors(&mut self, links: usize) -> bool {
        links < self.world.lock().descriptor_room
    }

    fn stop_listening(&mut self) {
        self.world.lock().listening = false;
    }

    fn register(&mut self, stream: &mut SimulatedStream, token: usize) -> io::Result<()> {
        let mut state = self.world.lock();
        let connection = state.connections.get_mut(&stream.id).expect("it is open");
        connection.token = Some(token);
        let (readable, closing) = (!connection.to_worker.is_empty() || connection.ended, connection.ended);
        let from = connection.from.expect("a miner");
        let all = state.taken.entry(from).or_default();
        all.open += 1;
        all.total += 1;
        state.tell(stream.id, readable, true, closing);
        Ok(())
    }

    fn connect(&mut self, _: SocketAddr, token: usize) -> io::Result<SimulatedStream> {
        let mut state = self.world.lock();
        if state.rng.gen_ratio(1, 50) {
            return Err(io::Error::from_raw_os_error(24));
        }
        let id = state.add(Connection { token: Some(token), ..Connection::default() });
        state.outgoing.push_back(id);
        Ok(SimulatedStream { id, world: Arc::clone(&self.world) })
    }

    fn close(&mut self, stream: SimulatedStream) {
        drop(stream);
    }
}
