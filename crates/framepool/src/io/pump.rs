//! Everything that one descriptor gives, to another, on two threads with a ring between them.

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

/// A call moves at most this part of the ring, so that there is always something left for the other thread to do.
const PART: usize = 4;

/// How a pump ended.
#[derive(Debug)]
pub struct Pumped {
    /// Bytes written.
    pub bytes: u64,
    /// Why it ended before all was moved, unless it was told to.
    pub error: Option<SystemError>,
}

/// Two threads that move bytes from one descriptor to another, one reading while the other writes. Dropped, they neither
/// read nor write any more.
#[derive(Debug)]
pub struct Pump {
    reading: Arc<Control>,
    writing: Arc<Control>,
    moved: Arc<AtomicU64>,
    ring_size: usize,
}

impl Pump {
    /// Starts moving bytes through the ring, until the end of `from` or an error. What was read before a read error is
    /// still written. Works on duplicates of the descriptors, which are closed before `done` is called, on a thread of the
    /// pump.
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
            // It may wait for its descriptor, and nobody takes any more what it reads.
            reading.stop();
            let read = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
            done(Pumped { bytes: moved.load(Ordering::Relaxed), error: written.and(read).err() });
        });
        writer.map(|_| pump)
    }

    /// The ring between the threads, in bytes.
    pub fn ring_size(&self) -> usize {
        self.ring_size
    }

    /// Bytes written so far.
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Reads no more. What was read is still written, however long that takes.
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

/// How one of the threads is reached.
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

    /// Moves bytes between `port` and `descriptor` until there are no more; ends the port.
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
