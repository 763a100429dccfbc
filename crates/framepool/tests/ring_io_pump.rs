//! Pumps: everything arrives, and they end when they must.
#![cfg(unix)]

mod io_support;

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use framepool::ring;
use framepool::ring::io::{Pump, Pumped};
use io_support::{contents, file, pattern, pipe, set_nonblocking};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use rustix::io::Errno;

const MIB: usize = 1 << 20;

fn start(from: impl AsFd, to: impl AsFd, size: usize) -> (Pump, Receiver<Pumped>) {
    let (sender, ended) = channel();
    let ring = ring::new(size, 16).unwrap();
    let pump = Pump::start(from.as_fd(), to.as_fd(), ring, move |pumped| _ = sender.send(pumped)).unwrap();
    (pump, ended)
}

fn errno(pumped: &Pumped) -> Option<Errno> {
    pumped.error.as_ref().map(|error| Errno::from_raw_os_error(error.errno))
}

#[test]
fn files_are_copied_whole() {
    let bytes = pattern(3 * MIB + 17);
    for size in [1, 2, 4096, MIB, 8 * MIB] {
        let bytes = if size < 16 { &bytes[..1000] } else { &bytes };
        let (from, to) = (file(bytes), file(b""));
        let (pump, ended) = start(&from, &to, size);
        let pumped = ended.recv().unwrap();
        assert_eq!((pumped.bytes, pumped.error), (bytes.len() as u64, None));
        assert_eq!(pump.moved(), bytes.len() as u64);
        assert!(contents(&to) == bytes);
    }
    let (_pump, ended) = start(file(b""), file(b""), 4096);
    assert_eq!(ended.recv().unwrap().bytes, 0);
}

#[test]
fn pipes_with_random_sizes() {
    let seed = std::env::var("FRAMEPOOL_SEED")
        .map_or_else(|_| rand::thread_rng().next_u64(), |text| text.parse().expect("FRAMEPOOL_SEED is a decimal u64"));
    println!("FRAMEPOOL_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..20 {
        let (from, mut source) = pipe();
        let (mut sink, to) = pipe();
        for fd in [from.as_fd(), to.as_fd()] {
            if rng.r#gen() {
                set_nonblocking(fd);
            }
        }
        let (_pump, ended) = start(from, to, 1 << rng.gen_range(6..18));
        let mut bytes = vec![0; rng.gen_range(0..300_000)];
        rng.fill_bytes(&mut bytes);
        let (sent, mut pieces) = (bytes.clone(), StdRng::seed_from_u64(rng.r#gen()));
        let writer = thread::spawn(move || {
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(pieces.gen_range(1..=rest.len().min(70_000)));
                source.write_all(piece).unwrap();
                rest = after;
            }
        });
        let mut read = Vec::new();
        sink.read_to_end(&mut read).unwrap();
        writer.join().unwrap();
        let pumped = ended.recv().unwrap();
        assert_eq!((pumped.bytes, pumped.error), (bytes.len() as u64, None));
        assert!(read == bytes);
    }
}

#[test]
fn stopping_writes_what_was_read() {
    let bytes = pattern(16 * MIB);
    let (from, (mut sink, to)) = (file(&bytes), pipe());
    let (pump, ended) = start(from, to, MIB);
    let mut read = vec![0; 1000];
    sink.read_exact(&mut read).unwrap();
    pump.stop();
    sink.read_to_end(&mut read).unwrap();
    let pumped = ended.recv().unwrap();
    assert_eq!((pumped.bytes, pumped.error), (read.len() as u64, None));
    assert!(read.len() < bytes.len() && read == bytes[..read.len()]);

    // A pump that waits for something to read ends as well.
    let (from, _source) = pipe();
    let (pump, ended) = start(from, file(b""), MIB);
    assert!(ended.recv_timeout(Duration::from_millis(20)).is_err());
    pump.stop();
    assert_eq!(ended.recv().unwrap().bytes, 0);
}

#[test]
fn a_dropped_pump_ends_though_nobody_reads() {
    let (from, (sink, to)) = (file(&pattern(MIB)), pipe());
    let (pump, ended) = start(from, to, MIB);
    assert!(ended.recv_timeout(Duration::from_millis(20)).is_err());
    pump.stop();
    assert!(ended.recv_timeout(Duration::from_millis(20)).is_err(), "a stopped pump still writes");
    drop(pump);
    let pumped = ended.recv().unwrap();
    assert!(pumped.bytes < MIB as u64 && pumped.error.is_none());
    drop(sink);
}

#[test]
fn read_errors_come_when_all_is_written() {
    let to = file(b"");
    let (_pump, ended) = start(std::fs::File::open("/").unwrap(), &to, 4096);
    let pumped = ended.recv().unwrap();
    assert_eq!((pumped.bytes, errno(&pumped)), (0, Some(Errno::ISDIR)));

    // A terminal without a master gives what was typed, and then an error.
    let (master, slave) = io_support::terminal();
    let (_pump, ended) = start(&master, &to, 4096);
    rustix::io::write(&slave, b"typed").unwrap();
    while contents(&to) != b"typed" {
        thread::yield_now();
    }
    drop(slave);
    let pumped = ended.recv().unwrap();
    assert_eq!((pumped.bytes, errno(&pumped)), (5, Some(Errno::IO)));
}

#[test]
fn write_errors_end_the_reading() {
    let (from, mut source) = pipe();
    let (sink, to) = pipe();
    let (_pump, ended) = start(from, to, 4096);
    drop(sink);
    source.write_all(b"abc").unwrap();
    // No more bytes come: the reader waits, and must be told.
    let pumped = ended.recv().unwrap();
    assert_eq!((pumped.bytes, errno(&pumped)), (0, Some(Errno::PIPE)));
    assert_eq!(source.write(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe, "nothing is left open");
}

#[test]
fn refused_descriptors() {
    let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let file = file(b"");
    for (from, to) in [(socket.as_fd(), file.as_fd()), (file.as_fd(), socket.as_fd())] {
        let error = Pump::start(from, to, ring::new(64, 16).unwrap(), |_| {}).unwrap_err();
        assert_eq!(error.errno, Errno::NOTSUP.raw_os_error());
    }
}
