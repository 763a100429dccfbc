//! A relay over real sockets, between blocking miners and a blocking pool.
#![allow(missing_docs, reason = "tests")]

mod sv2_support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::slice;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use framepool::relay::{Cause, Command, Hooks, Limits, Operation, Record, Relay, RelayOptions};
use framepool::sv2::{FrameHeader, Identity, Session, State, generate_authority_keypair};
use sv2_support::{Owned, drain, frame, options, receive, relay_options, rng};

/// Far longer than any step takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(options: RelayOptions) -> Relay {
    Relay::start(options, &["127.0.0.1:0".parse().expect("an address")]).expect("a port is free")
}

/// Returns the next record.
fn next(relay: &Relay) -> Record {
    loop {
        if let Some(record) = relay.take_record() {
            return record;
        }
        let (to, from) = channel();
        relay.on_records(move || to.send(()).expect("it is awaited"));
        from.recv_timeout(PATIENCE).expect("a record comes");
    }
}

/// Starts a pool that sends every frame back, until the miner has ended its side.
fn echo_pool() -> SocketAddr {
    pool_that_answers(1, true)
}

/// Starts a pool that sends every frame back so many times, until the miner has ended its side. It then `ends` its own, or does nothing.
fn pool_that_answers(times: usize, ends: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.expect("a connection");
            thread::spawn(move || {
                let (public_key, secret_key) = generate_authority_keypair();
                let identity = Identity::new(&public_key, &secret_key, PATIENCE).expect("a pair of keys");
                let mut session = Session::responder(options(), &identity).expect("memory");
                let mut chunk = vec![0; 1 << 16];
                while let Ok(count @ 1..) = socket.read(&mut chunk) {
                    for (header, payload) in receive(&mut session, &chunk[..count]).expect("good frames") {
                        for _ in 0..times {
                            session.send(header, &payload).expect("memory");
                        }
                    }
                    if socket.write_all(&drain(&mut session)).is_err() {
                        return;
                    }
                }
                if ends {
                    let _ = socket.shutdown(Shutdown::Write);
                } else {
                    std::mem::forget(socket);
                }
            });
        }
    });
    address
}

/// A miner's connection.
struct Miner {
    socket: TcpStream,
    session: Session,
}

impl Miner {
    fn connect(to: SocketAddr) -> Self {
        let socket = TcpStream::connect(to).expect("the relay accepts");
        socket.set_read_timeout(Some(PATIENCE)).expect("an option");
        let mut miner = Self { socket, session: Session::initiator(options(), None).expect("memory") };
        miner.flush();
        while miner.session.state() == State::Handshake {
            miner.read();
        }
        miner
    }

    fn flush(&mut self) {
        self.socket.write_all(&drain(&mut self.session)).expect("the relay reads");
    }

    /// Returns the frames that came with one read, or `None` at the end.
    fn read(&mut self) -> Option<Vec<Owned>> {
        let mut chunk = vec![0; 1 << 16];
        let count = self.socket.read(&mut chunk).expect("the relay answers");
        (count > 0).then(|| receive(&mut self.session, &chunk[..count]).expect("good frames"))
    }

    fn send(&mut self, frames: &[Owned]) {
        for (header, payload) in frames {
            self.session.send(*header, payload).expect("memory");
        }
        self.flush();
    }

    fn expect(&mut self, frames: &[Owned]) {
        let mut received = Vec::new();
        while received.len() < frames.len() {
            received.extend(self.read().expect("more frames"));
        }
        sv2_support::assert_same(&received, frames);
    }
}

