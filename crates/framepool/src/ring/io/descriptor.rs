//! Descriptors that never block the thread that uses them.
//!
//! Other processes may share a descriptor and rely on it to block. So `O_NONBLOCK` is never set on a descriptor that a
//! caller passes. Instead, a blocking pipe or terminal is opened once more, which makes an open file description of our
//! own. Where that is impossible (another user's pipe, no /proc), poll(2) is called before each call, and a write is
//! kept within the length that POSIX promises a pipe to take at once.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use rustix::pipe::PIPE_BUF;

use crate::system_error::SystemError;

/// Use of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Bytes are read from it.
    Read,
    /// Bytes are written to it.
    Write,
}

/// A descriptor for reads or for writes, on which no call blocks for longer than a disk needs.
#[derive(Debug)]
pub struct Descriptor<'fd> {
    fd: Held<'fd>,
    access: Access,
    /// Whether calls can block, so that each needs a poll(2) before it.
    blocking: bool,
}

#[derive(Debug)]
enum Held<'fd> {
    Borrowed(BorrowedFd<'fd>),
    Owned(OwnedFd),
}

impl<'fd> Descriptor<'fd> {
    /// Borrows `fd` for calls that are made while it is certainly open.
    ///
    /// Returns an error if the system refuses; a socket is refused with `ENOTSUP`.
    pub fn borrow(fd: BorrowedFd<'fd>, access: Access) -> Result<Self, SystemError> {
        let (own, blocking) = open(fd, access)?;
        Ok(Self { fd: own.map_or(Held::Borrowed(fd), Held::Owned), access, blocking })
    }

    /// Duplicates `fd` for later calls. By then `fd` may be closed, and its number may name something else.
    ///
    /// Returns an error if the system refuses; a socket is refused with `ENOTSUP`.
    pub fn duplicate(fd: BorrowedFd<'_>, access: Access) -> Result<Descriptor<'static>, SystemError> {
        let (own, blocking) = open(fd, access)?;
        let own = match own {
            Some(own) => own,
            None => rustix::io::fcntl_dupfd_cloexec(fd, 0).map_err(|error| SystemError::new("dup", error))?,
        };
        Ok(Descriptor { fd: Held::Owned(own), access, blocking })
    }

    /// Returns the entry for a poll(2) that ends when a call may do something.
    pub(super) fn poll_fd(&self) -> PollFd<'_> {
        let flags = match self.access {
            Access::Read => PollFlags::IN,
            Access::Write => PollFlags::OUT,
        };
        PollFd::new(self, flags)
    }

    /// Returns the most bytes that one call may move now, or `None` if the call could block.
    pub(super) fn allowance(&self) -> Result<Option<usize>, SystemError> {
        if !self.blocking {
            return Ok(Some(usize::MAX));
        }
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let ready = rustix::io::retry_on_intr(|| rustix::event::poll(&mut [self.poll_fd()], Some(&at_once)))
            .map_err(|error| SystemError::new("poll", error))?;
        let most = match self.access {
            Access::Read => usize::MAX,
            Access::Write => PIPE_BUF,
        };
        // An error of the descriptor counts as ready: the call tells which error it is.
        Ok((ready > 0).then_some(most))
    }
}

impl AsFd for Descriptor<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.fd {
            Held::Borrowed(fd) => *fd,
            Held::Owned(fd) => fd.as_fd(),
        }
    }
}

/// Opens a description of our own if one is needed and possible. Also returns whether calls can block.
fn open(fd: BorrowedFd<'_>, access: Access) -> Result<(Option<OwnedFd>, bool), SystemError> {
    let status = rustix::fs::fstat(fd).map_err(|error| SystemError::new("fstat", error))?;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::Socket => {
            let message = "the descriptor is a socket, which Node may own: it could take bytes of it, or close it; \
                           use onread() and pipeTo() instead";
            Err(SystemError::of("fstat", &Errno::NOTSUP.into(), message.into()))
        }
        FileType::RegularFile | FileType::Directory | FileType::BlockDevice => Ok((None, false)),
        kind => {
            let flags = rustix::fs::fcntl_getfl(fd).map_err(|error| SystemError::new("fcntl", error))?;
            let wanted = match access {
                Access::Read => OFlags::RDONLY,
                Access::Write => OFlags::WRONLY,
            };
            let mode = flags & OFlags::ACCMODE;
            // If the mode does not fit, the call fails at once and cannot block.
            if flags.contains(OFlags::NONBLOCK) || mode != wanted && mode != OFlags::RDWR {
                return Ok((None, false));
            }
            let own = if is_reopenable(fd, kind) { reopen(fd, wanted) } else { None };
            let blocking = own.is_none();
            Ok((own, blocking))
        }
    }
}

/// Returns true for pipes and terminals. Opening a terminal's master makes another terminal, and opening other devices
/// may do anything.
fn is_reopenable(fd: BorrowedFd<'_>, kind: FileType) -> bool {
    kind == FileType::Fifo || rustix::termios::isatty(fd) && rustix::pty::ptsname(fd, Vec::new()).is_err()
}

/// Opens the file of `fd` once more, without blocking.
#[cfg(target_os = "linux")]
fn reopen(fd: BorrowedFd<'_>, mode: OFlags) -> Option<OwnedFd> {
    use std::os::fd::AsRawFd;

    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let own = OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    // This fails also for a pipe that has lost its reader. The first call on `fd` reports that.
    rustix::fs::open(path, mode | own, rustix::fs::Mode::empty()).ok()
}

/// Returns `None`: elsewhere opening `/dev/fd/N` only duplicates, or is not possible.
#[cfg(not(target_os = "linux"))]
fn reopen(_: BorrowedFd<'_>, _: OFlags) -> Option<OwnedFd> {
    None
}
