//! Transfers between a ring and a descriptor by one call, which never blocks.
#![cfg(unix)]

mod io_support;

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use framepool::SystemError;
use framepool::ring::io::{Descriptor, Port};
use framepool::ring::{self, Half};
use io_support::{contents, drain, file, fill, is_nonblocking, pipe, set_nonblocking, terminal};
use rustix::io::Errno;

/// Moves as many bytes as possible with one call.
fn transfer<P: Port>(port: &mut P, fd: impl AsFd) -> Result<Option<usize>, SystemError> {
    port.transfer(&Descriptor::borrow(fd.as_fd(), P::ACCESS)?, usize::MAX)
}

fn refusal<P: Port>(port: &mut P, fd: impl AsFd) -> (&'static str, Errno) {
    let error = transfer(port, fd).unwrap_err();
    assert!(!error.message.is_empty());
    (error.syscall, Errno::from_raw_os_error(error.errno))
}

#[test]
fn files_are_read_to_their_end_and_written() {
    let (mut producer, mut consumer) = ring::new(16, 16).unwrap();
    let from = file(b"abcdefghijklmnopqrstuvwxyz");
    let to = file(b"");
    assert_eq!(transfer(&mut producer, &from), Ok(Some(16)));
    assert_eq!(transfer(&mut producer, &from), Ok(None), "the ring is full");
    assert_eq!(drain(&mut consumer)[..10], *b"abcdefghij");
    producer.write(b"0123456789");
    consumer.advance(5).unwrap();
    assert_eq!(transfer(&mut producer, &from), Ok(Some(10)), "across the ring's end");
    assert_eq!(transfer(&mut producer, &from), Ok(Some(0)), "the file's end");
    assert_eq!(transfer(&mut consumer, &to), Ok(Some(15)));
    assert_eq!(transfer(&mut consumer, &to), Ok(None), "the ring is empty");
    assert_eq!(contents(&to), b"56789qrstuvwxyz");
}

#[test]
fn no_more_is_moved_than_is_asked_for() {
    let (mut producer, mut consumer) = ring::new(8, 8).unwrap();
    producer.advance(6).unwrap();
    consumer.advance(6).unwrap();
    let (from, to) = (file(b"abcdefgh"), file(b""));
    let (from, to) = (Descriptor::borrow(from.as_fd(), ring::Producer::ACCESS), (to.as_fd(), &to));
    assert_eq!(producer.transfer(&from.unwrap(), 5), Ok(Some(5)));
    let descriptor = Descriptor::borrow(to.0, ring::Consumer::ACCESS).unwrap();
    assert_eq!(consumer.transfer(&descriptor, 1), Ok(Some(1)));
    assert_eq!(consumer.transfer(&descriptor, 3), Ok(Some(3)));
    assert_eq!(contents(to.1), b"abcd");
}

#[test]
fn a_ring_that_will_stay_full_or_empty_is_at_its_end() {
    let (mut producer, consumer) = ring::new(8, 8).unwrap();
    fill(&mut producer);
    drop(consumer);
    assert_eq!(transfer(&mut producer, file(b"abc")), Ok(Some(0)));

    let (mut producer, mut consumer) = ring::new(8, 8).unwrap();
    producer.write(b"ab");
    drop(producer);
    assert_eq!(transfer(&mut consumer, file(b"")), Ok(Some(2)), "what was written before the end comes first");
    assert_eq!(transfer(&mut consumer, file(b"")), Ok(Some(0)));
}

