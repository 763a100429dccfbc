//! File descriptors of the process, which connections must not use up.

#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd};

/// Descriptors that are left to the rest of the process.
#[cfg(unix)]
const RESERVE: usize = 64;

/// Returns how many descriptors the process may have.
#[cfg(unix)]
fn limit() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    Some(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Returns how many links the descriptors that are free allow: two for each, and some for everything else.
#[cfg(unix)]
pub(super) fn room_for_links(threads: usize) -> usize {
    let Some(limit) = limit() else { return usize::MAX };
    let open = ["/proc/self/fd", "/dev/fd"].iter().find_map(|path| Some(std::fs::read_dir(path).ok()?.count()));
    let taken = open.unwrap_or(RESERVE) + RESERVE + 4 * threads;
    (limit.saturating_sub(taken) / 2).max(1)
}

#[cfg(not(unix))]
pub(super) fn room_for_links(_: usize) -> usize {
    usize::MAX
}

/// The descriptors that are free, whoever has the others: other relays and the rest of the program open some, too.
#[cfg(unix)]
pub(super) struct Descriptors {
    /// Descriptors beyond this number are left to the rest of the process.
    most: usize,
    /// Number of the descriptor that was opened last. Systems give the lowest number that is free.
    newest: usize,
}

#[cfg(unix)]
impl Descriptors {
    pub(super) fn new() -> Self {
        let most = limit().map_or(usize::MAX, |limit| limit - RESERVE.min(limit / 2));
        Self { most, newest: 0 }
    }

    /// Notes a descriptor that was opened just now.
    pub(super) fn note(&mut self, descriptor: &impl AsRawFd) {
        self.newest = usize::try_from(descriptor.as_raw_fd()).unwrap_or(0);
    }

    /// Returns whether `count` more can be opened. `any` is an open one.
    pub(super) fn allow(&mut self, count: usize, any: &impl AsFd) -> bool {
        // Other threads may have opened some since, and closed some, but not most of all.
        if self.newest.saturating_add(count) < self.most / 2 {
            return true;
        }
        match rustix::io::fcntl_dupfd_cloexec(any, 0) {
            Ok(copy) => self.note(&copy),
            Err(_) => return false,
        }
        self.newest.saturating_add(count) < self.most
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn descriptors_that_were_closed_are_free_again() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut descriptors = Descriptors { most: 1 << 20, newest: 1 << 21 };
        assert!(descriptors.allow(0, &socket));
        assert!(descriptors.newest < 1 << 20);
        assert!(!descriptors.allow(1 << 20, &socket));
        descriptors.most = 0;
        assert!(!descriptors.allow(0, &socket));
    }
}