#[test]
fn frames_go_there_and_back_on_one_thread_and_on_more() {
    for threads in [1, 3] {
        let relay = start(relay_options(echo_pool(), threads));
        let to = relay.address();
        let miners: Vec<_> = (0..8)
            .map(|_| {
                thread::spawn(move || {
                    let mut rng = rng();
                    let mut miner = Miner::connect(to);
                    for length in [0, 1, 100, 5000, 70_000] {
                        let frames: Vec<Owned> = (0..20).map(|_| frame(&mut rng, length)).collect();
                        miner.send(&frames);
                        miner.expect(&frames);
                    }
                    miner.socket.shutdown(Shutdown::Write).expect("a connection");
                    assert!(miner.read().is_none(), "the pool has ended, too");
                })
            })
            .collect();
        for miner in miners {
            miner.join().expect("a miner is content");
        }
        let mut ended = 0;
        while ended < 8 {
            match next(&relay) {
                Record::Disconnected(end) => {
                    assert_eq!((&end.ending.cause, end.frames), (&Cause::Departed(None), [100, 100]));
                    ended += 1;
                }
                Record::Connected { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        let stats = relay.stats();
        assert_eq!((stats.connections, stats.connections_total), (0, 8));
        assert_eq!((stats.frames_upstream, stats.frames_downstream), (800, 800));
        assert_eq!((stats.memory_bytes, stats.reserved, stats.handshake_failures), (0, 0, 0));
        relay.drain();
        assert!(matches!(next(&relay), Record::Closed));
    }
}

#[test]
fn a_hook_decides_about_the_frames_that_it_selects() {
    let hooks = Hooks::Some([(0, 2), (0, 3)].into_iter().collect());
    let relay = start(RelayOptions { hooks, ..relay_options(echo_pool(), 1) });
    let mut miner = Miner::connect(relay.address());
    let header = |message_type| FrameHeader { extension_type: 0, message_type };
    let frames: Vec<Owned> = (1..=5).map(|kind| (header(kind), vec![kind; 10])).collect();
    miner.send(&frames);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let Record::Frames { id, way, slice, table, frames, first, .. } = next(&relay) else { continue };
        let batch = framepool::sv2::Batch { slice, table, frames };
        let mut commands = Vec::new();
        for index in first..frames {
            let frame = batch.frame(index).expect("it is there");
            let kind = frame.header.message_type;
            seen.extend([2, 3].contains(&kind).then_some((way, kind)));
            match kind {
                2 => {}
                3 => commands.push(Operation::Replace { way, frame: index, payload: vec![9; 3] }),
                _ => commands.push(Operation::Forward { way, from: index, to: index + 1 }),
            }
        }
        commands.push(Operation::Done { way, from: 0, to: 0 });
        relay.command(commands.into_iter().map(|operation| Command { link: id, operation }));
    }
    miner.expect(&[
        (header(1), vec![1; 10]),
        (header(3), vec![9; 3]),
        (header(4), vec![4; 10]),
        (header(5), vec![5; 10]),
    ]);
    relay.destroy();
}

/// Lets a miner read megabytes at some 300,000 bytes a second. The buffer of a socket holds that much, and the system reports room in it
/// when a third is free. Expects that the link lasts for four times `limit`.
fn read_slowly(limits: Limits, limit: Duration) {
    let relay = start(RelayOptions { limits, ..relay_options(pool_that_answers(400, true), 1) });
    let mut miner = Miner::connect(relay.address());
    let sent = frame(&mut rng(), 60_000);
    miner.send(slice::from_ref(&sent));
    let (begin, mut received) = (Instant::now(), 0);
    while begin.elapsed() < 4 * limit {
        let mut piece = vec![0; 1 << 15];
        miner.socket.read_exact(&mut piece).expect("the relay goes on");
        for frame in receive(&mut miner.session, &piece).expect("good frames") {
            sv2_support::assert_same(&[frame], slice::from_ref(&sent));
            received += 1;
        }
        thread::sleep(Duration::from_millis(100));
    }
    while let Some(record) = relay.take_record() {
        assert!(matches!(record, Record::Connected { .. }), "{record:?}");
    }
    assert!(relay.links().expect("memory")[0].frames()[1] > received, "bytes wait all the time");
}

#[test]
fn a_reader_that_is_faster_than_the_least_rate_stays() {
    let limit = Duration::from_secs(2);
    read_slowly(Limits { grace: limit, ..Limits::default() }, limit);
}

#[test]
fn a_link_on_which_a_reader_reads_is_not_idle() {
    let limit = Duration::from_secs(2);
    read_slowly(Limits { min_rate: 0, idle_timeout: Some(limit), ..Limits::default() }, limit);
}

#[test]
fn a_miner_that_ends_its_side_in_a_frame_holds_no_memory_for_it() {
    let relay = start(relay_options(pool_that_answers(1, false), 1));
    let mut miner = Miner::connect(relay.address());
    let frames = [frame(&mut rng(), 100)];
    miner.send(&frames);
    miner.expect(&frames);
    let (header, payload) = frame(&mut rng(), 300_000);
    miner.session.send(header, &payload).expect("memory");
    let wire = drain(&mut miner.session);
    miner.socket.write_all(&wire[..100_000]).expect("the relay reads");
    miner.socket.shutdown(Shutdown::Write).expect("a connection");
    let end = loop {
        if let Record::Disconnected(end) = next(&relay) {
            break end;
        }
    };
    assert_eq!((&end.ending.cause, end.ending.facts.partial), (&Cause::Departed(None), 100_000));
    assert_eq!(relay.stats().reserved, 0);
}

#[test]
fn dropping_a_relay_ends_its_links() {
    let relay = start(relay_options(echo_pool(), 2));
    let mut miner = Miner::connect(relay.address());
    let frames = [frame(&mut rng(), 100)];
    miner.send(&frames);
    miner.expect(&frames);
    drop(relay);
    assert!(!matches!(miner.socket.read(&mut [0; 1]), Ok(1..)), "nothing comes any more");
}
