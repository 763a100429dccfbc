//! The system as a worker needs it. A simulation can stand in for it.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;

/// The token of the listening socket. Tokens of sockets are smaller.
pub(super) const LISTENER: usize = usize::MAX;

/// The token of a worker's waker.
pub(super) const WAKER: usize = usize::MAX - 1;

/// News of a socket. It comes once for each change, and stays true until a call says that it would block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) token: usize,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The peer has ended its side, or the connection is broken.
    pub(super) closing: bool,
}

/// A connection that never blocks.
pub(super) trait Stream: Send {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize>;

    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Returns whether an outgoing connection is established, or the error with which it failed.
    fn connected(&mut self) -> io::Result<bool>;

    /// Ends the sending side.
    fn end(&mut self) -> io::Result<()>;
}

/// Poller, sockets and clock of one worker.
pub(super) trait Network {
    type Stream: Stream;

    /// Whether a read that brings less than was asked for has emptied the socket, so that news come when there is more.
    const SHORT_READ_EMPTIES: bool;

    /// Returns the time since some moment, which never goes back.
    fn now(&self) -> Duration;

    /// Does nothing for `time`. A network that cannot wait for so short a time does not wait at all.
    fn rest(&mut self, time: Duration);

    /// Waits for news, at most for `timeout`, and adds them to `ready`.
    fn poll(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()>;

    /// Takes the next connection that has come in.
    fn accept(&mut self) -> io::Result<(Self::Stream, SocketAddr)>;

    /// Returns whether the process can open descriptors for one more link than the `links` that there are.
    fn has_descriptors(&mut self, links: usize) -> bool;

    /// Accepts no more connections.
    fn stop_listening(&mut self);

    /// Sets the options of an accepted connection, and asks for its news.
    fn register(&mut self, stream: &mut Self::Stream, token: usize) -> io::Result<()>;

    /// Begins a connection, and asks for its news.
    fn connect(&mut self, to: SocketAddr, token: usize) -> io::Result<Self::Stream>;

    /// Closes a connection.
    fn close(&mut self, stream: Self::Stream);
}
