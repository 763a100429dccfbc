//! How a buddy pool is made.

use std::time::Duration;

/// What is done to each new block before anything is allocated from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockPolicy {
    /// Ask for transparent huge pages (`MADV_HUGEPAGE`).
    pub huge_pages: bool,
    /// Keep the block out of swap (`mlock`), which also touches it.
    pub lock: bool,
    /// Touch every page, so that none is missing at first use.
    pub prefault: bool,
}

/// How a [`BuddyPool`](super::BuddyPool) is made. All but `policy` is the crate's.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// In bytes; rounded down to whole blocks, at least one.
    pub max_memory: usize,
    /// For 1, 4, 16 and 64 MiB: four free neighbors are merged only when at least that many buffers of their size are
    /// free, or a larger one is waited for. The last one is not used.
    pub merge_watermarks: [usize; 4],
    /// How long a wait for 4 MiB or more may be passed over by smaller ones before memory is set aside for it.
    pub starvation_timeout: Duration,
    /// Empty slabs (1 MiB each) that are kept for each of 16, 64 and 256 KiB.
    pub slab_empty_watermark: usize,
    /// Whether each thread keeps free chunks of slabs.
    pub thread_cache: bool,
    /// For each new block.
    pub policy: BlockPolicy,
}

impl Default for Options {
    /// The crate's own values.
    fn default() -> Self {
        Self {
            max_memory: ruapc_bufpool::DEFAULT_BUFFER_POOL_MEMORY,
            merge_watermarks: [16, 8, 2, 0],
            starvation_timeout: Duration::from_millis(50),
            slab_empty_watermark: 1,
            thread_cache: true,
            policy: BlockPolicy::default(),
        }
    }
}
