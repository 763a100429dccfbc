//! A relay: its threads, as its user has them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::command::{Command, Inbox, Message};
use super::descriptors;
use super::figures::{LinkFigures, RelayStats};
use super::options::RelayOptions;
use super::record::Record;
use super::shared::Shared;
use super::system::System;
use super::worker::Worker;
use crate::slot::OutOfMemory;

/// A running relay. Dropping it ends its links and threads.
pub struct Relay {
    shared: Arc<Shared>,
    inboxes: Vec<Arc<Inbox<TcpStream>>>,
    address: SocketAddr,
    start: Instant,
}

impl Relay {
    /// Listens on the first of `addresses` that can be listened on, and starts the threads.
    ///
    /// Returns the error of the last address, or of a poller, memory or a thread that the system does not grant. Nothing is left of the relay
    /// then.
    pub fn start(options: RelayOptions, addresses: &[SocketAddr]) -> io::Result<Self> {
        let listener = listen(addresses)?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let start = Instant::now();
        let threads = options.threads.number();
        let keep_alive = options.limits.keep_alive;
        let shared = Shared::new(options);
        descriptors::register(&shared)?;
        let mut listener = Some(listener);
        let (mut systems, mut inboxes) = (Vec::new(), Vec::new());
        for _ in 0..threads {
            let (system, waker) = System::new(listener.take(), start, keep_alive)?;
            systems.push(system);
            inboxes.push(Arc::new(Inbox::new(move || {
                // It fails only if the system has no memory. The worker looks into its inbox at every turn.
                let _ = waker.wake();
            })));
        }
        let relay = Self { shared, inboxes, address, start };
        let mut workers = Vec::new();
        for (index, system) in systems.into_iter().enumerate() {
            let worker = Worker::new(system, Arc::clone(&relay.shared), index, relay.inboxes.clone());
            workers.push(worker.map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?);
        }
        // The worker with the listener comes last: if a thread is not granted, nothing listens any more when this returns.
        for (index, worker) in workers.into_iter().enumerate().rev() {
            let (shared, inbox) = (Arc::clone(&relay.shared), Arc::clone(&relay.inboxes[index]));
            let name = format!("framepool relay {index}");
            thread::Builder::new().name(name).spawn(move || run(worker, &inbox, &shared))?;
        }
        Ok(relay)
    }

    /// Returns the address that the relay listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more connections, reads nothing more from miners from here on, and ends each link when all answers have
    /// gone out.
    pub fn drain(&self) {
        self.shared.start_draining();
        for inbox in &self.inboxes {
            inbox.send([Message::Drain]);
        }
    }

    /// Ends all links at once.
    pub fn destroy(&self) {
        for inbox in &self.inboxes {
            inbox.send([Message::Destroy]);
        }
    }

    /// Gives commands to the threads, in order. Commands for links that have ended are dropped.
    pub fn command(&self, commands: impl IntoIterator<Item = Command>) {
        if let [only] = &self.inboxes[..] {
            only.send(commands.into_iter().map(Message::Command));
            return;
        }
        for command in commands {
            let worker = self.shared.worker_of(command.link);
            if let Some(worker) = worker {
                self.inboxes[worker].send([Message::Command(command)]);
            }
        }
    }

    /// Takes the first record that nobody has taken yet.
    pub fn take_record(&self) -> Option<Record> {
        let (record, relieved) = self.shared.records.take();
        if relieved {
            self.inboxes[0].send([Message::Resume]);
        }
        record
    }

    /// Calls `listener` once, on any thread, when there are records. A later call replaces it.
    pub fn on_records(&self, listener: impl FnOnce() + Send + 'static) {
        self.shared.records.listen(Box::new(listener));
    }

    /// Forgets the listener.
    pub fn ignore_records(&self) {
        self.shared.records.ignore();
    }

    /// Returns the figures of the relay.
    pub fn stats(&self) -> RelayStats {
        self.shared.stats()
    }

    /// Returns the figures of the open links, in the order in which they were accepted.
    pub fn links(&self) -> Result<Vec<Arc<LinkFigures>>, OutOfMemory> {
        self.shared.all_links()
    }

    /// Returns whether a link is open.
    pub fn has_link(&self, link: u64) -> bool {
        self.shared.worker_of(link).is_some()
    }

    /// Returns the time on the relay's clock.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ignore_records();
        self.drain();
        self.destroy();
    }
}

/// Runs a worker until it is done.
fn run(mut worker: Worker<System>, inbox: &Inbox<TcpStream>, shared: &Shared) {
    loop {
        let failure = match catch_unwind(AssertUnwindSafe(|| worker.turn(None))) {
            Ok(Ok(true)) => continue,
            Ok(Ok(false)) => break,
            Ok(Err(error)) => error.to_string(),
            Err(panic) => text_of(&*panic),
        };
        // The worker may be in any state. It leaves undone whatever it cannot do.
        let _ = catch_unwind(AssertUnwindSafe(|| worker.fail(&failure)));
        break;
    }
    drop(worker);
    inbox.close();
    shared.worker_ended();
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

fn listen(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for &address in addresses {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Elsewhere it would allow two servers on one port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
