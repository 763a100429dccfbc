//! Slot pools: `SlotPool` of the facade.

use std::sync::Arc;

use framepool::handle::Handle;
use framepool::memory_budget::MemoryBudget;
use framepool::shown::Shown;
use framepool::slot::{Mode, Options, Place, SlotPool, Taken};
use napi::Env;
use napi_derive::napi;

use crate::allocator;
use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::{Fault, Result};
use crate::handle::ObjectHandle;
use crate::shown::external::array_buffer;
use crate::slot::entry::SlotPoolEntry;
use crate::state::EnvState;
use crate::tables::Tables;
use crate::threads::transferable::PARKED;

fn entry(state: &mut EnvState) -> std::result::Result<&mut SlotPoolEntry, Fault> {
    let handle = state.handle(Word::Handle, Word::Generation);
    state.tables.slot_pools.get_mut(handle).ok_or_else(Fault::released)
}

/// Makes `Length` more bytes writable after what is written. Out: `Slot`, 0 for the heap and else 1; `Offset`; `Moved`.
pub(crate) fn writable(call: &mut Call<'_>) -> Reply {
    let control = call.state.control.clone();
    let entry = entry(call.state)?;
    // JavaScript forgets its backlog whether or not the rest fails.
    entry.catch_up(&control)?;
    allocator::check()?;
    let (written, place) = (entry.pool.len(), entry.pool.heap_sight().map(|sight| sight.span().cast::<u8>()));
    if let Some(quarantine) = &entry.quarantine {
        // A write through an earlier view is to be caught.
        entry.pool.move_heap_on(quarantine)?;
    }
    entry.pool.try_get_writable(control.get(Word::Length) as usize)?;
    let (slot, offset) = match entry.pool.place() {
        Place::Region(offset) => (1, offset + written),
        Place::Heap => (0, written),
    };
    let moved = entry.pool.heap_sight().map(|sight| sight.span().cast()) != place;
    control.set(Word::Moved, u32::from(moved));
    control.set(Word::Slot, slot);
    control.set(Word::Offset, offset as u32);
    Ok(None)
}

/// Finds the place of a message that begins with `Length` bytes. Out: `Slot`, 0 if the message has begun on the heap and else 1;
/// what `report` says: in the region JavaScript begins the message by itself.
pub(crate) fn find(call: &mut Call<'_>) -> Reply {
    let control = call.state.control.clone();
    let entry = entry(call.state)?;
    // JavaScript forgets its backlog whether or not the rest fails.
    entry.catch_up(&control)?;
    let found = allocator::check().and_then(|()| Ok(entry.pool.try_find(control.get(Word::Length) as usize)?));
    // Also on failure: a message that finds no place has changed the mode, and with it the place of the next one.
    entry.report(&control);
    control.set(Word::Slot, u32::from(found? != Place::Heap));
    Ok(None)
}

/// Makes a slice of what is written. Out: `Slot`, `Offset`, `Length`, or `Heap`; what `report` says.
#[inline]
pub(crate) fn take(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let EnvState { tables: Tables { slot_pools, slices, .. }, control, .. } = call.state;
    let entry = slot_pools.get_mut(handle).ok_or_else(Fault::released)?;
    // JavaScript forgets its backlog whether or not the rest fails.
    entry.catch_up(control)?;
    entry.report(control);
    allocator::check()?;
    slices.make_room()?;
    let taken = match &entry.quarantine {
        None => entry.pool.take_held(),
        Some(quarantine) => Taken::Heap(entry.pool.take_guarded(quarantine)?),
    };
    SlotPoolEntry::hand_over(taken, slices, control)?;
    entry.report(control);
    Ok(None)
}

/// Catches up, so that what is reported next is exact. Out: what `report` says.
pub(crate) fn settle(call: &mut Call<'_>) -> Reply {
    let control = call.state.control.clone();
    let entry = entry(call.state)?;
    entry.catch_up(&control)?;
    entry.report(&control);
    Ok(None)
}

/// Hides the first `Offset` bytes of the message, and keeps the first `Length` bytes of the rest.
pub(crate) fn truncate(call: &mut Call<'_>) -> Reply {
    let length = call.get(Word::Length) as usize;
    let hidden = call.get(Word::Offset) as usize;
    let entry = entry(call.state)?;
    entry.pool.try_set_start(hidden)?;
    entry.pool.try_truncate(length)?;
    Ok(None)
}

/// Returns the `ArrayBuffer` over the pool's region.
pub(crate) fn region(call: &mut Call<'_>) -> Reply {
    let realm = Arc::clone(&call.state.realm);
    Ok(Some(array_buffer(&realm, entry(call.state)?.region.sight())?))
}

/// Returns the `ArrayBuffer` over the heap buffer in which a message is being written.
pub(crate) fn heap(call: &mut Call<'_>) -> Reply {
    let realm = Arc::clone(&call.state.realm);
    let sight = entry(call.state)?.pool.heap_sight();
    let sight = sight.ok_or_else(|| Fault::internal("no message is being written on the heap"))?;
    Ok(Some(array_buffer(&realm, sight)?))
}

