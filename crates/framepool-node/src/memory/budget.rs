//! Budgets by themselves: `MemoryBudget` of the facade.

use framepool::handle::Handle;
use framepool::memory_budget::{MemoryBudget, MemoryStats};
use napi::Env;
use napi_derive::napi;

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::{Fault, Result};
use crate::handle::ObjectHandle;
use crate::memory::reservation;
use crate::state::EnvState;
use crate::wait::settle;

/// Returns the budget that a call is about, and the bytes of its request, which are a wide number.
fn request<'a>(call: &'a Call<'_>) -> std::result::Result<(&'a MemoryBudget, usize), Fault> {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let budget = call.state.tables.memory_budgets.get(handle).ok_or_else(Fault::released)?;
    let bytes = u64::from(call.get(Word::High)) << 32 | u64::from(call.get(Word::Low));
    Ok((budget, usize::try_from(bytes).unwrap_or(usize::MAX)))
}

/// Reserves the bytes in `Low` and `High` now. Out: `Granted`, and if that is 1 the reservation in `Handle`.
pub(crate) fn try_reserve(call: &mut Call<'_>) -> Reply {
    call.state.tables.reservations.make_room()?;
    let (budget, bytes) = request(call)?;
    match budget.try_reserve(bytes)? {
        Some(granted) => reservation::hand_over(call.state, granted)?,
        None => call.set(Word::Granted, 0),
    }
    Ok(None)
}

/// Reserves the bytes in `Low` and `High` when it is this request's turn. Out: `Wait`, and if that is 0 `Handle`.
pub(crate) fn reserve(call: &mut Call<'_>) -> Reply {
    call.state.tables.reservations.make_room()?;
    let (budget, bytes) = request(call)?;
    // While something is on its way to this isolate, what is granted now has to come after it.
    if call.state.waits.is_idle()
        && let Some(granted) = budget.try_reserve(bytes)?
    {
        reservation::hand_over(call.state, granted)?;
        call.set(Word::Wait, 0);
        return Ok(None);
    }
    let budget = budget.clone();
    settle::begin(call, move |_, wait| {
        let request = budget.enqueue(bytes, move |granted| {
            wait.settle(move |state| reservation::hand_over(state, granted?));
        })?;
        Ok(Some(Box::new(move |_| {
            budget.cancel(request);
        })))
    })
}

/// Gives up this isolate's share of a budget.
pub(crate) fn forget(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    call.state.tables.memory_budgets.remove(handle).ok_or_else(Fault::released)?;
    Ok(None)
}

/// Makes a budget of `bytes`, which is a whole number above 0.
#[napi(catch_unwind)]
pub fn memory_budget_create(env: Env, bytes: f64) -> Result<ObjectHandle> {
    let state = EnvState::of(env)?;
    #[allow(clippy::cast_sign_loss, reason = "the core checks the range, into which the cast saturates")]
    let budget = MemoryBudget::new(bytes as usize).map_err(Fault::from)?;
    Ok(state.tables.memory_budgets.insert(budget)?.into())
}

/// Result of `stats()` of a memory budget.
#[napi(object)]
pub struct MemoryBudgetReport {
    /// Bytes that are reserved.
    pub reserved_bytes: f64,
    /// Requests that wait.
    pub waiting: f64,
    /// The most bytes that were reserved at once.
    pub peak_bytes: f64,
}

/// Returns what the budget reports of itself.
#[napi(catch_unwind)]
pub fn memory_budget_report(env: Env, handle: ObjectHandle) -> Result<MemoryBudgetReport> {
    let budget = EnvState::of_any(env)?.tables.memory_budgets.get(Handle::from(handle)).ok_or_else(Fault::released)?;
    let MemoryStats { reserved_bytes, waiting, peak_bytes } = budget.stats();
    Ok(MemoryBudgetReport {
        reserved_bytes: reserved_bytes as f64,
        waiting: waiting as f64,
        peak_bytes: peak_bytes as f64,
    })
}
