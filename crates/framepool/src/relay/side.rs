//! One end of a link: a connection, and the session that speaks on it.

use std::io::{self, ErrorKind};
use std::time::Duration;

use super::bucket::Rate;
use super::ending::{Facts, SystemFault};
use super::network::Stream;
use crate::sv2::{Session, State};

/// Number of a side's first bytes that are kept to tell its protocol: the length of a handshake's first message.
const HEAD: usize = 64;

/// The most that one turn writes to one side, in bytes.
const MOST_WRITTEN: usize = 1 << 18;

/// One end of a link.
#[allow(clippy::struct_excessive_bools, reason = "each may be true or not, whatever the others are")]
pub(super) struct Side<S> {
    pub(super) stream: S,
    pub(super) session: Session,
    /// Whether reading may bring something.
    pub(super) readable: bool,
    /// Whether writing may take something.
    pub(super) writable: bool,
    /// Whether the peer has ended its side, so that no news come after a short read.
    pub(super) closing: bool,
    /// Whether the connection is not there yet.
    pub(super) connecting: bool,
    /// Whether everything that came has been read.
    pub(super) ended: bool,
    /// Whether input is thrown away.
    pub(super) ignored: bool,
    /// Whether our own side of the connection has ended.
    pub(super) finished: bool,
    /// Whether the output was over its mark, and is not drained yet.
    pub(super) over: bool,
    /// Whether the output may hold something. The flags from here on spare a look into the session, whose memory the processor's
    /// caches seldom hold.
    pub(super) unsent: bool,
    /// Whether a frame has begun to come, and is not whole.
    pub(super) begun: bool,
    /// Whether the session's figures may have changed since they were last added to the relay's.
    pub(super) changed: bool,
    /// The first bytes that came, until the first frame.
    head: Vec<u8>,
    /// Frames that were passed on to this side.
    pub(super) forwarded: u64,
    /// Progress of the frame that comes in.
    incoming: Progress,
    /// Progress of the bytes that wait to go out.
    outgoing: Progress,
}

/// Progress of something that has begun.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// The moment from which nothing is paid for, and the last count. `None` while there is nothing to measure.
    ///
    /// Bytes pay for the time that they may take at the least rate, but not for time to come: a burst at the beginning does
    /// not let the rest stall.
    unpaid: Option<(Duration, u64)>,
    /// Number of the frame or output that is measured. A different number starts a new measurement.
    subject: u64,
    /// The least rate, in bytes a second.
    rate: u64,
}

impl Progress {
    /// Goes on to measure `subject` at `count`, or begins to. `rate` is the least from now on, in bytes a second.
    fn go_on(&mut self, subject: u64, count: u64, rate: u64, now: Duration) {
        if self.unpaid.is_none() || self.subject != subject {
            *self = Self { unpaid: Some((now, count)), subject, rate };
        } else {
            self.pay(count, now);
            self.rate = rate;
        }
    }

    fn pay(&mut self, count: u64, now: Duration) {
        let Some((from, before)) = &mut self.unpaid else { return };
        let paid = Rate { units: self.rate, burst: Duration::ZERO }.time_of(count.wrapping_sub(*before));
        *from = from.saturating_add(paid).min(now);
        *before = count;
    }

    fn stop(&mut self) {
        self.unpaid = None;
    }

    /// Returns whether it has been slower than its rate for so long that `grace` is used up.
    fn is_slow(&mut self, count: u64, grace: Duration, now: Duration) -> bool {
        self.pay(count, now);
        self.unpaid.is_some_and(|(from, _)| now >= from + grace)
    }
}

impl<S: Stream> Side<S> {
    pub(super) fn new(stream: S, session: Session, connecting: bool) -> Self {
        Self {
            stream,
            session,
            readable: false,
            writable: !connecting,
            closing: false,
            connecting,
            ended: false,
            ignored: false,
            finished: false,
            over: false,
            unsent: true,
            begun: false,
            changed: true,
            head: Vec::new(),
            forwarded: 0,
            incoming: Progress::default(),
            outgoing: Progress::default(),
        }
    }

