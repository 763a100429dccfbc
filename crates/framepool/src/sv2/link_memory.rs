//! A memory budget for all connections of a relay.
//!
//! A *link* is a miner's connection and the one to the pool that belongs to it. Its frames go two ways, each from the input
//! of one session to the output of the other; a few KiB of small frames are under way in one at a time. The budget is cut
//! into three:
//!
//! - One half is for links as such. Each takes its share when it is accepted, or is refused. That is all that its handshakes
//!   and its small frames ever need, so these never wait for anybody's memory. If it is known how many links there can be
//!   at most, the shares are as large as the half allows, within limits: longer reads cost less.
//! - A quarter is for the large frames that go up, and a quarter for those that go down. When a frame's header has come and
//!   the frame is larger than what is under way of small ones, nothing more is read until all that it will need, held and
//!   then encrypted again, has been granted; then no byte beyond its end is read, and nothing more until it has left the
//!   output, when the grant goes back. Grants are given in the order in which they were asked for.
//!
//! So what is in use never exceeds what is reserved, nor that the limit. And nobody waits in a circle: who has a grant needs
//! no other, and is done as soon as its own two peers send and read; who waits for one holds no more than its share. A peer
//! that reads only when it can send may make a frame that goes up wait for one that goes down, or the other way round; that
//! is why the two have budgets of their own.
//!
//! What counts is what [`Session::stats`] counts, and rings that were replaced while JavaScript had views of them. What the
//! sessions of a thread share is not anybody's and does not count: the pool in which they decrypt, and spare buffers. The
//! budget is a ledger, not a pool of buffers: a ring needs its memory in one piece, as large as its traffic makes it, and
//! equal buffers, or those of 16 KiB and more of a buddy pool, would waste most of what an idle connection takes.

use std::sync::Arc;

use super::allowance::{Allowance, LARGEST_KEPT};
use super::error::Error;
use super::frame::{SEALED_HEADER, sealed_payload};
use super::session::{Partial, Session};
use crate::ledger::{Ledger, RequestId};

/// The least and the most that a link has under way in one direction of frames that need no grant, in wire bytes. No frame
/// needs one that is not larger.
const SMALL: usize = 4096;
const LARGEST_SMALL: usize = 1 << 16;

/// What a session takes besides, with the state of its handshake.
const SESSION: usize = 2048;

/// What a link takes that has `small` bytes under way each way, a power of two: in each direction the rings, two while one
/// takes the place of the other, and what is held or queued, in powers of two, and copied when it grows.
fn share(small: usize) -> usize {
    2 * (4 * small + SESSION)
}

/// What a frame of so many wire bytes takes: first held and then queued, both in one piece; and the output's rings.
fn needed(wire: usize) -> usize {
    wire + wire / 8 + 4 * wire.next_power_of_two().min(LARGEST_KEPT)
}

/// Where a link's frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the miner to the pool.
    Upstream,
    /// From the pool to the miner.
    Downstream,
}

/// The memory budget of a relay: see the [module](self).
pub struct RelayMemory {
    limit: usize,
    /// What a link may have under way in one direction without a grant, in wire bytes.
    small: usize,
    links: Ledger,
    /// By [`Direction`].
    frames: [Ledger; 2],
}

/// What a relay's connections have of its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayMemoryStats {
    /// The budget, in bytes.
    pub limit: usize,
    /// Bytes reserved for links and for large frames.
    pub reserved: usize,
    /// Frames that wait to be granted theirs.
    pub waiting: usize,
}

impl RelayMemory {
    /// A budget of `limit` bytes, for so many links at most if that is known.
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

    /// What each link takes when it is accepted, in bytes.
    pub fn share(&self) -> usize {
        share(self.small)
    }

    /// What a new link needs; `None` if the budget has no room for it.
    pub fn link(self: &Arc<Self>) -> Option<LinkMemory> {
        // The ledger is never closed.
        let accepted = self.links.try_reserve(self.share()).unwrap_or(false);
        accepted.then(|| LinkMemory { memory: Arc::clone(self), lanes: Default::default() })
    }

    /// What is reserved and who waits.
    pub fn stats(&self) -> RelayMemoryStats {
        let mut stats = RelayMemoryStats { limit: self.limit, reserved: self.links.accounts().reserved, waiting: 0 };
        for accounts in self.frames.each_ref().map(Ledger::accounts) {
            stats.reserved += accounts.reserved;
            stats.waiting += accounts.waiting;
        }
        stats
    }

