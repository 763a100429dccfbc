//! A memory budget for all connections of a relay.
//!
//! A *link* is a miner's connection together with the connection to the upstream server that belongs to it. Its frames
//! go in two directions, each from the input of one session to the output of the other. In each direction a few KiB of
//! small frames are on their way. The budget has three parts:
//!
//! - One half is for links as such. Each link gets its share when it is accepted, or is refused. The share covers its
//!   handshakes and its small frames, so these never wait for memory. If the greatest number of links is known, the
//!   shares are as large as the half allows, within limits: longer reads cost less.
//! - One quarter is for large frames that go upstream, and one quarter for those that go downstream. When the header of
//!   a frame has come and the frame is larger than the share allows, nothing more is read before all its memory is
//!   granted. The memory is for holding the frame and for encrypting it again. After that no byte beyond the frame's
//!   end is read, and nothing more until the frame has left the output. The grant then goes back. Grants are given in
//!   the order of the requests.
//!
//! So the memory in use never exceeds the reserved memory, which never exceeds the limit. There is no circular wait: a
//! link with a grant needs no other, and finishes as soon as its two peers send and read. A link that waits for a grant
//! holds only its share. A peer that reads only when it can send may make a frame in one direction wait for a frame in
//! the other direction, so each direction has a budget of its own.
//!
//! The budget covers what [`Session::stats`] counts, and rings that were replaced while JavaScript had views of them.
//! It does not cover what the sessions of a thread share: the pool in which they decrypt, and spare buffers. The budget
//! is a ledger and not a pool of buffers. A ring needs its memory in one piece, as large as its traffic makes it.
//! Buffers of one size, or the 16 KiB and more of a buddy pool, would waste most of what an idle connection uses.

use std::sync::Arc;

use super::allowance::{Allowance, LARGEST_KEPT};
use super::error::Error;
use super::frame::{SEALED_HEADER, sealed_payload};
use super::session::{Partial, Session};
use crate::ledger::{Ledger, RequestId};

/// The least and the most wire bytes that a link has in transit in one direction without a grant. A frame needs a
/// grant only if it is larger.
const SMALL: usize = 4096;
const LARGEST_SMALL: usize = 1 << 16;

/// Memory of a session besides its buffers, including the state of its handshake.
const SESSION: usize = 2048;

/// Returns the memory of a link with `small` bytes, a power of two, on their way in each direction. Each direction has
/// its rings (two while one replaces the other), and held or queued bytes in powers of two, which are copied when they
/// grow.
fn share(small: usize) -> usize {
    2 * (4 * small + SESSION)
}

/// Returns the memory of a frame of `wire` bytes on the wire: first held and then queued, both in one piece, and the
/// output's rings.
fn needed(wire: usize) -> usize {
    wire + wire / 8 + 4 * wire.next_power_of_two().min(LARGEST_KEPT)
}

/// The direction of a link's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the miner to the upstream server.
    Upstream,
    /// From the upstream server to the miner.
    Downstream,
}

/// The memory budget of a relay. The module's documentation explains its parts.
pub struct RelayMemory {
    limit: usize,
    /// Wire bytes that a link may have in transit in one direction without a grant.
    small: usize,
    links: Ledger,
    /// One ledger for each [`Direction`].
    frames: [Ledger; 2],
}

/// Figures of a relay's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayMemoryStats {
    /// Budget in bytes.
    pub limit: usize,
    /// Bytes reserved for links and for large frames.
    pub reserved: usize,
    /// Number of frames that wait for a grant.
    pub waiting: usize,
}

impl RelayMemory {
    /// Makes a budget of `limit` bytes. `most_links` is the greatest number of links, if it is known.
    pub fn new(limit: usize, most_links: Option<usize>) -> Arc<Self> {
        let mut small = SMALL;
        if let Some(links) = most_links {
            while small < LARGEST_SMALL && share(2 * small).saturating_mul(links) <= limit / 2 {
                small *= 2;
            }
        }
        let frames = [limit / 4, limit / 4].map(Ledger::new);
        Arc::new(Self { limit, small, links: Ledger::new(limit / 2), frames })
    }

