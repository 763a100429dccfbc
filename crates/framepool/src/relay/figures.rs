//! Figures of a relay, which any thread may read.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Declares the reasons of refusals, with the names that users see.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $reason:ident = $name:literal,)+) => {
        /// A reason for which a relay refuses a client something.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])* $reason,)+
        }

        impl Reason {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$reason,)+];

            /// Returns the name that users see.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)+
                }
            }
        }
    };
}

reasons! {
    /// There were as many connections as there may be.
    Connections = "connections",
    /// The address had as many connections as it may have.
    Address = "address",
    /// The address made connections faster than it may.
    ConnectionRate = "connectionRate",
    /// The connection had the oldest handshake of its thread when there were more than `handshakes` allows, or when another needed room.
    Handshakes = "handshakes",
    /// The memory budget had no room for the connection, or could never have room for the frame.
    Memory = "memory",
    /// Accepting stopped because descriptors were about to run out, or a connection to a mining pool failed for want of one.
    Descriptors = "descriptors",
    /// No genuine frame came in time.
    HandshakeTimeout = "handshakeTimeout",
    /// The first bytes were no Stratum V2, or did not know the keys.
    Foreign = "foreign",
    /// A frame was larger than it may be.
    FrameTooLarge = "frameTooLarge",
    /// A started frame came too slowly.
    SlowFrame = "slowFrame",
    /// A reader took the bytes that waited for it too slowly.
    SlowReader = "slowReader",
    /// The connection ended in the middle of a frame.
    CutFrame = "cutFrame",
    /// More frames a second came than may come: they waited.
    FrameRate = "frameRate",
    /// More bytes a second came than may come: they waited.
    ByteRate = "byteRate",
    /// Nothing had moved on the link for too long.
    Idle = "idle",
}

/// Figures of a relay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// Open connections of miners.
    pub connections: u64,
    /// Connections that were accepted.
    pub connections_total: u64,
    /// Connections that were refused when they came.
    pub rejected: u64,
    /// Links that ended before both handshakes were done.
    pub handshake_failures: u64,
    /// Frames passed on to mining pools.
    pub frames_upstream: u64,
    /// Frames passed on to miners.
    pub frames_downstream: u64,
    /// Wire bytes sent to mining pools.
    pub bytes_upstream: u64,
    /// Wire bytes sent to miners.
    pub bytes_downstream: u64,
    /// Batches that found no room in the slot pool.
    pub heap_fallbacks: u64,
    /// Native memory of the open links, in bytes.
    pub memory_bytes: u64,
    /// Bytes reserved of the memory budget.
    pub reserved: usize,
    /// Frames that wait for memory.
    pub waiting: usize,
    /// Refusals, in the order of [`Reason::ALL`].
    pub refused: Vec<(Reason, u64)>,
}

/// Counters of one worker. Only the worker writes to them.
#[derive(Default)]
pub(super) struct WorkerFigures {
    /// Links, and sockets on their way here. Other workers read it to choose where a socket goes.
    pub(super) links: AtomicUsize,
    /// Links with a connection to the mining pool.
    pub(super) upstreams: AtomicU64,
    pub(super) handshake_failures: AtomicU64,
    pub(super) frames: [AtomicU64; 2],
    pub(super) bytes: [AtomicU64; 2],
    pub(super) heap_fallbacks: AtomicU64,
    pub(super) memory: AtomicU64,
    /// Time at which the oldest miner was accepted that may have sent no frame, in [milliseconds]; 0 if there is none.
    pub(super) oldest_handshake: AtomicU64,
}

/// Adds to a counter that no other thread writes to.
pub(super) fn add(counter: &AtomicU64, change: u64) {
    if change != 0 {
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(change), Ordering::Relaxed);
    }
}

/// State of a link, as others see it.
#[derive(Debug)]
pub struct LinkFigures {
    /// Number of the connection.
    pub id: u64,
    /// The worker that the link lives on.
    pub(super) worker: usize,
    /// Address that the miner connected from.
    pub address: SocketAddr,
    /// Time at which the miner was accepted, on the relay's clock.
    pub accepted: Duration,
    /// Whether both handshakes are done.
    pub(super) open: AtomicU64,
    /// Frames that were passed on, by direction.
    pub(super) frames: [AtomicU64; 2],
    /// Wire bytes sent, by direction.
    pub(super) bytes: [AtomicU64; 2],
}

impl LinkFigures {
    pub(super) fn new(id: u64, worker: usize, address: SocketAddr, accepted: Duration) -> Self {
        let (frames, bytes) = Default::default();
        Self { id, worker, address, accepted, open: AtomicU64::new(0), frames, bytes }
    }

