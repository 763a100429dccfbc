//! A relay whose system refuses every request but small ones, while many clients come.
#![allow(missing_docs, reason = "tests")]

mod sv2_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use framepool::relay::{Reason, Record, Relay, RelayOptions, RelayStats};
use sv2_support::relay_options;

thread_local! {
    /// Whether this thread gets all memory: the test's own, which must be able to tell what is wrong.
    static SPARED: Cell<bool> = const { Cell::new(false) };
}

/// Requests of at least this many bytes are refused, except to threads that are spared.
static REFUSED: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Number of such requests that succeed before one is refused. Those after it succeed again.
static SUCCEED: AtomicUsize = AtomicUsize::new(0);

/// Whether all such requests are refused.
static ALL: AtomicBool = AtomicBool::new(true);

/// Whether the relay is told that there is memory.
static HAS_MEMORY: AtomicBool = AtomicBool::new(true);

/// A list of a relay cannot grow to this many bytes. All that a link has of its own is smaller.
const LITTLE: usize = 4096;

/// Clients that come. For so many each list grows to `LITTLE` or beyond.
const CLIENTS: usize = 400;

/// The tests take turns, because a process has one allocator.
static TURN: Mutex<()> = Mutex::new(());

struct Failing;

// SAFETY: every call goes to the system's allocator, or fails. The other methods are those of the trait, which call these.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= REFUSED.load(Ordering::Relaxed)
            && !SPARED.get()
            && (ALL.load(Ordering::Relaxed) || SUCCEED.fetch_sub(1, Ordering::Relaxed) == 0)
        {
            return ptr::null_mut();
        }
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and all memory is the system allocator's.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

fn count(stats: &RelayStats, reason: Reason) -> u64 {
    stats.refused.iter().find(|(other, _)| *other == reason).map_or(0, |&(_, count)| count)
}

fn wait_until(relay: &Relay, what: &str, holds: impl Fn(&RelayStats) -> bool) -> RelayStats {
    let begun = Instant::now();
    loop {
        let stats = relay.stats();
        if holds(&stats) {
            return stats;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{what}: {stats:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Starts a relay with one thread, and returns once the thread runs.
fn start() -> (Relay, Vec<TcpStream>) {
    let options = RelayOptions {
        has_memory: || HAS_MEMORY.load(Ordering::Relaxed),
        ..relay_options("127.0.0.1:9".parse().expect("an address"), 1)
    };
    let relay = Relay::start(options, &["127.0.0.1:0".parse().expect("an address")]).expect("a port is free");
    let clients = vec![TcpStream::connect(relay.address()).expect("a connection")];
    wait_until(&relay, "the thread runs", |stats| stats.connections == 1);
    (relay, clients)
}

/// Ends a relay. Returns how many links it told of when they came, and when they ended.
fn end(relay: &Relay) -> (u64, u64) {
    relay.drain();
    relay.destroy();
    let (mut connected, mut disconnected) = (0, 0);
    loop {
        match relay.take_record() {
            Some(Record::Connected { .. }) => connected += 1,
            Some(Record::Disconnected(_)) => disconnected += 1,
            Some(Record::Closed) => return (connected, disconnected),
            Some(Record::Failed(what)) => panic!("{what}"),
            Some(_) => {}
            None => thread::sleep(Duration::from_millis(1)),
        }
    }
}

#[test]
fn a_relay_whose_lists_cannot_grow_refuses_connections_and_goes_on() {
    let _turn = TURN.lock();
    SPARED.set(true);
    let (relay, mut clients) = start();

    ALL.store(true, Ordering::Relaxed);
    REFUSED.store(LITTLE, Ordering::Relaxed);
    for _ in 1..CLIENTS {
        clients.push(TcpStream::connect(relay.address()).expect("a connection"));
    }
    let stats =
        wait_until(&relay, "all are accepted or refused", |stats| stats.connections + stats.rejected == CLIENTS as u64);
    assert!(stats.connections >= 50, "{stats:?}");
    assert!(stats.rejected > 0, "no list was too short: {stats:?}");
    assert_eq!(count(&stats, Reason::Memory), stats.rejected, "{stats:?}");

    // There is room for the numbers of the links, but not for a copy of them.
    SPARED.set(false);
    REFUSED.store(LITTLE / 8, Ordering::Relaxed);
    let links = relay.links();
    REFUSED.store(usize::MAX, Ordering::Relaxed);
    SPARED.set(true);
    assert!(links.is_err());
    assert_eq!(relay.links().expect("memory").len() as u64, stats.connections);

    clients.push(TcpStream::connect(relay.address()).expect("a connection"));
    wait_until(&relay, "with memory one more is accepted", |now| now.connections == stats.connections + 1);

    HAS_MEMORY.store(false, Ordering::Relaxed);
    clients.push(TcpStream::connect(relay.address()).expect("a connection"));
    wait_until(&relay, "without memory none is accepted", |now| count(now, Reason::Memory) > stats.rejected);
    assert_eq!(relay.stats().connections, stats.connections + 1);
    HAS_MEMORY.store(true, Ordering::Relaxed);
    wait_until(&relay, "and it comes when there is some", |now| now.connections == stats.connections + 2);

    // The records of all links come to be in one turn.
    REFUSED.store(LITTLE, Ordering::Relaxed);
    let told = end(&relay);
    REFUSED.store(usize::MAX, Ordering::Relaxed);
    assert_eq!(told, (stats.connections + 2, stats.connections + 2));
}

#[test]
fn each_request_of_a_list_may_fail() {
    let _turn = TURN.lock();
    SPARED.set(true);
    let mut failed = 0;
    loop {
        let (relay, mut clients) = start();
        SUCCEED.store(failed, Ordering::Relaxed);
        ALL.store(false, Ordering::Relaxed);
        REFUSED.store(LITTLE, Ordering::Relaxed);
        for _ in 1..CLIENTS {
            clients.push(TcpStream::connect(relay.address()).expect("a connection"));
        }
        let stats = wait_until(&relay, "all are accepted or refused", |stats| {
            stats.connections + stats.rejected == CLIENTS as u64
        });
        REFUSED.store(usize::MAX, Ordering::Relaxed);
        assert_eq!(end(&relay), (stats.connections, stats.connections));
        if stats.rejected == 0 {
            break;
        }
        assert_eq!(stats.rejected, 1, "request {failed}: {stats:?}");
        failed += 1;
    }
    // Places, numbers, the two lines of the queue, two lists of free places, and handshakes.
    assert!(failed >= 7, "{failed} requests");
}

#[test]
fn a_relay_without_memory_for_its_threads_does_not_start() {
    /// The read buffer and the pool of a thread are larger, and all else is smaller.
    const LARGE: usize = 1 << 15;
    let _turn = TURN.lock();
    SPARED.set(true);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free");
    for succeed in 0..4 {
        let options = relay_options("127.0.0.1:9".parse().expect("an address"), 2);
        SUCCEED.store(succeed, Ordering::Relaxed);
        ALL.store(false, Ordering::Relaxed);
        SPARED.set(false);
        REFUSED.store(LARGE, Ordering::Relaxed);
        let started = Relay::start(options, &[port]);
        REFUSED.store(usize::MAX, Ordering::Relaxed);
        SPARED.set(true);
        assert_eq!(started.err().map(|error| error.kind()), Some(ErrorKind::OutOfMemory), "request {succeed}");
        assert!(TcpStream::connect(port).is_err(), "nothing listens");
    }
}
