//! Operations that wait on the poller's thread.
#![cfg(unix)]

mod io_support;

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::task::{Wake, Waker};
use std::time::Duration;

use framepool::SystemError;
use framepool::ring::io::{Access, Descriptor, Operation, Poller, Port};
use framepool::ring::{self, Half};
use io_support::{contents, drain, file, fill, pattern, pipe, set_nonblocking, terminal};
use rustix::io::Errno;

type Ended<P> = Receiver<(P, Result<Option<usize>, SystemError>)>;

fn start<P: Port + 'static>(port: P, fd: impl AsFd) -> (Operation, Ended<P>) {
    let (sender, ended) = channel();
    let descriptor = Descriptor::duplicate(fd.as_fd(), P::ACCESS).unwrap();
    let done = move |port, outcome| _ = sender.send((port, outcome));
    (Poller::shared().unwrap().transfer(port, descriptor, done), ended)
}

/// Returns true if the operation is not over, though it had time for that.
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
        let (_operation, ended) = start(producer, &reader);
        assert!(is_pending(&ended));
        writer.write_all(b"hello").unwrap();
        let (producer, outcome) = ended.recv().unwrap();
        assert_eq!((outcome, drain(&mut consumer)), (Ok(Some(5)), b"hello".to_vec()));
        let (_operation, ended) = start(producer, &reader);
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
    let (_operation, ended) = loop {
        let (operation, ended) = start(consumer, &writer);
        let Ok((back, outcome)) = ended.recv_timeout(Duration::from_millis(20)) else { break (operation, ended) };
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
    let (_operation, ended) = start(producer, &slave);
    assert!(is_pending(&ended));
    rustix::io::write(&master, b"hello").unwrap();
    let (producer, outcome) = ended.recv().unwrap();
    assert_eq!((outcome, drain(&mut consumer)), (Ok(Some(5)), b"hello".to_vec()));
    let (_operation, ended) = start(producer, &master);
    assert!(is_pending(&ended));
    rustix::io::write(&slave, b"world").unwrap();
    assert_eq!(ended.recv().unwrap().1, Ok(Some(5)));
    assert_eq!(drain(&mut consumer), b"world");
}

#[test]
fn files_are_always_ready() {
    let (producer, mut consumer) = ring::new(64, 16).unwrap();
    let (_operation, ended) = start(producer, file(b"abc"));
    let (producer, outcome) = ended.recv().unwrap();
    assert_eq!((outcome, consumer.available()), (Ok(Some(3)), 3));
    let to = file(b"");
    let (_operation, ended) = start(consumer, &to);
    let (back, outcome) = ended.recv().unwrap();
    consumer = back;
    assert_eq!((outcome, contents(&to)), (Ok(Some(3)), b"abc".to_vec()));
    drop(producer);
    let (_operation, ended) = start(consumer, &to);
    assert_eq!(ended.recv().unwrap().1, Ok(Some(0)), "the ring has ended");
}

#[test]
fn waits_for_the_other_half_first() {
    let (mut producer, mut consumer) = ring::new(8, 8).unwrap();
    let from = file(b"abc");
    fill(&mut producer);
    let (_operation, ended) = start(producer, &from);
    assert!(is_pending(&ended));
    consumer.advance(2).unwrap();
    let (mut producer, outcome) = ended.recv().unwrap();
    assert_eq!(outcome, Ok(Some(2)));

    consumer.advance(8).unwrap();
    let to = file(b"");
    let (_operation, ended) = start(consumer, &to);
    assert!(is_pending(&ended));
    producer.write(b"xyz");
    let (consumer, outcome) = ended.recv().unwrap();
    assert_eq!((outcome, contents(&to)), (Ok(Some(3)), b"xyz".to_vec()));

    let (_operation, ended) = start(consumer, &to);
    drop(producer);
    assert_eq!(ended.recv().unwrap().1, Ok(Some(0)));
}