    /// Returns whether both handshakes are done.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) != 0
    }

    /// Returns the frames passed on to the mining pool, and to the miner.
    pub fn frames(&self) -> [u64; 2] {
        self.frames.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Returns the wire bytes sent to the mining pool, and to the miner.
    pub fn bytes(&self) -> [u64; 2] {
        self.bytes.each_ref().map(|count| count.load(Ordering::Relaxed))
    }
}

/// Refusals of a relay, by reason.
#[derive(Default)]
pub(super) struct Refusals {
    counts: [AtomicU64; Reason::ALL.len()],
    /// Number of them that have been reported.
    reported: [AtomicU64; Reason::ALL.len()],
    /// Time of the last report, in milliseconds of the relay's clock; 0 for never.
    when: [AtomicU64; Reason::ALL.len()],
    /// Whether there are refusals to be reported later, and nobody sees to that yet.
    owed: AtomicBool,
}

/// The least time between two reports of one reason.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Returns a time in milliseconds, and one more: 0 stands for none.
pub(super) fn milliseconds(now: Duration) -> u64 {
    u64::try_from(now.as_millis()).map_or(u64::MAX, |now| now.saturating_add(1))
}

fn is_due(last: u64, now: u64) -> bool {
    last == 0 || now >= last.saturating_add(REPORT_INTERVAL.as_millis() as u64)
}

impl Refusals {
    /// Counts a refusal. Returns how many are to be reported now, if any: at most once an interval. The others are [owed](Self::take_owed).
    pub(super) fn count(&self, reason: Reason, now: Duration) -> Option<u64> {
        let index = reason as usize;
        let count = self.counts[index].fetch_add(1, Ordering::Relaxed) + 1;
        let now = milliseconds(now);
        let last = self.when[index].load(Ordering::Relaxed);
        if !is_due(last, now)
            || self.when[index].compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            self.owed.store(true, Ordering::Relaxed);
            return None;
        }
        self.unreported(index, count)
    }

    /// Returns how many of the first `count` refusals nobody has reported, if any. They are reported then.
    fn unreported(&self, index: usize, count: u64) -> Option<u64> {
        let before = self.reported[index].fetch_max(count, Ordering::Relaxed);
        count.checked_sub(before).filter(|&count| count > 0)
    }

    /// Returns whether the caller has to report [the rest](Self::rest) after [`REPORT_INTERVAL`].
    pub(super) fn take_owed(&self) -> bool {
        self.owed.load(Ordering::Relaxed) && self.owed.swap(false, Ordering::Relaxed)
    }

    /// Returns the refusals that nobody has reported yet, and notes that they are reported at `now`. Those whose interval is not over are
    /// owed further on.
    pub(super) fn rest(&self, now: Duration) -> Vec<(Reason, u64)> {
        let now = milliseconds(now);
        let mut rest = Vec::new();
        for &reason in Reason::ALL {
            let index = reason as usize;
            let count = self.counts[index].load(Ordering::Relaxed);
            if self.reported[index].load(Ordering::Relaxed) >= count {
                continue;
            }
            if !is_due(self.when[index].load(Ordering::Relaxed), now) {
                self.owed.store(true, Ordering::Relaxed);
                continue;
            }
            self.when[index].store(now, Ordering::Relaxed);
            rest.extend(self.unreported(index, count).map(|count| (reason, count)));
        }
        rest
    }

    pub(super) fn all(&self) -> Vec<(Reason, u64)> {
        Reason::ALL.iter().map(|&reason| (reason, self.counts[reason as usize].load(Ordering::Relaxed))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_reported_once_and_no_reason_twice_in_an_interval() {
        let refusals = Refusals::default();
        let at = Duration::from_millis;
        assert_eq!(refusals.count(Reason::Idle, at(0)), Some(1));
        assert!(!refusals.take_owed());
        assert_eq!(refusals.count(Reason::Idle, at(10)), None);
        assert_eq!(refusals.count(Reason::Idle, at(20)), None);
        assert_eq!((refusals.take_owed(), refusals.take_owed()), (true, false));
        // One comes too soon for the rest of another.
        assert_eq!(refusals.count(Reason::Memory, at(500)), Some(1));
        assert_eq!(refusals.count(Reason::Memory, at(600)), None);
        assert_eq!(refusals.rest(at(1_010)), [(Reason::Idle, 2)]);
        assert!(refusals.take_owed());
        assert_eq!(refusals.count(Reason::Idle, at(1_500)), None);
        assert_eq!(refusals.rest(at(2_010)), [(Reason::Memory, 1), (Reason::Idle, 1)]);
        assert!(refusals.rest(at(9_000)).is_empty());
    }
}
