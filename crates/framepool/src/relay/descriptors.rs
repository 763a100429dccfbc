//! File descriptors of the process, which connections must not use up.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::shared::Shared;

/// Descriptors that are left to the rest of the process.
const RESERVE: usize = 64;

/// Links that come between two counts, at least. What is left to the rest of the process is enough for them.
const FEW: usize = 8;

/// Time after which the descriptors are counted again, and what one more of them adds to it.
const COUNT_EVERY: Duration = Duration::from_millis(100);
const COUNT_OF_ONE: Duration = Duration::from_millis(1);

/// Returns how many descriptors the process may have.
fn limit() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    Some(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Relays of the process, whose links without a connection to a mining pool need one more descriptor each.
static RELAYS: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// Notes a relay that starts. Returns an error if the system has no memory.
pub(super) fn register(relay: &Arc<Shared>) -> io::Result<()> {
    let mut relays = RELAYS.lock().unwrap_or_else(PoisonError::into_inner);
    relays.retain(|relay| relay.strong_count() > 0);
    relays.try_reserve(1).map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?;
    relays.push(Arc::downgrade(relay));
    Ok(())
}

/// Returns how many descriptors the links of all relays will need.
fn wanted() -> usize {
    let relays = RELAYS.lock().unwrap_or_else(PoisonError::into_inner);
    relays.iter().filter_map(Weak::upgrade).map(|relay| relay.halves()).sum()
}

/// Returns how many descriptors are open, or `None` if the system does not say.
fn open() -> io::Result<Option<usize>> {
    for path in ["/proc/self/fd", "/dev/fd"] {
        match std::fs::read_dir(path) {
            Ok(entries) => return Ok(Some(entries.count())),
            Err(error) if lacked(&error) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(None)
}

/// The descriptors of the process, as the thread that accepts connections sees them. Other relays and the program open and close some at
/// any time. Counting them takes longer the more there are, so it is done when many may have gone since, and now and then.
#[derive(Default)]
pub(super) struct Descriptors {
    /// Number of links at which the descriptors are counted again.
    enough_for: usize,
    /// Time until which the count is good.
    good_until: Duration,
}

impl Descriptors {
    /// Returns whether the process can open descriptors for one more link, besides those that `links` and other relays will need. `any` is
    /// an open descriptor.
    pub(super) fn are_left(&mut self, any: &impl AsFd, links: usize, now: Duration) -> bool {
        let Some(limit) = limit() else { return true };
        let most = limit - RESERVE.min(limit / 2);
        // Systems give the lowest number that is free: a high one tells at once that few are left.
        let Ok(lowest) = rustix::io::fcntl_dupfd_cloexec(any, 0) else { return false };
        let wanted = wanted();
        if usize::try_from(lowest.as_raw_fd()).unwrap_or(0) + wanted >= most {
            return false;
        }
        if links < self.enough_for && now < self.good_until {
            return true;
        }
        let open = match open() {
            Ok(Some(open)) => open,
            Ok(None) => return true,
            Err(_) => return false,
        };
        let left = most.saturating_sub(open + wanted) / 2;
        self.enough_for = links + (left / 4).max(FEW).min(left);
        self.good_until = now + COUNT_EVERY.max(COUNT_OF_ONE * u32::try_from(open).unwrap_or(u32::MAX));
        left > 0
    }
}

/// Returns whether a call failed because the process or the system had no descriptor left.
pub(super) fn lacked(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_few_descriptors_has_some_left() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut descriptors = Descriptors::default();
        for links in 0..100 {
            assert!(descriptors.are_left(&socket, links, Duration::ZERO));
        }
        assert!(open().unwrap().is_some_and(|open| open > 3));
        assert!(lacked(&rustix::io::Errno::MFILE.into()) && !lacked(&rustix::io::Errno::CONNREFUSED.into()));
    }
}
