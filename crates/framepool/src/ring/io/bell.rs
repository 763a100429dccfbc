//! Ends a poll(2) on another thread.
//!
//! A ring of the bell is never lost: it lasts until the thread has heard it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use crate::system_error::SystemError;

/// A bell that rings until its thread has heard it.
#[derive(Debug)]
pub(super) struct Bell {
    signal: Signal,
    /// Whether the signal is set. Another ring then costs no system call.
    rung: AtomicBool,
}

impl Bell {
    pub(super) fn new() -> Result<Self, SystemError> {
        Ok(Self { signal: Signal::new()?, rung: AtomicBool::new(false) })
    }

    pub(super) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.signal.set();
        }
    }

    /// Silences the bell. Everything that was done before it rang is visible after this call. Call it when
    /// [`as_fd`](AsFd::as_fd) is readable.
    pub(super) fn heard(&self) {
        self.signal.clear();
        self.rung.swap(false, Ordering::AcqRel);
    }
}

impl AsFd for Bell {
    /// Returns a descriptor that is readable from the first ring until the bell is heard.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

#[cfg(target_os = "linux")]
use eventfd::Signal;
#[cfg(not(target_os = "linux"))]
use pipe::Signal;

#[cfg(target_os = "linux")]
mod eventfd {
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use rustix::event::EventfdFlags;

    use crate::system_error::SystemError;

    #[derive(Debug)]
    pub(super) struct Signal(OwnedFd);

    impl Signal {
        pub(super) fn new() -> Result<Self, SystemError> {
            let eventfd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
            eventfd.map(Self).map_err(|error| SystemError::new("eventfd", error))
        }

        pub(super) fn set(&self) {
            // The write fails only if the counter is at its end, and then the descriptor is readable anyway.
            let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
        }

        pub(super) fn clear(&self) {
            let _ = rustix::io::read(&self.0, &mut [0; 8]);
        }
    }

    impl AsFd for Signal {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod pipe {
    use std::io::{PipeReader, PipeWriter};
    use std::os::fd::{AsFd, BorrowedFd};

    use crate::system_error::SystemError;

    /// A pipe that holds one byte while the signal is set.
    #[derive(Debug)]
    pub(super) struct Signal(PipeReader, PipeWriter);

    impl Signal {
        pub(super) fn new() -> Result<Self, SystemError> {
            let (reader, writer) = std::io::pipe().map_err(|error| SystemError::new("pipe", error))?;
            Ok(Self(reader, writer))
        }

        pub(super) fn set(&self) {
            let _ = rustix::io::write(&self.1, &[0]);
        }

        pub(super) fn clear(&self) {
            let _ = rustix::io::read(&self.0, &mut [0]);
        }
    }

    impl AsFd for Signal {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}
