//! Options and limits of a relay.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::hooks::Hooks;
use crate::sv2::{Identity, Options as SessionOptions};

/// Number of threads of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// This number of threads.
    Number(NonZeroUsize),
    /// One thread for each processor of the machine.
    Auto,
}

impl Threads {
    /// Returns the number of threads.
    pub fn number(self) -> usize {
        match self {
            Self::Number(number) => number.get(),
            Self::Auto => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        }
    }
}

/// Options of a relay.
#[derive(Clone)]
pub struct RelayOptions {
    /// Number of threads.
    pub threads: Threads,
    /// Addresses of the mining pool, tried in this order. Empty: each link's upstream is asked for by a record.
    pub upstream: Vec<SocketAddr>,
    /// Key that the mining pool's certificate must be signed with. Without it every server is accepted.
    pub upstream_key: Option<String>,
    /// The keys with which the relay proves who it is.
    pub identity: Identity,
    /// Options of all sessions.
    pub session: SessionOptions,
    /// Frames that are handed to the user of the relay.
    pub hooks: Hooks,
    /// Limits.
    pub limits: Limits,
    /// Tells whether there is memory for small requests of any number, which cannot fail. Nothing is accepted while there is none.
    pub has_memory: fn() -> bool,
}

/// Limits of a relay. Ten thousand honest miners on one machine, behind one address, meet none of the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Native memory of all links, in bytes.
    pub memory: usize,
    /// Connections of miners.
    pub connections: usize,
    /// Connections of one IPv4 address, or of one IPv6 network of 64 bits.
    pub connections_per_address: usize,
    /// New connections a second of such an address, with a burst of ten seconds; 0 for no limit.
    pub connections_per_second: u64,
    /// Miners that have not sent a genuine frame yet. One more ends the one that has been so for longest.
    pub handshakes: usize,
    /// Time for a miner's handshake and first frame, and once more for the connection to the mining pool.
    pub handshake_timeout: Duration,
    /// Time after which a link ends on which nothing has moved.
    pub idle_timeout: Option<Duration>,
    /// Least rate of a started frame and of a reader for which bytes wait, in bytes a second; 0 for no limit. A frame
    /// that comes in, and has memory of its own, may have a higher one.
    pub min_rate: u64,
    /// Time over which that rate is measured.
    pub grace: Duration,
    /// Frames a second of one miner, with a burst of one second; 0 for no limit.
    pub frames_per_second: u64,
    /// Wire bytes a second of one miner, with a burst of one second; 0 for no limit.
    pub bytes_per_second: u64,
    /// Time without traffic after which TCP asks whether the peer is there.
    pub keep_alive: Option<Duration>,
}

/// Time in which a frame that has memory of its own comes, at its least rate.
const LARGE_FRAME: Duration = Duration::from_mins(3);

impl Limits {
    /// Returns the least rate of a frame that comes in, and has `granted` bytes of memory of its own or none, in bytes a second.
    pub(super) fn least_rate(&self, granted: usize) -> u64 {
        self.min_rate.max(granted as u64 / LARGE_FRAME.as_secs())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 1280 << 20,
            connections: 16_000,
            connections_per_address: 12_000,
            connections_per_second: 1_000,
            handshakes: 12_000,
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Some(Duration::from_mins(10)),
            min_rate: 1_000,
            grace: Duration::from_secs(10),
            frames_per_second: 50_000,
            bytes_per_second: 64 << 20,
            keep_alive: Some(Duration::from_mins(1)),
        }
    }
}
