//! Buddy pools: `BuddyPool` of the facade.

use std::sync::Arc;
use std::time::Duration;

use framepool::buddy::{Backend, BlockPolicy, BuddyPool, Change, Error, Options, Stats};
use framepool::handle::Handle;
use framepool::shown::Shown;
use napi::Env;
use napi_derive::napi;

use crate::buddy::buffer;
use crate::buddy::entry::BuddyPoolEntry;
use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::{Fault, Result};
use crate::handle::ObjectHandle;
use crate::shown::external::array_buffer;
use crate::state::EnvState;
use crate::threads::transferable::PARKED;
use crate::wait::polled;

/// Takes in a pool, which this isolate may not have met before. Out: `Pool`.
pub(crate) fn take_in(state: &mut EnvState, pool: BuddyPool) -> std::result::Result<Handle, Fault> {
    let handle = state.tables.buddy_pools.find(state.control.get(Word::Facade), pool)?;
    state.set_handle(Word::Pool, Word::PoolGeneration, handle);
    Ok(handle)
}

fn entry(state: &mut EnvState) -> std::result::Result<&mut BuddyPoolEntry, Fault> {
    let handle = state.handle(Word::Handle, Word::Generation);
    state.tables.buddy_pools.get_mut(handle).ok_or_else(Fault::released)
}

/// Allocates `Length` bytes now. Out: a buffer, or `Length` 0 at the limit.
pub(crate) fn try_allocate(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let size = call.get(Word::Length) as usize;
    call.state.tables.buddy_buffers.make_room()?;
    match entry(call.state)?.pool().try_allocate(size) {
        Ok(buffer) => buffer::hand_over(call.state, handle, Shown::new(buffer))?,
        Err(Error::Limit { .. }) => call.set(Word::Length, 0),
        Err(error) => return Err(error.into()),
    }
    Ok(None)
}

/// Allocates `Length` bytes as soon as they are there. Out: `Wait`, and if that is 0 a buffer.
pub(crate) fn allocate(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let size = call.get(Word::Length) as usize;
    let future = entry(call.state)?.pool().allocate(size);
    polled::future(call, future, move |state, buffer| buffer::hand_over(state, handle, Shown::new(buffer?)))
}

/// Grows a pool by a block whose memory is the argument's. Out: `Granted`, 0 if the pool needs none.
pub(crate) fn lend(call: &mut Call<'_>) -> Reply {
    // SAFETY: only the addresses are taken. No byte is read, here or later.
    let addresses = unsafe { call.bytes()? }.as_ptr_range();
    let lent = entry(call.state)?.pool().lend(addresses.start.addr()..addresses.end.addr())?;
    call.set(Word::Granted, u32::from(lent));
    Ok(None)
}

/// Returns the `ArrayBuffer` over the block `Block`.
pub(crate) fn view(call: &mut Call<'_>) -> Reply {
    let (realm, index) = (Arc::clone(&call.state.realm), call.get(Word::Block) as usize);
    Ok(Some(array_buffer(&realm, entry(call.state)?.block(index)?.sight())?))
}

/// Watches for a change of a pool that other isolates use as well: it has more blocks than `Block`, or it is closed and drained.
/// Out: `Wait`, 0 if that is so already; then `Block`, how many blocks there are, and `Ended`.
pub(crate) fn watch(call: &mut Call<'_>) -> Reply {
    let known = call.get(Word::Block) as usize;
    let change = entry(call.state)?.pool().change(known);
    polled::watch(call, change, |state, change| {
        let (blocks, drained) = match change {
            Change::Grown(blocks) => (blocks, false),
            Change::Drained => (0, true),
        };
        state.control.set(Word::Block, blocks as u32);
        state.control.set(Word::Ended, u32::from(drained));
    })
}

/// Closes the pool, and begins a wait until nothing is in use any more. Out: `Wait`, 0 if that is so already.
///
/// Refuses new requests and those that wait. Buffers that have left for other isolates and not arrived are revoked.
pub(crate) fn close(call: &mut Call<'_>) -> Reply {
    let pool = entry(call.state)?.pool();
    pool.close();
    PARKED.revoke(|object| object.is_of_buddy(pool));
    let drained = pool.drained();
    polled::future(call, drained, |_, ()| Ok(()))
}

/// `BuddyPoolOptions`, which the facade has checked. Undefined values are the crate's defaults.
#[napi(object)]
pub struct BuddyPoolSettings {
    /// The limit, in bytes.
    pub max_memory: Option<f64>,
    /// Number of chunks of 1, 4, 16 and 64 MiB that must be free before four neighbors are merged.
    pub merge_watermarks: Option<Vec<u32>>,
    /// Time for which a request may be passed over before memory is set aside for it, in milliseconds.
    pub starvation_timeout_ms: Option<u32>,
    /// Number of empty slabs that are kept for each of 16, 64 and 256 KiB.
    pub slab_empty_watermark: Option<u32>,
    /// Whether each thread keeps free chunks of slabs.
    pub thread_cache: Option<bool>,
    /// Whether new blocks lie in huge pages.
    pub huge_pages: bool,
    /// Whether new blocks are locked in memory.
    pub lock: bool,
    /// Whether the pages of new blocks are touched at once.
    pub prefault: bool,
    /// Whether new blocks lie in pages that were set aside.
    pub huge_tlb: Option<bool>,
    /// The file that new blocks lie in.
    pub file: Option<String>,
    /// Whether new blocks are lent by the script.
    pub lent: Option<bool>,
}

