//! Buddy pools: `BuddyPool` and `BuddyBuffer` of the facade.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use framepool::buddy::{Block, BlockPolicy, BuddyPool, Buffer, Change, Error, Options, Stats};
use framepool::handle::Handle;
use framepool::shown::Shown;
use napi::Env;
use napi_derive::napi;

use crate::boundary::{Call, ObjectHandle, Reply};
use crate::control::Word;
use crate::env::EnvState;
use crate::errors::{Fault, Result};
use crate::external::array_buffer;
use crate::inspect::{Isolate, Kind, Listed, Table, Window};
use crate::{polled, ticket};

/// A pool, and what this isolate has been shown of it.
pub(crate) struct BuddyPoolEntry {
    pool: BuddyPool,
    /// The first blocks of the pool, by index.
    blocks: Vec<Shown<Arc<Block>>>,
}

impl BuddyPoolEntry {
    pub(crate) fn pool(&self) -> &BuddyPool {
        &self.pool
    }

    fn block(&mut self, index: usize) -> std::result::Result<&mut Shown<Arc<Block>>, Fault> {
        if index >= self.blocks.len() {
            let more = self.pool.blocks(self.blocks.len());
            self.blocks.extend(more.into_iter().map(Shown::new));
        }
        self.blocks.get_mut(index).ok_or_else(|| Fault::internal("a block that the pool does not have"))
    }
}

impl Listed for BuddyPoolEntry {
    fn kind(&self) -> Kind {
        Kind::BuddyPool
    }

    /// Of its blocks, of which there are none yet.
    fn bytes(&self) -> usize {
        0
    }

    const HAS_WINDOW: bool = true;

    fn window(&self) -> Option<Window> {
        Some(Window::Blocks(self.pool.clone()))
    }
}

impl Listed for Shown<Buffer> {
    fn kind(&self) -> Kind {
        Kind::BuddyBuffer
    }

    fn bytes(&self) -> usize {
        self.capacity()
    }
}

/// The pools that this isolate has made or met, each once, however often it came.
pub(crate) struct BuddyPools {
    pub(crate) table: Table<BuddyPoolEntry>,
    /// By the copy of the facade that shows their blocks, and by their identity.
    known: HashMap<(u32, usize), Handle>,
}

impl BuddyPools {
    pub(crate) fn new(isolate: &mut Isolate) -> Self {
        Self { table: Table::new(isolate), known: HashMap::new() }
    }

    pub(crate) fn get(&self, handle: Handle) -> Option<&BuddyPoolEntry> {
        self.table.get(handle)
    }

    fn get_mut(&mut self, handle: Handle) -> Option<&mut BuddyPoolEntry> {
        self.table.get_mut(handle)
    }

    fn find(&mut self, facade: u32, pool: BuddyPool) -> std::result::Result<Handle, Fault> {
        let key = (facade, pool.id());
        if let Some(handle) = self.known.get(&key) {
            return Ok(*handle);
        }
        self.make_room()?;
        let handle = self.table.insert(BuddyPoolEntry { pool, blocks: Vec::new() })?;
        self.known.insert(key, handle);
        Ok(handle)
    }

    /// Whether one more pool can be taken in without memory.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.table.has_room() && self.known.len() < self.known.capacity()
    }

    /// Makes sure that one more pool can be taken in.
    pub(crate) fn make_room(&mut self) -> std::result::Result<(), Fault> {
        self.table.make_room()?;
        self.known.try_reserve(1).map_err(|_| Fault::no_memory())
    }

    fn remove(&mut self, handle: Handle) -> Option<BuddyPoolEntry> {
        let entry = self.table.remove(handle)?;
        self.known.retain(|_, known| *known != handle);
        Some(entry)
    }

    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.table.clear();
    }
}

/// The pool, which this isolate may not have met before. Out: `Pool`.
pub(crate) fn take_in(state: &mut EnvState, pool: BuddyPool) -> std::result::Result<Handle, Fault> {
    let handle = state.buddy_pools.find(state.control.get(Word::Facade), pool)?;
    state.set_handle(Word::Pool, Word::PoolGeneration, handle);
    Ok(handle)
}

fn entry(state: &mut EnvState) -> std::result::Result<&mut BuddyPoolEntry, Fault> {
    let handle = state.handle(Word::Handle, Word::Generation);
    state.buddy_pools.get_mut(handle).ok_or_else(Fault::released)
}

/// Hands a buffer to JavaScript. Out: `Handle`; `Block`, `Offset` in it, and `Length`.
pub(crate) fn hand_over(state: &mut EnvState, pool: Handle, buffer: Shown<Buffer>) -> std::result::Result<(), Fault> {
    let entry = state.buddy_pools.get_mut(pool).ok_or_else(Fault::released)?;
    let index = buffer.block();
    let base = entry.block(index)?.base().addr().get();
    let control = &state.control;
    control.set(Word::Block, index as u32);
    control.set(Word::Offset, (buffer.as_slice().as_ptr().addr() - base) as u32);
    control.set(Word::Length, buffer.capacity() as u32);
    let handle = state.buddy_buffers.insert(buffer)?;
    state.set_handle(Word::Handle, Word::Generation, handle);
    Ok(())
}

/// `Length` bytes now. Out: a buffer, or `Length` 0 at the limit.
pub(crate) fn try_allocate(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let size = call.get(Word::Length) as usize;
    call.state.buddy_buffers.make_room()?;
    match entry(call.state)?.pool.try_allocate(size) {
        Ok(buffer) => hand_over(call.state, handle, Shown::new(buffer))?,
        Err(Error::Limit { .. }) => call.set(Word::Length, 0),
        Err(error) => return Err(error.into()),
    }
    Ok(None)
}

