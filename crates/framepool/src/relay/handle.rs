//! A relay: its threads, and what they share.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::admission::Admission;
use super::command::{Command, Inbox, Message};
use super::figures::{LinkFigures, Refusals, RelayStats, WorkerFigures};
use super::options::RelayOptions;
use super::record::{Record, Records};
use super::system::System;
use super::worker::Worker;
use crate::sv2::RelayMemory;

/// What the workers of a relay, and its user, have in common.
pub(super) struct Shared {
    pub(super) options: RelayOptions,
    pub(super) memory: Arc<RelayMemory>,
    pub(super) records: Records,
    pub(super) refusals: Refusals,
    admission: Mutex<Admission>,
    /// How many links the descriptors of the process allow.
    pub(super) descriptor_room: usize,
    pub(super) next_id: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) workers: Vec<WorkerFigures>,
    links: Mutex<BTreeMap<u64, Arc<LinkFigures>>>,
    running: AtomicUsize,
    /// Nothing more is to be read from miners. The command for that may be on its way.
    draining: AtomicBool,
}

impl Shared {
    pub(super) fn new(options: RelayOptions, descriptor_room: usize) -> Arc<Self> {
        let threads = options.threads.number();
        let limits = &options.limits;
        Arc::new(Self {
            memory: RelayMemory::new(limits.memory, Some(limits.connections)),
            records: Records::default(),
            refusals: Refusals::default(),
            admission: Mutex::new(Admission::new(limits)),
            descriptor_room,
            next_id: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            workers: std::iter::repeat_with(WorkerFigures::default).take(threads).collect(),
            links: Mutex::default(),
            running: AtomicUsize::new(threads),
            draining: AtomicBool::new(false),
            options,
        })
    }

    pub(super) fn admission(&self) -> MutexGuard<'_, Admission> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn link_figures(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<LinkFigures>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, link: Arc<LinkFigures>) {
        self.link_figures().insert(link.id, link);
    }

    pub(super) fn forget(&self, id: u64) {
        self.link_figures().remove(&id);
    }

    /// Returns whether nothing more is to be read from miners.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Returns the number of links on all threads.
    pub(super) fn links(&self) -> usize {
        self.workers.iter().map(|worker| worker.links.load(Ordering::Relaxed)).sum()
    }

    /// Returns the figures of the relay.
    pub(super) fn stats(&self) -> RelayStats {
        let sum = |counter: fn(&WorkerFigures) -> &AtomicU64| {
            self.workers.iter().map(|worker| counter(worker).load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
        };
        // Both belong together, and change meanwhile.
        let mut budget = self.memory.stats();
        let memory_bytes = loop {
            let memory_bytes = sum(|worker| &worker.memory);
            let again = self.memory.stats();
            if again == budget {
                break memory_bytes;
            }
            budget = again;
        };
        RelayStats {
            connections: self.links() as u64,
            connections_total: self.next_id.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            handshake_failures: sum(|worker| &worker.handshake_failures),
            frames_upstream: sum(|worker| &worker.frames[0]),
            frames_downstream: sum(|worker| &worker.frames[1]),
            bytes_upstream: sum(|worker| &worker.bytes[0]),
            bytes_downstream: sum(|worker| &worker.bytes[1]),
            heap_fallbacks: sum(|worker| &worker.heap_fallbacks),
            memory_bytes,
            reserved: budget.reserved,
            waiting: budget.waiting,
            refused: self.refusals.all(),
        }
    }

    /// Notes that a worker is done.
    pub(super) fn worker_ended(&self) {
        if self.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.records.add(&mut vec![Record::Closed]);
        }
    }
}

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
    /// Returns the error of the last address, or of a poller or thread that the system does not grant.
    pub fn start(options: RelayOptions, addresses: &[SocketAddr]) -> io::Result<Self> {
        let listener = listen(addresses)?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let start = Instant::now();
        let threads = options.threads.number();
        let keep_alive = options.limits.keep_alive;
        let shared = Shared::new(options, descriptor_room(threads));
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
        for (index, system) in systems.into_iter().enumerate() {
            let (shared, inboxes) = (Arc::clone(&relay.shared), relay.inboxes.clone());
            let name = format!("framepool relay {index}");
            thread::Builder::new().name(name).spawn(move || run(system, shared, index, inboxes))?;
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
        self.shared.draining.store(true, Ordering::Release);
        self.inboxes.iter().for_each(|inbox| inbox.send([Message::Drain]));
    }

    /// Ends all links at once.
    pub fn destroy(&self) {
        self.inboxes.iter().for_each(|inbox| inbox.send([Message::Destroy]));
    }

    /// Gives commands to the threads, in order. Commands for links that have ended are dropped.
    pub fn command(&self, commands: impl IntoIterator<Item = Command>) {
        if let [only] = &self.inboxes[..] {
            return only.send(commands.into_iter().map(Message::Command));
        }
        for command in commands {
            let worker = self.shared.link_figures().get(&command.link).map(|link| link.worker);
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
    pub fn links(&self) -> Vec<Arc<LinkFigures>> {
        self.shared.link_figures().values().cloned().collect()
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
fn run(system: System, shared: Arc<Shared>, index: usize, inboxes: Vec<Arc<Inbox<TcpStream>>>) {
    match Worker::new(system, Arc::clone(&shared), index, inboxes) {
        Ok(mut worker) => loop {
            let failure = match catch_unwind(AssertUnwindSafe(|| worker.turn(None))) {
                Ok(Ok(true)) => continue,
                Ok(Ok(false)) => break,
                Ok(Err(error)) => error.to_string(),
                Err(panic) => text_of(&*panic),
            };
            // The worker may be in any state. What it cannot do is left undone.
            let _ = catch_unwind(AssertUnwindSafe(|| worker.fail(&failure)));
            break;
        },
        Err(error) => {
            shared.records.add(&mut vec![Record::Failed(error.to_string())]);
        }
    }
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

/// Returns how many links the descriptors of the process allow: two for each, and some for everything else.
#[cfg(unix)]
fn descriptor_room(threads: usize) -> usize {
    /// Descriptors that are left to the rest of the process.
    const RESERVE: usize = 64;
    let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current else { return usize::MAX };
    let open = ["/proc/self/fd", "/dev/fd"].iter().find_map(|path| Some(std::fs::read_dir(path).ok()?.count()));
    let taken = open.unwrap_or(RESERVE) + RESERVE + 4 * threads;
    (usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(taken) / 2).max(1)
}

#[cfg(not(unix))]
fn descriptor_room(_: usize) -> usize {
    usize::MAX
}
