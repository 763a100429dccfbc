//! Budget pools: `BudgetPool` of the facade.

use framepool::budget::{Allocation, BudgetError, BudgetPool, Stats};
use framepool::handle::Handle;
use framepool::shown::Shown;
use napi::Env;
use napi_derive::napi;

use crate::budget::allocation;
use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::{Fault, Result};
use crate::handle::ObjectHandle;
use crate::state::EnvState;
use crate::threads::transferable::PARKED;
use crate::wait::{blocked, settle};

/// Reads a request: the pool, the number of buffers, and whether they are to be cleared.
fn request<'a>(call: &'a Call<'_>) -> std::result::Result<(&'a BudgetPool, usize, bool), Fault> {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let pool = call.state.tables.budget_pools.get(handle).ok_or_else(Fault::released)?;
    Ok((pool, call.get(Word::Length) as usize, call.get(Word::Zero) == 1))
}

fn hand_over_new(state: &mut EnvState, allocation: Allocation) -> std::result::Result<(), Fault> {
    allocation::hand_over(state, Shown::new(allocation))
}

/// Allocates `Length` buffers now. Out: `Handle`, and `Length` in bytes, which is 0 when the budget does not allow them.
pub(crate) fn try_allocate(call: &mut Call<'_>) -> Reply {
    let (pool, count, zero) = request(call)?;
    match pool.try_allocate(count, zero)? {
        Some(allocation) => hand_over_new(call.state, allocation)?,
        None => call.set(Word::Length, 0),
    }
    Ok(None)
}

/// Allocates `Length` buffers when it is this request's turn. Out: `Wait`, and if that is 0 `Handle` and `Length`.
pub(crate) fn allocate(call: &mut Call<'_>) -> Reply {
    let (pool, count, zero) = request(call)?;
    // While something is on its way to this isolate, what is granted now has to come after it.
    if call.state.waits.is_idle()
        && let Some(allocation) = pool.try_allocate(count, zero)?
    {
        hand_over_new(call.state, allocation)?;
        call.set(Word::Wait, 0);
        return Ok(None);
    }
    let pool = pool.clone();
    settle::begin(call, move |_, wait| {
        let request = pool.enqueue(count, move |granted| {
            wait.settle(move |state| hand_over_new(state, granted?.allocate(zero)?));
        })?;
        Ok(Some(Box::new(move |_| {
            pool.cancel(request);
        })))
    })
}

/// Allocates `Length` buffers, for which this thread is blocked: see `blocked::wait`. Out: `Wait`, and if that is 0 `Handle` and
/// `Length`. The request keeps its place in the queue for as long as the wait goes on.
pub(crate) fn allocate_sync(call: &mut Call<'_>) -> Reply {
    let (pool, count, zero) = request(call)?;
    let pool = pool.clone();
    blocked::wait(
        call,
        || Ok(Some(pool.line_up(count)?)),
        |state, place, moment| {
            let Some(granted) = place.and_then(|place| place.wait(moment)) else { return Ok(false) };
            hand_over_new(state, granted?.allocate(zero)?)?;
            Ok(true)
        },
        |_| BudgetError::TimedOut.into(),
    )
}

/// Closes the pool, and begins a wait until nothing is allocated any more. Out: `Wait`.
///
/// Refuses new requests and those that wait. Allocations that have left for other isolates and not arrived are revoked.
pub(crate) fn close(call: &mut Call<'_>) -> Reply {
    let (pool, ..) = request(call)?;
    let pool = pool.clone();
    PARKED.revoke(|object| object.is_of_budget(&pool));
    settle::begin(call, move |_, wait| {
        pool.close(move || wait.settle(|_| Ok(())));
        // Closing cannot be taken back, and nothing is granted that could be lost.
        Ok(Some(Box::new(|_| {})))
    })
}

/// Makes a pool. Sizes are in bytes; `max_memory` is a whole number.
#[napi(catch_unwind)]
pub fn budget_pool_create(env: Env, buffer_size: u32, max_memory: f64) -> Result<ObjectHandle> {
    #[allow(clippy::cast_sign_loss, reason = "the core checks the range, into which the cast saturates")]
    let (buffer_size, max_memory, state) = (buffer_size as usize, max_memory as usize, EnvState::of(env)?);
    let pool = match state.debug.general_quarantine() {
        None => BudgetPool::new(buffer_size, max_memory),
        Some(quarantine) => BudgetPool::guarded(buffer_size, max_memory, quarantine),
    };
    Ok(state.tables.budget_pools.insert(pool.map_err(Fault::from)?)?.into())
}

/// Result of `stats()` of a budget pool.
#[napi(object)]
pub struct BudgetPoolReport {
    /// Bytes that are allocated, or granted to requests that wait for their turn of the event loop.
    pub allocated_bytes: f64,
    /// Allocations that hold these bytes.
    pub live_allocations: f64,
    /// Requests that wait for the budget.
    pub waiting: f64,
    /// The most bytes that were allocated at once.
    pub peak_bytes: f64,
}

impl From<Stats> for BudgetPoolReport {
    fn from(stats: Stats) -> Self {
        Self {
            allocated_bytes: stats.allocated_bytes as f64,
            live_allocations: stats.live_allocations as f64,
            waiting: stats.waiting as f64,
            peak_bytes: stats.peak_bytes as f64,
        }
    }
}

/// Returns what the pool reports of itself.
#[napi(catch_unwind)]
pub fn budget_pool_report(env: Env, handle: ObjectHandle) -> Result<BudgetPoolReport> {
    let pool = EnvState::of_any(env)?.tables.budget_pools.get(Handle::from(handle)).ok_or_else(Fault::released)?;
    Ok(pool.stats().into())
}

/// Forgets a pool that is closed and empty. Returns its last report.
#[napi(catch_unwind)]
pub fn budget_pool_end(env: Env, handle: ObjectHandle) -> Result<BudgetPoolReport> {
    let pool = EnvState::of_any(env)?.tables.budget_pools.remove(Handle::from(handle)).ok_or_else(Fault::released)?;
    Ok(pool.stats().into())
}
