//! What the system does to a block that no buffer lies in yet.

use ruapc_bufpool::AlignedMemory;

use super::options::BlockPolicy;
use crate::system_error::SystemError;

impl BlockPolicy {
    /// Applies the policy; on a refusal the block is of no use.
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

/// The smallest page of any system that we know. A write more than needed to a larger one costs little.
const PAGE: usize = 4096;

fn prefault(memory: &AlignedMemory) {
    for offset in (0..memory.size()).step_by(PAGE) {
        // SAFETY: the offset lies in the block, and no buffer does yet, so nothing else accesses it. Volatile: the
        // value, 0 as everywhere in a new block, is not what the write is for.
        unsafe { memory.as_mut_ptr().add(offset).write_volatile(0) };
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::{io, mem::MaybeUninit};

    use super::{AlignedMemory, SystemError};

    fn refused(syscall: &'static str, describe: impl FnOnce(&io::Error) -> String) -> SystemError {
        let error = io::Error::last_os_error();
        SystemError { syscall, errno: error.raw_os_error().unwrap_or(0), message: describe(&error) }
    }

    pub(super) fn advise_huge_pages(memory: &AlignedMemory) -> Result<(), SystemError> {
        // SAFETY: the range is one mapping of our own; the advice changes no byte of it.
        if unsafe { libc::madvise(memory.as_mut_ptr().cast(), memory.size(), libc::MADV_HUGEPAGE) } == 0 {
            return Ok(());
        }
        Err(refused("madvise", |error| format!("the system refused huge pages for a block: {error}")))
    }

    pub(super) fn lock(memory: &AlignedMemory) -> Result<(), SystemError> {
        // SAFETY: the range is one mapping of our own. Unmapping it ends the lock.
        if unsafe { libc::mlock(memory.as_ptr().cast(), memory.size()) } == 0 {
            return Ok(());
        }
        Err(refused("mlock", |error| {
            let (bytes, limit) = (memory.size(), lock_limit());
            format!("the system refused to lock a block of {bytes} bytes: {error} (RLIMIT_MEMLOCK is {limit} here)")
        }))
    }

    /// The soft limit that `mlock` obeys.
    fn lock_limit() -> String {
        let mut limit = MaybeUninit::<libc::rlimit>::zeroed();
        // SAFETY: `limit` is writable and of the right type; all zeroes is a value of it.
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

    /// 78 on every BSD; the number is for people only.
    const ENOSYS: i32 = 78;

    fn missing(syscall: &'static str, what: &str) -> SystemError {
        SystemError { syscall, errno: ENOSYS, message: format!("{what} of blocks is not available on this system") }
    }

    pub(super) fn advise_huge_pages(_: &AlignedMemory) -> Result<(), SystemError> {
        Err(missing("madvise", "hugePages"))
    }

    pub(super) fn lock(_: &AlignedMemory) -> Result<(), SystemError> {
        Err(missing("mlock", "lock"))
    }
}
