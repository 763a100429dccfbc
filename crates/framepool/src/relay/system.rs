//! Poller, sockets and clock of the system, on mio: epoll, kqueue or IOCP.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use socket2::{SockRef, TcpKeepalive};

use super::descriptors::Descriptors;
use super::network::{LISTENER, Network, Ready, Stream, WAKER};

/// News that one call takes at most.
const EVENTS: usize = 1024;

/// The network of one worker.
pub(super) struct System {
    poll: Poll,
    events: Events,
    listener: Option<TcpListener>,
    start: Instant,
    keep_alive: Option<Duration>,
    descriptors: Descriptors,
}

impl System {
    /// Makes a network, and what wakes its [`poll`](Network::poll) on another thread. `start` is the beginning of time.
    pub(super) fn new(
        listener: Option<std::net::TcpListener>,
        start: Instant,
        keep_alive: Option<Duration>,
    ) -> io::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), Token(WAKER))?);
        let mut listener = listener.map(TcpListener::from_std);
        if let Some(listener) = &mut listener {
            poll.registry().register(listener, Token(LISTENER), Interest::READABLE)?;
        }
        let (events, descriptors) = (Events::with_capacity(EVENTS), Descriptors::default());
        Ok((Self { poll, events, listener, start, keep_alive, descriptors }, waker))
    }

    fn watch(registry: &Registry, stream: &mut TcpStream, token: usize) -> io::Result<()> {
        registry.register(stream, Token(token), Interest::READABLE | Interest::WRITABLE)
    }

    /// A connection without these options works, too.
    fn prepare(&self, stream: &TcpStream) {
        let _ = stream.set_nodelay(true);
        if let Some(time) = self.keep_alive {
            let _ = SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(whole_seconds(time)));
        }
    }
}

/// Returns a time for which systems take it: most of them count in seconds, from one on, and Linux allows no more than these.
fn whole_seconds(time: Duration) -> Duration {
    const MOST: u64 = 32_767;
    Duration::from_secs(time.as_nanos().div_ceil(1_000_000_000).clamp(1, MOST.into()) as u64)
}

impl Network for System {
    type Stream = TcpStream;

    // The pollers of other systems need a call that would block before they report the socket again.
    const SHORT_READ_EMPTIES: bool = cfg!(any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    ));

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn rest(&mut self, time: Duration) {
        // Windows may take many times as long as was asked for.
        if cfg!(unix) {
            thread::sleep(time);
        }
    }

    fn poll(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        ready.extend(self.events.iter().map(|event| Ready {
            token: event.token().0,
            readable: event.is_readable() || event.is_read_closed() || event.is_error(),
            writable: event.is_writable() || event.is_write_closed() || event.is_error(),
            closing: event.is_read_closed() || event.is_error(),
        }));
        Ok(())
    }

    fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.listener {
            Some(listener) => listener.accept(),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn has_descriptors(&mut self, links: usize) -> bool {
        let now = self.now();
        self.listener.as_ref().is_none_or(|listener| self.descriptors.are_left(listener, links, now))
    }

    fn stop_listening(&mut self) {
        if let Some(mut listener) = self.listener.take() {
            // A closed socket is forgotten anyway.
            let _ = self.poll.registry().deregister(&mut listener);
        }
    }

    fn register(&mut self, stream: &mut TcpStream, token: usize) -> io::Result<()> {
        self.prepare(stream);
        Self::watch(self.poll.registry(), stream, token)
    }

    fn connect(&mut self, to: SocketAddr, token: usize) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(to)?;
        self.prepare(&stream);
        Self::watch(self.poll.registry(), &mut stream, token)?;
        Ok(stream)
    }

    fn close(&mut self, mut stream: TcpStream) {
        // A closed socket is forgotten anyway.
        let _ = self.poll.registry().deregister(&mut stream);
    }
}

impl Stream for TcpStream {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        Read::read(self, target)
    }

    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match pieces {
            [only] => Write::write(self, only),
            [first, second] if second.is_empty() => Write::write(self, first),
            _ => self.write_vectored(pieces),
        }
    }

    fn connected(&mut self) -> io::Result<bool> {
        if let Some(error) = self.take_error()? {
            return Err(error);
        }
        match self.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            // So macOS says it, or Linux a connection that is in progress.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_either_way_have_no_delay_and_are_kept_alive() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (mut system, _waker) = System::new(Some(listener), Instant::now(), Some(Duration::from_secs(7))).unwrap();
        let outgoing = system.connect(address, 2).unwrap();
        let mut accepted = loop {
            match system.accept() {
                Ok((stream, _)) => break stream,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        };
        system.register(&mut accepted, 4).unwrap();
        for stream in [&outgoing, &accepted] {
            assert!(stream.nodelay().unwrap());
            assert!(SockRef::from(stream).keepalive().unwrap());
        }
    }

    #[test]
    fn the_system_takes_any_time_after_which_a_peer_is_asked_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        for (milliseconds, seconds) in [(1, 1), (1_000, 1), (1_001, 2), (60_000, 60), (i32::MAX as u64, 32_767)] {
            let time = whole_seconds(Duration::from_millis(milliseconds));
            assert_eq!(time, Duration::from_secs(seconds));
            SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(time)).unwrap();
        }
    }
}
