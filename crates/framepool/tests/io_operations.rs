//! Operations that wait on the poller's thread.
#![cfg(unix)]

mod io_support;

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use framepool::SystemError;
use framepool::io::{self, Cancel, Descriptor, Direction, Port};
use framepool::ring::{self, Consumer, Half};
use io_support::{contents, drain, file, fill, pattern, pipe, set_nonblocking, terminal};
use rustix::io::Errno;

type Ended<P> = Receiver<(P, Result<Option<usize>, SystemError>)>;

fn start<P: Port + 'static>(port: P, fd: impl AsFd) -> (Cancel, Ended<P>) {
    let (sender, ended) = channel();
    let started = io::start(port, fd.as_fd(), move |port, outcome| _ = sender.send((port, outcome)));
    let Ok(cancel) = started else { panic!("not started") };
    (cancel, ended)
}

/// Whether it is still not over, though there was time for it.
fn is_pending<P>(ended: &Ended<P>) -> bool {
    ended.recv_timeout(Duration::from_millis(20)).is_err()
}

#[test]
fn reads_when_bytes_come() {
    for nonblocking in [false, true] {
        let (producer, mut consumer) = ring::new(64, 16).unwrap();
        let (reader, mut writer) = pipe();
        if nonblocking {
            set_nonblocking(&reader);
        }
        let (_, ended) = start(producer, &reader);
        assert!(is_pending(&ended));
        writer.write_all(b"hello").unwrap();
        let (producer, outcome) = ended.recv().unwrap();
        assert_eq!((outcome, drain(&mut consumer)), (Ok(Some(5)), b"hello".to_vec()));
        let (_, ended) = start(producer, &reader);
        drop(writer);
        assert_eq!(ended.recv().unwrap().1, Ok(Some(0)), "the end");
    }
}

#[test]
fn writes_when_there_is_room() {
    let (mut producer, mut consumer) = ring::new(1 << 20, 16).unwrap();
    let (mut reader, writer) = pipe();
    let bytes = fill(&mut producer);
    let mut written = 0;
    let ended = loop {
        let (_, ended) = start(consumer, &writer);
        let Ok((back, outcome)) = ended.recv_timeout(Duration::from_millis(20)) else { break ended };
        written += outcome.unwrap().unwrap();
        consumer = back;
    };
    let mut read = vec![0; written];
    reader.read_exact(&mut read).unwrap();
    let more = ended.recv().unwrap().1.unwrap().unwrap();
    assert!(more > 0);
    read.resize(written + more, 0);
    reader.read_exact(&mut read[written..]).unwrap();
    assert_eq!(read, bytes[..written + more]);
}

#[test]
fn terminals_wait_too() {
    let (producer, mut consumer) = ring::new(64, 16).unwrap();
    let (master, slave) = terminal();
    let (_, ended) = start(producer, &slave);
    assert!(is_pending(&ended));
    rustix::io::write(&master, b"hello").unwrap();
    let (producer, outcome) = ended.recv().unwrap();
    assert_eq!((outcome, drain(&mut consumer)), (Ok(Some(5)), b"hello".to_vec()));
    let (_, ended) = start(producer, &master);
    assert!(is_pending(&ended));
    rustix::io::write(&slave, b"world").unwrap();
    assert_eq!(ended.recv().unwrap().1, Ok(Some(5)));
    assert_eq!(drain(&mut consumer), b"world");
}

#[test]
fn files_are_always_ready() {
    let (producer, mut consumer) = ring::new(64, 16).unwrap();
    let (_, ended) = start(producer, file(b"abc"));
    let (producer, outcome) = ended.recv().unwrap();
    assert_eq!((outcome, consumer.available()), (Ok(Some(3)), 3));
    let to = file(b"");
    let (_, ended) = start(consumer, &to);
    let (back, outcome) = ended.recv().unwrap();
    consumer = back;
    assert_eq!((outcome, contents(&to)), (Ok(Some(3)), b"abc".to_vec()));
    drop(producer);
    assert_eq!(start(consumer, &to).1.recv().unwrap().1, Ok(Some(0)), "the ring has ended");
}

#[test]
fn waits_for_the_other_half_first() {
    let (mut producer, mut consumer) = ring::new(8, 8).unwrap();
    let from = file(b"abc");
    fill(&mut producer);
    let (_, ended) = start(producer, &from);
    assert!(is_pending(&ended));
    consumer.advance(2).unwrap();
    let (mut producer, outcome) = ended.recv().unwrap();
    assert_eq!(outcome, Ok(Some(2)));

    consumer.advance(8).unwrap();
    let to = file(b"");
    let (_, ended) = start(consumer, &to);
    assert!(is_pending(&ended));
    producer.write(b"xyz");
    let (consumer, outcome) = ended.recv().unwrap();
    assert_eq!((outcome, contents(&to)), (Ok(Some(3)), b"xyz".to_vec()));

    let (_, ended) = start(consumer, &to);
    drop(producer);
    assert_eq!(ended.recv().unwrap().1, Ok(Some(0)));
}