    /// Returns the memory that each link gets when it is accepted, in bytes.
    pub fn share(&self) -> usize {
        share(self.small)
    }

    /// Reserves the memory of a new link. Returns `None` if the budget has no room for it.
    pub fn link(self: &Arc<Self>) -> Option<LinkMemory> {
        // The ledger is never closed.
        let accepted = self.links.try_reserve(self.share()).unwrap_or(false);
        accepted.then(|| LinkMemory { memory: Arc::clone(self), lanes: Default::default() })
    }

    /// Returns the figures of the budget.
    pub fn stats(&self) -> RelayMemoryStats {
        let mut stats = RelayMemoryStats { limit: self.limit, reserved: self.links.accounts().reserved, waiting: 0 };
        for accounts in self.frames.each_ref().map(Ledger::accounts) {
            stats.reserved += accounts.reserved;
            stats.waiting += accounts.waiting;
        }
        stats
    }

    /// Removes a request from the queue. Returns false if it was granted before.
    pub fn cancel(&self, direction: Direction, request: RequestId) -> bool {
        self.frames[direction as usize].cancel(request)
    }

    /// Returns the wire length of a frame with `payload` bytes, and the memory that it needs, both in bytes. Returns
    /// [`Error::MemoryLimit`] if the budget can never give that.
    fn check(&self, payload: usize) -> Result<(usize, usize), Error> {
        let wire = SEALED_HEADER + sealed_payload(payload);
        let (needed, limit) = (needed(wire), self.limit / 4);
        if needed > limit { Err(Error::MemoryLimit { needed, limit }) } else { Ok((wire, needed)) }
    }
}

/// The memory of one large frame. Dropping it returns the memory to the budget.
pub struct Grant {
    memory: Arc<RelayMemory>,
    direction: Direction,
    /// Length of the frame on the wire, in bytes.
    wire: usize,
    bytes: usize,
}

impl Grant {
    /// Returns the direction of the frame.
    pub fn direction(&self) -> Direction {
        self.direction
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.memory.frames[self.direction as usize].release(self.bytes);
    }
}

/// One direction of a link.
#[derive(Default)]
struct Lane {
    grants: Vec<Grant>,
    /// Whether one of the grants is for the incoming frame.
    for_input: bool,
}

impl Lane {
    /// Returns the total wire bytes of the frames with a grant.
    fn granted(&self) -> usize {
        self.grants.iter().map(|grant| grant.wire).sum()
    }
}

/// Steps, in this order, before one more chunk is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The output is drained to at most this number of bytes. If it is 0, the grants are
    /// [returned](LinkMemory::release) then.
    pub drained: usize,
    /// Memory is granted for a frame with a payload of this number of bytes.
    pub granted: Option<usize>,
    /// The chunk has at most this number of bytes, at least 1.
    pub quota: usize,
}

/// The part of a relay's budget that one link has. Dropping it returns everything to the budget.
pub struct LinkMemory {
    memory: Arc<RelayMemory>,
    /// One lane for each [`Direction`].
    lanes: [Lane; 2],
}

impl LinkMemory {
    /// Makes a session part of this link and limits its memory. Call it for both sessions of the link, before they are
    /// used.
    pub fn join(&self, session: &mut Session) {
        session.limit(Allowance::bytes(self.memory.small));
    }