#[test]
fn blocking_pipes_do_not_block() {
    let (mut producer, mut consumer) = ring::new(1 << 20, 16).unwrap();
    let (reader, mut writer) = pipe();
    assert_eq!(transfer(&mut producer, &reader), Ok(None));
    writer.write_all(b"hello").unwrap();
    assert_eq!(transfer(&mut producer, &reader), Ok(Some(5)));
    assert_eq!(drain(&mut consumer), b"hello");

    let bytes = fill(&mut producer);
    let mut written = 0;
    while let Some(count) = transfer(&mut consumer, &writer).unwrap() {
        assert_ne!(count, 0);
        written += count;
    }
    assert!(written > 0 && written < bytes.len(), "{written} bytes fill the pipe");
    consumer.advance(bytes.len() - written).unwrap();
    assert_eq!(transfer(&mut producer, &reader), Ok(Some(written)));
    assert_eq!(drain(&mut consumer), bytes[..written]);

    assert!(!is_nonblocking(&reader) && !is_nonblocking(&writer), "others may rely on that");
    drop(writer);
    assert_eq!(transfer(&mut producer, &reader), Ok(Some(0)));
}

#[test]
fn nonblocking_pipes() {
    let (mut producer, mut consumer) = ring::new(1 << 20, 16).unwrap();
    let (reader, mut writer) = pipe();
    set_nonblocking(&reader);
    set_nonblocking(&writer);
    assert_eq!(transfer(&mut producer, &reader), Ok(None));
    writer.write_all(b"hello").unwrap();
    assert_eq!(transfer(&mut producer, &reader), Ok(Some(5)));
    let rest = fill(&mut producer).len();
    while transfer(&mut consumer, &writer).unwrap().is_some() {}
    assert!(consumer.available() > 0 && consumer.available() < rest);
    drop(writer);
    drain(&mut consumer);
    assert_ne!(transfer(&mut producer, &reader), Ok(Some(0)));
    assert_eq!(transfer(&mut producer, &reader), Ok(Some(0)));
}

#[test]
fn blocking_terminals_do_not_block() {
    let (mut producer, mut consumer) = ring::new(1 << 20, 16).unwrap();
    let (master, slave) = terminal();
    for (from, to) in [(&master, &slave), (&slave, &master)] {
        assert_eq!(transfer(&mut producer, from), Ok(None));
        producer.write(b"hello");
        assert_eq!(transfer(&mut consumer, to), Ok(Some(5)));
        while transfer(&mut producer, from) == Ok(None) {
            // A terminal passes bytes on with a delay.
            std::thread::yield_now();
        }
        assert_eq!(drain(&mut consumer), b"hello");
    }
    fill(&mut producer);
    // Only through the slave: poll(2) does not tell how much a master takes without blocking.
    while transfer(&mut consumer, &slave).unwrap().is_some() {}
    assert_ne!(consumer.available(), 0);
    assert!(!is_nonblocking(&master) && !is_nonblocking(&slave));
}

#[test]
fn other_devices() {
    let (mut producer, mut consumer) = ring::new(1 << 16, 16).unwrap();
    assert_eq!(transfer(&mut producer, File::open("/dev/zero").unwrap()), Ok(Some(1 << 16)));
    let mut left = 1 << 16;
    let null = File::options().write(true).open("/dev/null").unwrap();
    while let Some(count) = transfer(&mut consumer, &null).unwrap() {
        left -= count;
    }
    assert_eq!(left, 0);
    assert_eq!(transfer(&mut producer, File::open("/dev/null").unwrap()), Ok(Some(0)));
}

#[test]
fn refusals_move_nothing() {
    let (mut producer, mut consumer) = ring::new(16, 16).unwrap();
    producer.write(b"abc");
    let (reader, writer) = pipe();
    assert_eq!(refusal(&mut producer, &writer), ("readv", Errno::BADF));
    assert_eq!(refusal(&mut consumer, &reader), ("writev", Errno::BADF));
    assert_eq!(refusal(&mut producer, File::open("/").unwrap()), ("readv", Errno::ISDIR));
    drop(reader);
    assert_eq!(refusal(&mut consumer, &writer), ("writev", Errno::PIPE));
    let (socket, _other) = UnixStream::pair().unwrap();
    assert_eq!(refusal(&mut producer, &socket), ("fstat", Errno::NOTSUP));
    assert_eq!(refusal(&mut consumer, &socket), ("fstat", Errno::NOTSUP));
    assert_eq!((producer.available(), drain(&mut consumer)), (13, b"abc".to_vec()));
}
