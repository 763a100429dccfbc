//! Reasons for which a link ends.

use std::io;
use std::net::SocketAddr;

use super::figures::Reason;
use crate::sv2::{self, Direction};

/// A refusal of the operating system on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemFault {
    /// The system call that failed: `read`, `write`, `connect`, `shutdown`, `accept`.
    pub syscall: &'static str,
    /// Kind of the error, the same on all systems.
    pub kind: io::ErrorKind,
    /// Number that the system gave, or 0.
    pub errno: i32,
    /// Description of the error.
    pub message: String,
    /// Address that the connection was for, if it did not come about.
    pub address: Option<SocketAddr>,
}

impl SystemFault {
    /// Describes an error of `syscall`.
    pub fn new(syscall: &'static str, error: &io::Error) -> Self {
        let errno = error.raw_os_error().unwrap_or(0);
        Self { syscall, kind: error.kind(), errno, message: error.to_string(), address: None }
    }
}

/// The cause of a link's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A side has left: in order, or by an error of its connection.
    Departed(Option<SystemFault>),
    /// A side did not do its part of the handshake in time.
    Silent,
    /// The first bytes of a side are text, and no handshake.
    Foreign,
    /// The bytes of a side are at fault.
    Broken(sv2::Error),
    /// None of the mining pool's addresses could be connected to.
    Unreachable(Vec<SystemFault>),
    /// Nothing has moved for too long.
    Idle,
    /// The relay ended the link because a side exceeded a limit.
    Refused(Reason),
    /// The relay was closed.
    Closed,
    /// The user of the relay asked for it.
    User,
    /// The engine has a defect.
    Internal(String),
}

/// The facts about one side that tell how a link ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Wire bytes that came.
    pub bytes_in: u64,
    /// Frames that came.
    pub frames_in: u64,
    /// Bytes that came of an incomplete message.
    pub partial: usize,
    /// Whether its handshake is done.
    pub transport: bool,
    /// Whether there is no connection yet.
    pub connecting: bool,
    /// The first bytes that came, until the first frame.
    pub head: Vec<u8>,
}

/// The first reason for which a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The side that ended the link, or was at fault: `Upstream` is the mining pool, and `None` the relay.
    pub side: Option<Direction>,
    /// The cause.
    pub cause: Cause,
    /// The facts about that side.
    pub facts: Facts,
}

impl Ending {
    /// Returns the ending of a link for which no side is to blame.
    pub(super) fn of_relay(cause: Cause) -> Box<Self> {
        Box::new(Self { side: None, cause, facts: Facts::default() })
    }

    /// Returns for which reason a client was refused, if it was.
    pub(super) fn refusal(&self) -> Option<Reason> {
        let genuine = self.facts.frames_in > 0;
        match &self.cause {
            Cause::Refused(reason) => Some(*reason),
            Cause::Idle => Some(Reason::Idle),
            Cause::Broken(sv2::Error::FrameTooLarge { .. }) if self.side.is_some() => Some(Reason::FrameTooLarge),
            Cause::Broken(sv2::Error::MemoryLimit { .. } | sv2::Error::PoolLimit { .. } | sv2::Error::NoMemory) => {
                Some(Reason::Memory)
            }
            _ if self.side != Some(Direction::Downstream) => None,
            Cause::Silent => Some(Reason::HandshakeTimeout),
            Cause::Foreign => Some(Reason::Foreign),
            Cause::Broken(_) if !genuine => Some(Reason::Foreign),
            Cause::Departed(_) if self.facts.partial > 0 => Some(Reason::CutFrame),
            _ => None,
        }
    }
}
