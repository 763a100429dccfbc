//! Moves everything from one descriptor to another, on two threads with a ring between them.
//!
//! All bytes that were read are written, in order, unless the pump is dropped or a write fails.

use std::os::fd::BorrowedFd;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::thread;

use rustix::event::{PollFd, PollFlags};

use super::bell::Bell;
use super::descriptor::{Access, Descriptor};
use super::port::Port;
use crate::ring::{Consumer, Half, Producer};
use crate::system_error::SystemError;

/// The part of the ring that one call moves at most, so that the other thread always has something to do.
const PART: usize = 4;

/// The outcome of a pump.
#[derive(Debug)]
pub struct Pumped {
    /// Bytes written.
    pub bytes: u64,
    /// The error that ended the pump early. `None` if it reached the end or was stopped.
    pub error: Option<SystemError>,
}

/// Two threads that move bytes between descriptors: one reads while the other writes. Dropping it stops both.
#[derive(Debug)]
pub struct Pump {
    reading: Arc<Control>,
    writing: Arc<Control>,
    moved: Arc<AtomicU64>,
    ring_size: usize,
}

impl Pump {
    /// Starts moving bytes through the ring, until `from` ends or a call fails. Bytes that were read before a read
    /// error are still written.
    ///
    /// Works on duplicates of the descriptors. Closes them, then calls `done` on a thread of the pump. Returns an error
    /// if the system refuses a descriptor, a bell or a thread.
    pub fn start(
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        (producer, consumer): (Producer, Consumer),
        done: impl FnOnce(Pumped) + Send + 'static,
    ) -> Result<Self, SystemError> {
        let from = Descriptor::duplicate(from, Access::Read)?;
        let to = Descriptor::duplicate(to, Access::Write)?;
        let ring_size = producer.size();
        let pump = Self { reading: Control::new()?, writing: Control::new()?, moved: Arc::default(), ring_size };

        let reading = Arc::clone(&pump.reading);
        let reader = spawn("framepool-read", move || reading.run(producer, &from, |_| {}))?;

        let (reading, writing) = (Arc::clone(&pump.reading), Arc::clone(&pump.writing));
        let moved = Arc::clone(&pump.moved);
        let writer = spawn("framepool-write", move || {
            let add = |count| _ = moved.fetch_add(count as u64, Ordering::Relaxed);
            let written = writing.run(consumer, &to, add);
            drop(to);
            // The reader may be waiting for its descriptor, and its bytes are no longer needed.
            reading.stop();
            let read = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
            done(Pumped { bytes: moved.load(Ordering::Relaxed), error: written.and(read).err() });
        });
        writer.map(|_| pump)
    }

    /// Returns the size of the ring between the threads, in bytes.
    pub fn ring_size(&self) -> usize {
        self.ring_size
    }

    /// Returns the number of bytes written so far.
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Stops reading. Bytes that were read are still written, however long that takes.
    pub fn stop(&self) {
        self.reading.stop();
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.reading.stop();
        self.writing.stop();
    }
}

/// The other threads' control over one of the threads.
#[derive(Debug)]
struct Control {
    bell: Arc<Bell>,
    stopped: AtomicBool,
}

impl Control {
    fn new() -> Result<Arc<Self>, SystemError> {
        Ok(Arc::new(Self { bell: Arc::new(Bell::new()?), stopped: AtomicBool::new(false) }))
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.bell.ring();
    }

    /// Moves bytes between `port` and `descriptor` until there are no more, then ends the port by dropping it. `moved`
    /// is called with the length of each transfer.
    fn run<P: Port>(&self, mut port: P, descriptor: &Descriptor<'_>, moved: impl Fn(usize)) -> Result<(), SystemError> {
        let waker = Waker::from(Arc::clone(&self.bell));
        let most = (port.size() / PART).max(1);
        while !self.stopped.load(Ordering::Acquire) {
            if port.poll(1, &waker).is_pending() {
                self.wait(None)?;
                continue;
            }
            match port.transfer(descriptor, most)? {
                None => self.wait(Some(descriptor))?,
                Some(0) => break,
                Some(count) => moved(count),
            }
        }
        Ok(())
    }

    /// Blocks until the bell rings or a call on `descriptor` may do something.
    fn wait(&self, descriptor: Option<&Descriptor<'_>>) -> Result<(), SystemError> {
        let bell = PollFd::new(&self.bell, PollFlags::IN);
        let mut fds = [bell.clone(), descriptor.map_or(bell, Descriptor::poll_fd)];
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, None))
            .map_err(|error| SystemError::new("poll", error))?;
        if !fds[0].revents().is_empty() {
            self.bell.heard();
        }
        Ok(())
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<thread::JoinHandle<T>, SystemError> {
    thread::Builder::new().name(name.into()).spawn(work).map_err(|error| SystemError::new("clone", error))
}