/// `Length` bytes as soon as they are there; the call carries what is to be called then. Out: `Wait`, and if that is 0 a
/// buffer.
pub(crate) fn allocate(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let size = call.get(Word::Length) as usize;
    let buffer = entry(call.state)?.pool.allocate(size);
    polled::future(call, buffer, move |state, buffer| hand_over(state, handle, Shown::new(buffer?)))
}

/// The `ArrayBuffer` over a buffer alone, for debug mode.
pub(crate) fn buffer(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let EnvState { buddy_buffers, realm, .. } = call.state;
    let buffer = buddy_buffers.get_mut(handle).ok_or_else(Fault::released)?;
    Ok(Some(array_buffer(realm, buffer.sight())?))
}

/// Gives a buffer back, or abandons it.
pub(crate) fn release(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let abandoned = call.get(Word::Abandoned) == 1;
    call.state.buddy_buffers.free(handle, abandoned)?;
    Ok(None)
}

/// The `ArrayBuffer` over the block `Block`.
pub(crate) fn view(call: &mut Call<'_>) -> Reply {
    let (realm, index) = (Arc::clone(&call.state.realm), call.get(Word::Block) as usize);
    Ok(Some(array_buffer(&realm, entry(call.state)?.block(index)?.sight())?))
}

/// Of a pool that others use as well: the call carries what is to be called when there are more blocks than `Block`, or when
/// the pool is closed and drained. Out: `Wait`, 0 if that is so already; then `Block`, how many there are, and `Ended`.
pub(crate) fn watch(call: &mut Call<'_>) -> Reply {
    let known = call.get(Word::Block) as usize;
    let change = entry(call.state)?.pool.change(known);
    polled::watch(call, change, |state, change| {
        let (blocks, drained) = match change {
            Change::Grown(blocks) => (blocks, false),
            Change::Drained => (0, true),
        };
        state.control.set(Word::Block, blocks as u32);
        state.control.set(Word::Ended, u32::from(drained));
    })
}

/// Refuses all that is asked, and those that wait, and revokes what has left for other isolates and not arrived; the call carries what is to be called when nothing is in use any more.
/// Out: `Wait`, 0 if that is so already.
pub(crate) fn close(call: &mut Call<'_>) -> Reply {
    let pool = &entry(call.state)?.pool;
    pool.close();
    ticket::PARKED.revoke(|object| object.is_of_buddy(pool));
    let drained = pool.drained();
    polled::future(call, drained, |_, ()| Ok(()))
}

/// `BuddyPoolOptions`, checked and complete but for what is the crate's default.
#[napi(object)]
pub struct BuddyPoolSettings {
    /// In bytes.
    pub max_memory: Option<f64>,
    /// Four of them.
    pub merge_watermarks: Option<Vec<u32>>,
    /// In milliseconds.
    pub starvation_timeout_ms: Option<u32>,
    /// For each size of chunks.
    pub slab_empty_watermark: Option<u32>,
    /// See the crate.
    pub thread_cache: Option<bool>,
    /// Of each new block.
    pub huge_pages: bool,
    /// Of each new block.
    pub lock: bool,
    /// Of each new block.
    pub prefault: bool,
}

impl From<BuddyPoolSettings> for Options {
    fn from(settings: BuddyPoolSettings) -> Self {
        let BuddyPoolSettings { huge_pages, lock, prefault, .. } = settings;
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
        }
    }
}

/// A new pool, of the copy of the facade that `Facade` names.
#[napi(catch_unwind)]
pub fn buddy_pool_create(env: Env, settings: BuddyPoolSettings) -> Result<ObjectHandle> {
    let state = EnvState::of(env)?;
    let pool = match state.debug.general_quarantine() {
        None => BuddyPool::new(settings.into()),
        Some(quarantine) => BuddyPool::guarded(settings.into(), quarantine),
    };
    Ok(state.buddy_pools.find(state.control.get(Word::Facade), pool)?.into())
}

/// `stats()` of a buddy pool, as far as the core knows them.
#[napi(object)]
pub struct BuddyPoolReport {
    /// Bytes of its blocks.
    pub allocated_memory: f64,
    /// The limit in bytes.
    pub max_memory: f64,
    /// How many blocks there are.
    pub blocks: u32,
    /// Buffers acquired.
    pub live_buffers: f64,
    /// Waits that are not over.
    pub waiting: f64,
    /// 1, 4, 16, 64 MiB.
    pub free_counts: Vec<u32>,
    /// 1, 4, 16, 64 MiB.
    pub pending_counts: Vec<u32>,
    /// 16, 64, 256 KiB.
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

/// What the pool reports of itself.
#[napi(catch_unwind)]
pub fn buddy_pool_report(env: Env, handle: ObjectHandle) -> Result<BuddyPoolReport> {
    let entry = EnvState::of_any(env)?.buddy_pools.get(Handle::from(handle)).ok_or_else(Fault::released)?;
    Ok(entry.pool.stats().into())
}

/// Forgets a pool that is closed and drained. Blocks that JavaScript cannot see any more are unmapped.
#[napi(catch_unwind)]
pub fn buddy_pool_end(env: Env, handle: ObjectHandle) -> Result<()> {
    EnvState::of_any(env)?.buddy_pools.remove(Handle::from(handle)).ok_or_else(Fault::released)?;
    Ok(())
}