/// Ends the views of the region. In debug mode views are good until the next call.
pub(crate) fn conceal(call: &mut Call<'_>) -> Reply {
    // If that cannot be done, the views stay: they show memory that the pool still has.
    entry(call.state)?.region.conceal();
    Ok(None)
}

/// Drops the slices of the pool that have left this isolate and not arrived in another.
pub(crate) fn revoke(call: &mut Call<'_>) -> Reply {
    let region = Arc::clone(entry(call.state)?.pool.region());
    PARKED.revoke(|object| object.is_in(&region));
    Ok(None)
}

/// Drops what is written.
pub(crate) fn discard(call: &mut Call<'_>) -> Reply {
    let pool = &mut entry(call.state)?.pool;
    pool.try_set_start(0)?;
    pool.try_truncate(0)?;
    pool.forget_empty();
    Ok(None)
}

/// Frees the pool, or abandons it.
pub(crate) fn close(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let entry = call.state.tables.slot_pools.remove(handle).ok_or_else(Fault::released)?;
    if call.get(Word::Abandoned) == 1 {
        entry.region.abandon();
        entry.pool.abandon();
    }
    Ok(None)
}

/// Options of a pool, which the facade has checked.
#[napi(object)]
pub struct SlotPoolSettings {
    /// Number of slots of the pool.
    pub slots: u32,
    /// Whether its slices are guarded.
    pub debug: bool,
    /// The most bytes of its messages on the heap.
    pub heap_limit: Option<f64>,
    /// The budget that counts these bytes.
    pub heap_budget: Option<ObjectHandle>,
}

/// Makes a pool of `capacity` bytes.
#[napi(catch_unwind)]
pub fn slot_pool_create(env: Env, capacity: u32, settings: SlotPoolSettings) -> Result<ObjectHandle> {
    let state = EnvState::of(env)?;
    let SlotPoolSettings { slots, debug, heap_limit, heap_budget } = settings;
    #[allow(clippy::cast_sign_loss, reason = "the facade checks that it is a whole number above 0")]
    let heap = match (heap_limit, heap_budget) {
        (_, Some(budget)) => Some(state.tables.memory_budgets.get(budget.into()).ok_or_else(Fault::released)?.clone()),
        (Some(bytes), None) => Some(MemoryBudget::new(bytes as usize).map_err(Fault::from)?),
        (None, None) => None,
    };
    let options = Options { slots: slots as usize, heap };
    let pool = SlotPool::with_options(capacity as usize, options).map_err(Fault::from)?;
    let quarantine = debug.then(|| Arc::clone(state.debug.quarantine()));
    if let Some(quarantine) = &quarantine {
        pool.region().guard().set(quarantine);
    }
    let region = Shown::new(Arc::clone(pool.region()));
    Ok(state.tables.slot_pools.insert(SlotPoolEntry { pool, region, quarantine })?.into())
}

/// The part of `SlotPoolStats` that the core knows, and the line that the pool prints.
#[napi(object)]
pub struct SlotPoolReport {
    /// `back`, `front` or `alloc`.
    pub mode: String,
    /// One character a slot.
    pub slots: String,
    /// Slices that were taken from the heap.
    pub heap_fallbacks: f64,
    /// Times that the pool began again with nothing alive.
    pub resets: f64,
    /// Changes of the mode.
    pub mode_changes: f64,
    /// Messages that found no free slot.
    pub out_of_slots: f64,
    /// Messages that found too few free bytes.
    pub out_of_bytes: f64,
    /// Messages that were longer than the region.
    pub too_long: f64,
    /// Times that the limit of the heap refused bytes.
    pub heap_refusals: f64,
    /// The slots and the mode, as `toString()` prints them.
    pub line: String,
}

/// Returns what the pool reports of itself.
#[napi(catch_unwind)]
pub fn slot_pool_report(env: Env, handle: ObjectHandle) -> Result<SlotPoolReport> {
    let handle = Handle::from(handle);
    let entry = EnvState::of_any(env)?.tables.slot_pools.get(handle).ok_or_else(Fault::released)?;
    let stats = entry.pool.stats();
    Ok(SlotPoolReport {
        mode: match stats.mode {
            Mode::Back => "back",
            Mode::Front => "front",
            Mode::Alloc => "alloc",
        }
        .to_owned(),
        slots: stats.slots.iter().map(|&digit| char::from(digit)).collect(),
        heap_fallbacks: stats.heap_fallbacks as f64,
        resets: stats.resets as f64,
        mode_changes: stats.mode_changes as f64,
        out_of_slots: stats.out_of_slots as f64,
        out_of_bytes: stats.out_of_bytes as f64,
        too_long: stats.too_long as f64,
        heap_refusals: stats.heap_refusals as f64,
        line: entry.pool.to_string(),
    })
}