#[test]
fn descriptors_may_be_closed_meanwhile() {
    let (producer, mut consumer) = ring::new(64, 16).unwrap();
    let (reader, mut writer) = pipe();
    let (_operation, ended) = start(producer, &reader);
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
    let (operation, ended) = start(producer, &reader);
    assert!(is_pending(&ended));
    drop(reader);
    drop(operation);
    let (mut producer, outcome) = ended.recv().unwrap();
    assert_eq!(outcome, Ok(None));
    assert_eq!(writer.write(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe, "nothing is left open");

    // An operation that waits for the ring is canceled as well.
    fill(&mut producer);
    let (operation, ended) = start(producer, file(b"abc"));
    assert!(is_pending(&ended));
    drop(operation);
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
        let (operation, ended) = start(producer, &reader);
        let other = std::thread::spawn(move || {
            writer.write_all(&round.to_ne_bytes()).unwrap();
            writer
        });
        drop(operation);
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
    let (operation, ended) = start(producer, reader);
    drop(ended);
    drop(operation);
    let (_operation, ended) = start(consumer, &writer);
    assert_eq!(ended.recv().unwrap().1, Ok(Some(0)));
}

#[test]
fn failures_give_the_half_back() {
    let (producer, mut consumer) = ring::new(8, 8).unwrap();
    let (_operation, ended) = start(producer, std::fs::File::open("/").unwrap());
    let (mut producer, outcome) = ended.recv().unwrap();
    assert_eq!(outcome.unwrap_err().errno, Errno::ISDIR.raw_os_error());
    assert_eq!((producer.write(b"abc"), drain(&mut consumer)), (3, b"abc".to_vec()));
}

#[test]
fn sockets_are_refused() {
    let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    for access in [Access::Read, Access::Write] {
        let error = Descriptor::duplicate(socket.as_fd(), access).unwrap_err();
        assert_eq!(error.errno, Errno::NOTSUP.raw_os_error());
    }
}

#[test]
fn many_wait_at_once() {
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let ((producer, consumer), (reader, writer)) = (ring::new(8, 8).unwrap(), pipe());
            (start(producer, reader), consumer, writer)
        })
        .collect();
    let ended: Vec<_> = waiting
        .into_iter()
        .rev()
        .enumerate()
        .map(|(index, ((operation, ended), consumer, mut writer))| {
            writer.write_all(&pattern(index % 8 + 1)).unwrap();
            (operation, ended, consumer, index % 8 + 1)
        })
        .collect();
    for (_operation, ended, mut consumer, length) in ended {
        assert_eq!(ended.recv().unwrap().1, Ok(Some(length)));
        assert_eq!(drain(&mut consumer), pattern(length));
    }
}

struct Rung(std::sync::mpsc::Sender<()>);

impl Wake for Rung {
    fn wake(self: Arc<Self>) {
        self.0.send(()).unwrap();
    }
}

#[test]
fn readiness_wakes() {
    let (reader, mut writer) = pipe();
    let descriptor = Arc::new(Descriptor::duplicate(reader.as_fd(), Access::Read).unwrap());
    let poller = Poller::shared().unwrap();
    let (sender, woken) = channel();
    let waker = Waker::from(Arc::new(Rung(sender)));
    let operation = poller.when_ready(Arc::clone(&descriptor), waker.clone());
    assert!(woken.recv_timeout(Duration::from_millis(20)).is_err());
    writer.write_all(b"abc").unwrap();
    woken.recv().unwrap();
    let (mut producer, _consumer) = ring::new(8, 8).unwrap();
    assert_eq!(producer.transfer(&descriptor, usize::MAX), Ok(Some(3)));
    drop(operation);

    let operation = poller.when_ready(Arc::clone(&descriptor), waker);
    drop((operation, descriptor, reader));
    assert!(woken.recv().is_err(), "nobody will wake any more");
    assert_eq!(writer.write(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe, "nothing is left open");
}

#[test]
fn hang_ups_end_reads() {
    let (master, slave) = terminal();
    let (producer, _consumer) = ring::new(8, 8).unwrap();
    let (_operation, ended) = start(producer, OwnedFd::try_clone(&slave).unwrap());
    assert!(is_pending(&ended));
    drop(master);
    assert!(matches!(ended.recv().unwrap().1, Ok(Some(0)) | Err(_)));
}
