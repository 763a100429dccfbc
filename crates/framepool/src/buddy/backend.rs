//! The memory behind the addresses of a block: memory of the system, huge pages, a file, or none.

use std::path::PathBuf;
use std::sync::Mutex;

use ruapc_bufpool::AlignedMemory;

use crate::system_error::SystemError;

/// The memory that new blocks get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// Memory of the system.
    #[default]
    Anonymous,
    /// Pages that the administrator has set aside (`MAP_HUGETLB`), on Linux.
    HugeTlb,
    /// A file, which is made or emptied, and mapped. It has the size of all blocks. On Linux.
    File(PathBuf),
    /// None: the pool keeps its books over addresses alone, and the memory lies elsewhere. The user lends each block with
    /// [`BuddyPool::lend`](super::BuddyPool::lend), and finds a buffer in it by [`Buffer::block`](super::Buffer::block) and
    /// [`Buffer::offset_from`](super::Buffer::offset_from).
    Lent,
}

/// The backend of a pool.
#[derive(Debug)]
pub(super) struct Backing {
    backend: Backend,
    /// Opened for the first block.
    file: Mutex<Option<std::fs::File>>,
}

impl Backing {
    pub(super) fn new(backend: Backend) -> Self {
        Self { backend, file: Mutex::default() }
    }

    /// Puts the backend behind a block, before any buffer lies in it. `index` is its place among the blocks. If that fails,
    /// the block must not be used.
    pub(super) fn apply(&self, memory: &AlignedMemory, index: usize) -> Result<(), SystemError> {
        match &self.backend {
            Backend::Anonymous => Ok(()),
            Backend::HugeTlb => system::huge_pages(memory),
            Backend::File(path) => system::file(memory, path, &self.file, index).map_err(|error| error.about(path)),
            Backend::Lent => system::nothing(memory),
        }
    }

    pub(super) fn is_lent(&self) -> bool {
        self.backend == Backend::Lent
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;
    use std::ptr;
    use std::sync::{Mutex, PoisonError};

    use super::{AlignedMemory, SystemError};

    fn refused(syscall: &'static str, error: &io::Error, what: &str) -> SystemError {
        SystemError::of(syscall, error, format!("the system refused {what} for a block: {error}"))
    }

    /// Leaves the addresses of a block, which then count towards no limit of memory.
    pub(super) fn nothing(memory: &AlignedMemory) -> Result<(), SystemError> {
        // SAFETY: the range is one mapping of our own, and nothing refers to its bytes, now or later.
        if unsafe { libc::mprotect(memory.as_mut_ptr().cast(), memory.size(), libc::PROT_NONE) } == 0 {
            return Ok(());
        }
        Err(refused("mprotect", &io::Error::last_os_error(), "addresses"))
    }

    pub(super) fn huge_pages(memory: &AlignedMemory) -> Result<(), SystemError> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB;
        put_behind(memory, flags, -1, 0, "huge pages")
    }

    pub(super) fn file(
        memory: &AlignedMemory,
        path: &Path,
        known: &Mutex<Option<File>>,
        index: usize,
    ) -> Result<(), SystemError> {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = Some(open(path)?);
        }
        let fd = known.as_ref().expect("it is open").as_raw_fd();
        let place = |blocks: usize| libc::off_t::try_from(blocks * memory.size()).expect("memory has fewer bytes");
        let (offset, length) = (place(index), place(1));
        // Otherwise a write into a block would end the process once the disk is full.
        // SAFETY: a plain call on a descriptor that is open.
        let errno = unsafe { libc::posix_fallocate(fd, offset, length) };
        if errno != 0 {
            return Err(refused("posix_fallocate", &io::Error::from_raw_os_error(errno), "room in the file"));
        }
        put_behind(memory, libc::MAP_SHARED, fd, offset, "a mapping of the file")
    }

    /// Opens a file that no other pool uses, and empties it.
    fn open(path: &Path) -> Result<File, SystemError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_CLOEXEC);
        let file = options.open(path).map_err(|error| refused("open", &error, "the file"))?;
        // SAFETY: a plain call on a descriptor that is open.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
            return Err(refused("flock", &io::Error::last_os_error(), "the file, which another pool uses,"));
        }
        file.set_len(0).map_err(|error| refused("ftruncate", &error, "the file"))?;
        Ok(file)
    }

    /// Replaces the mapping of a block by another.
    fn put_behind(
        memory: &AlignedMemory,
        flags: libc::c_int,
        fd: libc::c_int,
        offset: libc::off_t,
        what: &str,
    ) -> Result<(), SystemError> {
        let (size, access) = (memory.size(), libc::PROT_READ | libc::PROT_WRITE);
        // Elsewhere at first: a mapping that fails in place would leave a hole there.
        // SAFETY: a new mapping at an address of the system's choice.
        let made = unsafe { libc::mmap(ptr::null_mut(), size, access, flags, fd, offset) };
        if made == libc::MAP_FAILED {
            return Err(refused("mmap", &io::Error::last_os_error(), what));
        }
        let place = memory.as_mut_ptr().cast::<libc::c_void>();
        // SAFETY: both mappings have `size` bytes and are ours. Nothing refers to the block's bytes yet, and `munmap` of the
        // block ends the new mapping as it would have ended the old one.
        let moved = unsafe { libc::mremap(made, size, size, libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED, place) };
        if moved == libc::MAP_FAILED {
            let error = io::Error::last_os_error();
            // SAFETY: the mapping that was not moved is ours; the block gets ordinary memory again.
            unsafe {
                libc::munmap(made, size);
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
                libc::mmap(place, size, access, flags, -1, 0);
            }
            return Err(refused("mremap", &error, what));
        }
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;
    use std::path::Path;
    use std::sync::Mutex;

    use super::{AlignedMemory, SystemError};

    /// Leaves the block as it is: pages that nothing touches take no memory.
    #[allow(clippy::unnecessary_wraps, reason = "Linux can refuse")]
    pub(super) fn nothing(_: &AlignedMemory) -> Result<(), SystemError> {
        Ok(())
    }

    pub(super) fn huge_pages(_: &AlignedMemory) -> Result<(), SystemError> {
        Err(SystemError::missing("mmap", "the backend of huge pages"))
    }

    pub(super) fn file(_: &AlignedMemory, _: &Path, _: &Mutex<Option<File>>, _: usize) -> Result<(), SystemError> {
        Err(SystemError::missing("mmap", "the backend of a file"))
    }
}
