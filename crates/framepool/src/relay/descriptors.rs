//! File descriptors of the process, which connections must not use up.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::shared::Shared;

/// Descriptors that are left to the rest of the process.
const RESERVE: usize = 64;

/// Returns how many descriptors the process may have.
fn limit() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    Some(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Returns how many links the descriptors that are free allow: two for each, and some for everything else.
pub(super) fn room_for_links(threads: usize) -> usize {
    let Some(limit) = limit() else { return usize::MAX };
    let open = ["/proc/self/fd", "/dev/fd"].iter().find_map(|path| Some(std::fs::read_dir(path).ok()?.count()));
    let taken = open.unwrap_or(RESERVE) + RESERVE + 4 * threads;
    (limit.saturating_sub(taken) / 2).max(1)
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

/// Returns whether the process can open descriptors for all its links, and some for everything else. `any` is an open one.
pub(super) fn are_left(any: &impl AsFd) -> bool {
    let Some(limit) = limit() else { return true };
    // Systems give the lowest number that is free. Others open and close some at any time, so that nothing else tells how many are left.
    let Ok(lowest) = rustix::io::fcntl_dupfd_cloexec(any, 0) else { return false };
    let lowest = usize::try_from(lowest.as_raw_fd()).unwrap_or(0);
    let relays = RELAYS.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted: usize = relays.iter().filter_map(Weak::upgrade).map(|relay| relay.halves()).sum();
    lowest + wanted < limit - RESERVE.min(limit / 2)
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
        assert!(are_left(&socket));
        assert!(lacked(&rustix::io::Errno::MFILE.into()) && !lacked(&rustix::io::Errno::CONNREFUSED.into()));
    }
}