    /// Takes a request out of the queue; false if it has been granted.
    pub fn cancel(&self, direction: Direction, request: RequestId) -> bool {
        self.frames[direction as usize].cancel(request)
    }

    /// What a frame with `payload` bytes needs, or [`Error::MemoryLimit`] if it can never have that.
    fn check(&self, payload: usize) -> Result<(usize, usize), Error> {
        let wire = SEALED_HEADER + sealed_payload(payload);
        let (needed, limit) = (needed(wire), self.limit / 4);
        if needed > limit { Err(Error::MemoryLimit { needed, limit }) } else { Ok((wire, needed)) }
    }
}

/// The memory of one large frame. Dropped, it goes back to the budget.
pub struct Grant {
    memory: Arc<RelayMemory>,
    direction: Direction,
    /// The frame's wire bytes.
    wire: usize,
    bytes: usize,
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
    /// Whether one of them is for the frame that is coming.
    for_input: bool,
}

impl Lane {
    /// How many wire bytes were granted for.
    fn granted(&self) -> usize {
        self.grants.iter().map(|grant| grant.wire).sum()
    }
}

/// What must happen before one more chunk is read, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The output is drained to so many bytes; with 0, grants are [given back](LinkMemory::release) then.
    pub drained: usize,
    /// Memory for a frame with so many bytes of payload is granted.
    pub granted: Option<usize>,
    /// How long the chunk may then be, in bytes; at least 1.
    pub quota: usize,
}

/// What one link has of its relay's budget. Dropped, all of that goes back.
pub struct LinkMemory {
    memory: Arc<RelayMemory>,
    /// By [`Direction`].
    lanes: [Lane; 2],
}

impl LinkMemory {
    /// The miner's session, or the one to the pool, is of this link. To be called before it is used.
    pub fn join(&self, session: &mut Session) {
        session.limit(Allowance::bytes(self.memory.small));
    }

    /// What to do after each chunk that a session was given, whose frames have gone to the output of `to`. `input`: what it
    /// holds then.
    pub fn step(&self, direction: Direction, input: &Partial, to: &mut Session) -> Step {
        let (lane, small) = (&self.lanes[direction as usize], self.memory.small);
        let Partial { wire, come, payload, transport } = *input;
        let missing = wire.saturating_sub(come).max(1);
        if !transport || (lane.for_input && wire > small) {
            return Step { drained: usize::MAX, granted: None, quota: missing };
        }
        // Who asks for memory has none but the link's share.
        let empty = if lane.grants.is_empty() { usize::MAX } else { 0 };
        if wire > small {
            return Step { drained: empty, granted: payload, quota: missing };
        }
        // Half of the room at least, so that bytes are not read one by one; but never more than is left beside the frame.
        let left = small.saturating_sub(come).max(1);
        let worth_while = missing.max(small / 2).min(left);
        let pending = to.output().pending();
        let drained = (left - worth_while).min(empty);
        Step { drained, granted: None, quota: if pending > drained { worth_while } else { left - pending } }
    }

    /// Memory for a frame with `payload` bytes now; false if there is not enough, or others wait. `coming`: it comes in, and
    /// was asked for by [`step`](Self::step); otherwise it goes out in another's place.
    ///
    /// [`Error::MemoryLimit`] if it needs more than is ever granted.
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

    /// Queues up for the memory of a frame that comes in. `deliver` is called with it in turn, perhaps at once: it then goes
    /// to [`accept`](Self::accept). With the ticket the request can be [cancelled](RelayMemory::cancel).
    ///
    /// [`Error::MemoryLimit`] if it needs more than is ever granted.
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

    /// Takes a grant in: see [`try_grant`](Self::try_grant).
    pub fn accept(&mut self, grant: Grant, coming: bool, to: &mut Session) {
        let lane = &mut self.lanes[grant.direction as usize];
        lane.grants.push(grant);
        lane.for_input |= coming;
        to.limit(Allowance::bytes(self.memory.small + lane.granted()));
    }

    /// Gives back what was granted, and the ring that it was for, if the output is empty.
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

    /// The budget that it is of.
    pub fn memory(&self) -> &Arc<RelayMemory> {
        &self.memory
    }
}

impl Drop for LinkMemory {
    fn drop(&mut self) {
        self.memory.links.release(self.memory.share());
    }
}
