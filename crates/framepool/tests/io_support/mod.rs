//! Files, pipes and terminals for the tests of I/O.

#![allow(dead_code, reason = "every test file uses some of it")]

use std::fs::{File, OpenOptions};
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use framepool::ring::{Consumer, Half, Producer};
use rustix::fs::OFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// Makes a file that is gone after it is closed.
pub(crate) fn file(contents: &[u8]) -> File {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let name = format!("framepool-{}-{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file.write_all(contents).unwrap();
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).unwrap();
    file
}

/// Returns the content of a file from its start.
pub(crate) fn contents(mut file: &File) -> Vec<u8> {
    rustix::fs::seek(file, rustix::fs::SeekFrom::Start(0)).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Makes a pipe that blocks, as every new pipe does.
pub(crate) fn pipe() -> (PipeReader, PipeWriter) {
    std::io::pipe().unwrap()
}

/// Makes the two ends of a terminal that changes no byte.
pub(crate) fn terminal() -> (OwnedFd, OwnedFd) {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let path = rustix::pty::ptsname(&master, Vec::new()).unwrap();
    let slave = rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY, rustix::fs::Mode::empty()).unwrap();
    let mut mode = tcgetattr(&slave).unwrap();
    mode.make_raw();
    tcsetattr(&slave, OptionalActions::Now, &mode).unwrap();
    (master, slave)
}

pub(crate) fn is_nonblocking(fd: impl AsFd) -> bool {
    rustix::fs::fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
}

pub(crate) fn set_nonblocking(fd: impl AsFd) {
    let flags = rustix::fs::fcntl_getfl(&fd).unwrap();
    rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK).unwrap();
}

/// Returns all bytes in the ring.
pub(crate) fn drain(consumer: &mut Consumer) -> Vec<u8> {
    let mut bytes = vec![0; consumer.available()];
    let read = consumer.read(&mut bytes);
    assert_eq!(read, bytes.len());
    bytes
}

/// Fills the free room.
pub(crate) fn fill(producer: &mut Producer) -> Vec<u8> {
    let bytes = pattern(producer.available());
    assert_eq!(producer.write(&bytes), bytes.len());
    bytes
}

pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}