#[test]
fn descriptors_may_be_closed_meanwhile() {
    let (producer, mut consumer) = ring::new(64, 16).unwrap();
    let (reader, mut writer) = pipe();
    let (_, ended) = start(producer, &reader);
    drop(reader);
    assert!(is_pending(&ended));
    writer.write_all(b"late").unwrap();
    assert_eq!(ended.recv().unwrap().1, Ok(Some(4)));
    assert_eq!(drain(&mut consumer), b"late");
    assert_eq!(writer.write(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe, "nothing is left open");
}

#[test]
fn cancelled_operations_give_their_half_back() {
    let (producer, mut consumer) = ring::new(8, 8).unwrap();
    let (reader, mut writer) = pipe();
    let (cancel, ended) = start(producer, &reader);
    assert!(is_pending(&ended));
    drop(reader);
    cancel.cancel();
    let (mut producer, outcome) = ended.recv().unwrap();
    assert_eq!(outcome, Ok(None));
    assert_eq!(writer.write(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe, "nothing is left open");
    cancel.cancel();

    // While it waits for the ring, too.
    fill(&mut producer);
    let (cancel, ended) = start(producer, file(b"abc"));
    assert!(is_pending(&ended));
    cancel.cancel();
    let (mut producer, outcome) = ended.recv().unwrap();
    assert_eq!(outcome, Ok(None));
    consumer.advance(8).unwrap();
    assert_eq!((producer.write(b"abc"), drain(&mut consumer)), (3, b"abc".to_vec()));
}

#[test]
fn nothing_is_lost_when_cancelling_races() {
    let (mut reader, mut writer) = pipe();
    set_nonblocking(&reader);
    let (mut producer, mut consumer) = ring::new(64, 16).unwrap();
    for round in 0..500_u32 {
        let (cancel, ended) = start(producer, &reader);
        let other = std::thread::spawn(move || {
            writer.write_all(&round.to_ne_bytes()).unwrap();
            writer
        });
        cancel.cancel();
        writer = other.join().unwrap();
        let (back, outcome) = ended.recv().unwrap();
        producer = back;
        let mut bytes = drain(&mut consumer);
        assert_eq!(outcome, Ok(if bytes.is_empty() { None } else { Some(4) }));
        if bytes.is_empty() {
            bytes.resize(4, 0);
            reader.read_exact(&mut bytes).unwrap();
        }
        assert_eq!(bytes, round.to_ne_bytes());
    }
}

#[test]
fn a_half_that_nobody_takes_back_ends() {
    let (producer, consumer) = ring::new(8, 8).unwrap();
    let (reader, writer) = pipe();
    let Ok(cancel) = io::start(producer, reader.as_fd(), |_, _| {}) else { panic!("not started") };
    cancel.cancel();
    let (_, ended) = start(consumer, &writer);
    assert_eq!(ended.recv().unwrap().1, Ok(Some(0)));
}

#[test]
fn refusals_give_the_half_back() {
    let (mut producer, consumer) = ring::new(8, 8).unwrap();
    let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let Err((mut consumer, error)) = io::start(consumer, socket.as_fd(), |_: Consumer, _| {}) else {
        panic!("started")
    };
    assert_eq!(error.errno, Errno::NOTSUP.raw_os_error());
    producer.write(b"abc");
    assert_eq!(drain(&mut consumer), b"abc");
    let (_, ended) = start(producer, std::fs::File::open("/").unwrap());
    let (mut producer, outcome) = ended.recv().unwrap();
    assert_eq!(outcome.unwrap_err().errno, Errno::ISDIR.raw_os_error());
    assert_eq!((producer.write(b"abc"), drain(&mut consumer)), (3, b"abc".to_vec()));
}

#[test]
fn many_wait_at_once() {
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let ((producer, consumer), (reader, writer)) = (ring::new(8, 8).unwrap(), pipe());
            (start(producer, reader).1, consumer, writer)
        })
        .collect();
    let ended: Vec<_> = waiting
        .into_iter()
        .rev()
        .enumerate()
        .map(|(index, (ended, consumer, mut writer))| {
            writer.write_all(&pattern(index % 8 + 1)).unwrap();
            (ended, consumer, index % 8 + 1)
        })
        .collect();
    for (ended, mut consumer, length) in ended {
        assert_eq!(ended.recv().unwrap().1, Ok(Some(length)));
        assert_eq!(drain(&mut consumer), pattern(length));
    }
}

#[test]
fn readiness_gives_the_descriptor_back() {
    let (reader, mut writer) = pipe();
    let duplicate = || Descriptor::duplicate(reader.as_fd(), Direction::In).unwrap();
    let (sender, ready) = channel();
    let pass = sender.clone();
    io::when_ready(duplicate(), move |descriptor| pass.send(descriptor).unwrap()).ok().unwrap();
    assert!(ready.recv_timeout(Duration::from_millis(20)).is_err());
    writer.write_all(b"abc").unwrap();
    let (mut producer, _consumer) = ring::new(8, 8).unwrap();
    assert_eq!(producer.transfer(&ready.recv().unwrap(), usize::MAX), Ok(Some(3)));

    let cancel = io::when_ready(duplicate(), move |descriptor| sender.send(descriptor).unwrap()).ok().unwrap();
    cancel.cancel();
    assert_eq!(producer.transfer(&ready.recv().unwrap(), usize::MAX), Ok(None));
}

#[test]
fn hang_ups_end_reads() {
    let (master, slave) = terminal();
    let (producer, _consumer) = ring::new(8, 8).unwrap();
    let (_, ended) = start(producer, OwnedFd::try_clone(&slave).unwrap());
    assert!(is_pending(&ended));
    drop(master);
    assert!(matches!(ended.recv().unwrap().1, Ok(Some(0)) | Err(_)));
}
