//! Options of a buddy pool.

use std::time::Duration;

use super::backend::Backend;

/// Steps for each new block before the pool allocates from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockPolicy {
    /// Asks for transparent huge pages (`MADV_HUGEPAGE`).
    pub huge_pages: bool,
    /// Keeps the block out of swap (`mlock`). This also touches every page.
    pub lock: bool,
    /// Touches every page, so that no first use has to wait for one.
    pub prefault: bool,
}

/// Options of a [`BuddyPool`](super::BuddyPool). All but `policy` and `backend` are the crate's.
#[derive(Clone, Debug)]
pub struct Options {
    /// Limit in bytes. It is rounded down to whole blocks, and is at least one block.
    pub max_memory: usize,
    /// Free buffers that must be there before four free neighbors merge, for 1, 4, 16 and 64 MiB. A wait for a larger
    /// buffer merges them earlier. The last value is not used.
    pub merge_watermarks: [usize; 4],
    /// Time during which smaller waits may pass a wait for 4 MiB or more. After it, memory is set aside for that wait.
    pub starvation_timeout: Duration,
    /// Empty slabs of 1 MiB that the pool keeps for each of 16, 64 and 256 KiB.
    pub slab_empty_watermark: usize,
    /// Whether each thread keeps free chunks of slabs.
    pub thread_cache: bool,
    /// Policy for each new block.
    pub policy: BlockPolicy,
    /// Memory of each new block.
    pub backend: Backend,
}

impl Default for Options {
    /// Returns the crate's own values.
    fn default() -> Self {
        Self {
            max_memory: ruapc_bufpool::DEFAULT_BUFFER_POOL_MEMORY,
            merge_watermarks: [16, 8, 2, 0],
            starvation_timeout: Duration::from_millis(50),
            slab_empty_watermark: 1,
            thread_cache: true,
            policy: BlockPolicy::default(),
            backend: Backend::default(),
        }
    }
}