impl From<BuddyPoolSettings> for Options {
    fn from(settings: BuddyPoolSettings) -> Self {
        let BuddyPoolSettings { huge_pages, lock, prefault, huge_tlb, .. } = settings;
        let backend = match settings.file {
            Some(path) => Backend::File(path.into()),
            None if huge_tlb == Some(true) => Backend::HugeTlb,
            None if settings.lent == Some(true) => Backend::Lent,
            None => Backend::Anonymous,
        };
        let default = Self::default();
        let watermarks = settings.merge_watermarks.and_then(|marks| <[u32; 4]>::try_from(marks).ok());
        let timeout = settings.starvation_timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        #[allow(clippy::cast_sign_loss, reason = "the facade checks that it is a whole number above 0")]
        Self {
            max_memory: settings.max_memory.map_or(default.max_memory, |bytes| bytes as usize),
            merge_watermarks: watermarks.map_or(default.merge_watermarks, |marks| marks.map(|mark| mark as usize)),
            starvation_timeout: timeout.unwrap_or(default.starvation_timeout),
            slab_empty_watermark: settings.slab_empty_watermark.map_or(default.slab_empty_watermark, |n| n as usize),
            thread_cache: settings.thread_cache.unwrap_or(default.thread_cache),
            policy: BlockPolicy { huge_pages, lock, prefault },
            backend,
        }
    }
}

/// Makes a pool for the copy of the facade that `Facade` names.
#[napi(catch_unwind)]
pub fn buddy_pool_create(env: Env, settings: BuddyPoolSettings) -> Result<ObjectHandle> {
    let state = EnvState::of(env)?;
    let pool = match state.debug.general_quarantine() {
        None => BuddyPool::new(settings.into()),
        Some(quarantine) => BuddyPool::guarded(settings.into(), quarantine),
    };
    Ok(state.tables.buddy_pools.find(state.control.get(Word::Facade), pool)?.into())
}

/// The part of `stats()` of a buddy pool that the core knows.
#[napi(object)]
pub struct BuddyPoolReport {
    /// The size of its blocks, in bytes.
    pub allocated_memory: f64,
    /// The limit, in bytes.
    pub max_memory: f64,
    /// Number of blocks.
    pub blocks: u32,
    /// Number of buffers that are alive.
    pub live_buffers: f64,
    /// Number of requests that wait.
    pub waiting: f64,
    /// Number of free chunks of 1, 4, 16 and 64 MiB.
    pub free_counts: Vec<u32>,
    /// Number of chunks of 1, 4, 16 and 64 MiB that could be merged out of four free ones, and were not yet.
    pub pending_counts: Vec<u32>,
    /// Number of chunks of 16, 64 and 256 KiB that are free in slabs.
    pub slab_free_counts: Vec<u32>,
}

impl From<Stats> for BuddyPoolReport {
    fn from(stats: Stats) -> Self {
        let counts = |counts: &[usize]| counts.iter().map(|&count| count as u32).collect();
        Self {
            allocated_memory: stats.allocated_memory as f64,
            max_memory: stats.max_memory as f64,
            blocks: stats.blocks as u32,
            live_buffers: stats.live_buffers as f64,
            waiting: stats.waiting as f64,
            free_counts: counts(&stats.free_counts),
            pending_counts: counts(&stats.pending_counts),
            slab_free_counts: counts(&stats.slab_free_counts),
        }
    }
}

/// Returns what the pool reports of itself.
#[napi(catch_unwind)]
pub fn buddy_pool_report(env: Env, handle: ObjectHandle) -> Result<BuddyPoolReport> {
    let entry = EnvState::of_any(env)?.tables.buddy_pools.get(Handle::from(handle)).ok_or_else(Fault::released)?;
    Ok(entry.pool().stats().into())
}

/// Forgets a pool that is closed and drained. Blocks that JavaScript cannot see any more are unmapped, and blocks that were lent are not lent
/// any more.
#[napi(catch_unwind)]
pub fn buddy_pool_end(env: Env, handle: ObjectHandle) -> Result<()> {
    let pools = &mut EnvState::of_any(env)?.tables.buddy_pools;
    let entry = pools.remove(Handle::from(handle)).ok_or_else(Fault::released)?;
    // A wait that has just ended may still hold the pool, but the script takes its blocks back now.
    entry.pool().give_back();
    Ok(())
}