    /// Writes what is in the output, as far as the socket and this turn allow. Returns the number of bytes written, and
    /// whether the turn ended it.
    pub(super) fn flush(&mut self) -> Result<(usize, bool), SystemFault> {
        let mut total = 0;
        while self.unsent && self.writable && !self.connecting {
            if self.session.output().available() == 0 {
                self.unsent = false;
                break;
            }
            if total >= MOST_WRITTEN {
                return Ok((total, true));
            }
            let Self { stream, session, .. } = self;
            match session.output().write_with(|pieces| stream.write(pieces)) {
                Ok(0) => self.writable = false,
                Ok(written) => {
                    self.changed = true;
                    total += written;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(SystemFault::new("write", &error)),
            }
        }
        if self.over && self.session.output().is_drained() {
            self.over = false;
        }
        Ok((total, false))
    }

    /// Ends the sending side. The output must be empty.
    pub(super) fn finish(&mut self) -> Result<(), SystemFault> {
        self.finished = true;
        match self.stream.end() {
            Err(error) if error.kind() != ErrorKind::NotConnected => Err(SystemFault::new("shutdown", &error)),
            _ => Ok(()),
        }
    }

    /// Reads once. Returns `None` if nothing is there. `0` is the end.
    pub(super) fn read(&mut self, target: &mut [u8], short_read_empties: bool) -> Result<Option<usize>, SystemFault> {
        match self.stream.read(target) {
            Ok(0) => {
                self.readable = false;
                Ok(Some(0))
            }
            Ok(count) => {
                if short_read_empties && count < target.len() && !self.closing {
                    self.readable = false;
                }
                Ok(Some(count))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(SystemFault::new("read", &error)),
        }
    }

    /// Keeps the first bytes, for as long as they are needed.
    pub(super) fn note_head(&mut self, chunk: &[u8]) {
        let room = HEAD - self.head.len().min(HEAD);
        self.head.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }

    pub(super) fn forget_head(&mut self) {
        self.head = Vec::new();
    }

    /// Returns whether the first bytes are text, which no handshake is, not even by chance.
    pub(super) fn begins_with_text(&self) -> bool {
        let text = match str::from_utf8(&self.head) {
            Ok(text) => text,
            // The last character may be incomplete.
            Err(error) if error.error_len().is_none() => {
                str::from_utf8(&self.head[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => return false,
        };
        text.len() >= 4 && !text.chars().any(|char| char.is_control() && !"\t\r\n".contains(char))
    }

    /// Returns the facts that tell how this side ended.
    pub(super) fn facts(&self) -> Facts {
        let (stats, partial) = (self.session.stats(), self.session.partial());
        Facts {
            bytes_in: stats.bytes_in,
            frames_in: stats.frames_in,
            partial: partial.come,
            transport: self.session.state() == State::Transport,
            connecting: self.connecting,
            head: self.head.clone(),
        }
    }

    /// Notes that the session has taken input.
    pub(super) fn note_received(&mut self, before: State) {
        let had_begun = self.begun;
        let partial = self.session.partial();
        self.begun = partial.transport && partial.come > 0;
        // The session answers in its handshake. It keeps what it cannot use yet.
        self.unsent |= before == State::Handshake;
        self.changed |= before == State::Handshake || had_begun || self.begun;
    }

    /// Measures how fast a started frame comes, unless it is `held` up by us, and how fast the output goes out. The rates are the least,
    /// in bytes a second.
    pub(super) fn measure(&mut self, held: bool, incoming: u64, outgoing: u64, now: Duration) {
        if held || self.ignored || !self.begun {
            self.incoming.stop();
        } else {
            let stats = self.session.stats();
            self.incoming.go_on(stats.frames_in, stats.bytes_in, incoming, now);
        }
        if !self.unsent || self.connecting || self.session.output().pending() == 0 {
            self.outgoing.stop();
        } else {
            let position = self.session.output().position();
            self.outgoing.go_on(0, position, outgoing, now);
        }
    }

    /// Returns the moment at which to look whether the side is too slow.
    pub(super) fn slow_at(&self, grace: Duration) -> Option<Duration> {
        let moments = [self.incoming, self.outgoing].map(|progress| progress.unpaid.map(|(from, _)| from + grace));
        moments.into_iter().flatten().min()
    }

    /// Returns whether a frame comes too slowly, and whether the output goes out too slowly.
    pub(super) fn is_slow(&mut self, grace: Duration, now: Duration) -> (bool, bool) {
        let (bytes_in, position) = (self.session.stats().bytes_in, self.session.output().position());
        (self.incoming.is_slow(bytes_in, grace, now), self.outgoing.is_slow(position, grace, now))
    }

    /// Returns whether the connection is there, once it is known.
    pub(super) fn connect_on(&mut self) -> io::Result<bool> {
        let connected = self.stream.connected()?;
        self.connecting = !connected;
        self.writable = connected;
        Ok(connected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u64 = 1_000;
    const GRACE: Duration = Duration::from_secs(10);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_burst_does_not_let_the_rest_stall() {
        let mut progress = Progress::default();
        progress.go_on(1, 0, RATE, seconds(0));
        progress.go_on(1, 1_000_000, RATE, seconds(1));
        assert!(!progress.is_slow(1_000_000, GRACE, seconds(10)));
        assert!(progress.is_slow(1_000_000, GRACE, seconds(11)));
    }

    #[test]
    fn the_least_rate_lasts_and_less_does_not() {
        for (each, lasts) in [(RATE, true), (RATE / 2, false)] {
            let mut progress = Progress::default();
            progress.go_on(1, 0, RATE, seconds(0));
            let slow = (1..1000).any(|second| progress.is_slow(second * each, GRACE, seconds(second)));
            assert_eq!(slow, !lasts);
        }
    }

    #[test]
    fn the_next_frame_starts_anew() {
        let mut progress = Progress::default();
        progress.go_on(1, 0, RATE, seconds(0));
        progress.go_on(2, 1, RATE, seconds(9));
        assert!(!progress.is_slow(1, GRACE, seconds(18)));
        progress.stop();
        assert!(!progress.is_slow(1, GRACE, seconds(100)));
    }
}
