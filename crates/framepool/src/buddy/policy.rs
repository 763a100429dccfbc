//! Applies a [`BlockPolicy`] to a block before any buffer lies in it.

use ruapc_bufpool::AlignedMemory;

use super::options::BlockPolicy;
use crate::system_error::SystemError;

impl BlockPolicy {
    /// Applies the policy. If the system refuses, the block must not be used.
    pub(super) fn apply(self, memory: &AlignedMemory) -> Result<(), SystemError> {
        if self.huge_pages {
            system::advise_huge_pages(memory)?;
        }
        if self.lock {
            system::lock(memory)?;
        }
        if self.prefault {
            prefault(memory);
        }
        Ok(())
    }
}

/// The smallest page of all supported systems, in bytes. On larger pages the additional writes cost little.
const PAGE: usize = 4096;

fn prefault(memory: &AlignedMemory) {
    for offset in (0..memory.size()).step_by(PAGE) {
        // SAFETY: the offset lies in the block. No buffer lies there yet, so nothing else accesses it. Volatile,
        // because only the access matters: the value is 0 as everywhere in a new block.
        unsafe { memory.as_mut_ptr().add(offset).write_volatile(0) };
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::{io, mem::MaybeUninit};

    use super::{AlignedMemory, SystemError};

    fn refused(syscall: &'static str, describe: impl FnOnce(&io::Error) -> String) -> SystemError {
        let error = io::Error::last_os_error();
        SystemError::of(syscall, &error, describe(&error))
    }

    pub(super) fn advise_huge_pages(memory: &AlignedMemory) -> Result<(), SystemError> {
        // SAFETY: the range is one mapping of our own, and the advice changes no byte of it.
        if unsafe { libc::madvise(memory.as_mut_ptr().cast(), memory.size(), libc::MADV_HUGEPAGE) } == 0 {
            return Ok(());
        }
        Err(refused("madvise", |error| format!("the system refused huge pages for a block: {error}")))
    }

    pub(super) fn lock(memory: &AlignedMemory) -> Result<(), SystemError> {
        // SAFETY: the range is one mapping of our own, and locking changes no byte of it. Unmapping ends the lock.
        if unsafe { libc::mlock(memory.as_ptr().cast(), memory.size()) } == 0 {
            return Ok(());
        }
        Err(refused("mlock", |error| {
            let (bytes, limit) = (memory.size(), lock_limit());
            format!("the system refused to lock a block of {bytes} bytes: {error} (RLIMIT_MEMLOCK is {limit} here)")
        }))
    }

    /// Returns the soft limit of `mlock`, as text.
    fn lock_limit() -> String {
        let mut limit = MaybeUninit::<libc::rlimit>::zeroed();
        // SAFETY: `limit` is valid for writes of an `rlimit`. All zeroes is a valid value, so it is initialized even if
        // the call fails.
        let limit = unsafe {
            libc::getrlimit(libc::RLIMIT_MEMLOCK, limit.as_mut_ptr());
            limit.assume_init()
        };
        if limit.rlim_cur == libc::RLIM_INFINITY { "unlimited".into() } else { format!("{} bytes", limit.rlim_cur) }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{AlignedMemory, SystemError};

    pub(super) fn advise_huge_pages(_: &AlignedMemory) -> Result<(), SystemError> {
        Err(SystemError::missing("madvise", "hugePages of blocks"))
    }

    pub(super) fn lock(_: &AlignedMemory) -> Result<(), SystemError> {
        Err(SystemError::missing("mlock", "lock of blocks"))
    }
}