    /// Returns what must happen before the next chunk. Call it after each chunk that a session received, when its
    /// frames have gone to the output of `to`. `input` is the message that the session then holds.
    pub fn step(&self, direction: Direction, input: &Partial, to: &mut Session) -> Step {
        let (lane, small) = (&self.lanes[direction as usize], self.memory.small);
        let Partial { wire, come, payload, transport } = *input;
        let missing = wire.saturating_sub(come).max(1);
        if !transport || (lane.for_input && wire > small) {
            return Step { drained: usize::MAX, granted: None, quota: missing };
        }
        // A link must have nothing but its share when it asks for a grant.
        let empty = if lane.grants.is_empty() { usize::MAX } else { 0 };
        if wire > small {
            return Step { drained: empty, granted: payload, quota: missing };
        }
        // Half of the room at least, so that bytes are not read one by one, but never more than is left beside the
        // frame.
        let left = small.saturating_sub(come).max(1);
        let worth_while = missing.max(small / 2).min(left);
        let pending = to.output().pending();
        let drained = (left - worth_while).min(empty);
        Step { drained, granted: None, quota: if pending > drained { worth_while } else { left - pending } }
    }

    /// Grants memory for a frame with `payload` bytes now. Returns false if there is not enough, or if others wait.
    /// `coming` is true for an incoming frame that [`step`](Self::step) asked for, and false for a frame that goes out
    /// in place of another.
    ///
    /// Returns [`Error::MemoryLimit`] if the frame needs more than the budget can ever give.
    pub fn try_grant(
        &mut self,
        direction: Direction,
        payload: usize,
        coming: bool,
        to: &mut Session,
    ) -> Result<bool, Error> {
        let (wire, bytes) = self.memory.check(payload)?;
        // The ledger is never closed.
        let granted = self.memory.frames[direction as usize].try_reserve(bytes).unwrap_or(false);
        if granted {
            let memory = Arc::clone(&self.memory);
            self.accept(Grant { memory, direction, wire, bytes }, coming, to);
        }
        Ok(granted)
    }

    /// Queues a request for the memory of an incoming frame. Calls `deliver` with the grant when it is this request's
    /// turn, which may be at once. The grant then goes to [`accept`](Self::accept). The request can be
    /// [canceled](RelayMemory::cancel).
    ///
    /// Returns [`Error::MemoryLimit`] if the frame needs more than the budget can ever give.
    pub fn enqueue(
        &self,
        direction: Direction,
        payload: usize,
        deliver: impl FnOnce(Grant) + Send + 'static,
    ) -> Result<RequestId, Error> {
        let (wire, bytes) = self.memory.check(payload)?;
        let memory = Arc::clone(&self.memory);
        let ledger = &self.memory.frames[direction as usize];
        let request = ledger.enqueue(bytes, move |granted| {
            if granted.is_ok() {
                deliver(Grant { memory, direction, wire, bytes });
            }
        });
        // The ledger is never closed.
        request.map_err(|_| Error::Internal)
    }

    /// Adds a grant to the link and raises the limit of `to`. `coming` has the meaning that
    /// [`try_grant`](Self::try_grant) gives it.
    pub fn accept(&mut self, grant: Grant, coming: bool, to: &mut Session) {
        let lane = &mut self.lanes[grant.direction as usize];
        lane.grants.push(grant);
        lane.for_input |= coming;
        to.limit(Allowance::bytes(self.memory.small + lane.granted()));
    }

    /// Returns the grants, and the ring that they were for, if the output is empty.
    pub fn release(&mut self, direction: Direction, to: &mut Session) {
        if to.output().pending() > 0 {
            return;
        }
        to.shrink();
        let lane = &mut self.lanes[direction as usize];
        lane.grants.clear();
        lane.for_input = false;
        to.limit(Allowance::bytes(self.memory.small));
    }

    /// Returns the wire bytes of the frames that have a grant.
    pub fn granted(&self, direction: Direction) -> usize {
        self.lanes[direction as usize].granted()
    }

    /// Returns whether there are grants to [release](Self::release).
    pub fn has_grants(&self, direction: Direction) -> bool {
        !self.lanes[direction as usize].grants.is_empty()
    }

    /// Returns the budget that the link belongs to.
    pub fn memory(&self) -> &Arc<RelayMemory> {
        &self.memory
    }
}

impl Drop for LinkMemory {
    fn drop(&mut self) {
        self.memory.links.release(self.memory.share());
    }
}
