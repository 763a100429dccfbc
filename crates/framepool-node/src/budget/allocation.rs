//! Allocations of budget pools: `BudgetAllocation` of the facade.

use framepool::budget::Allocation;
use framepool::shown::Shown;

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::Fault;
use crate::shown::external::array_buffer;
use crate::state::EnvState;
use crate::tables::Tables;

/// Hands an allocation to JavaScript. Out: `Handle`, and `Length` in bytes.
pub(crate) fn hand_over(state: &mut EnvState, allocation: Shown<Allocation>) -> Result<(), Fault> {
    state.control.set(Word::Length, allocation.allocated_bytes() as u32);
    let handle = state.tables.budget_allocations.insert(allocation)?;
    state.set_handle(Word::Handle, Word::Generation, handle);
    Ok(())
}

/// Returns the `ArrayBuffer` over an allocation.
pub(crate) fn view(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let EnvState { tables: Tables { budget_allocations, .. }, realm, .. } = call.state;
    let allocation = budget_allocations.get_mut(handle).ok_or_else(Fault::released)?;
    Ok(Some(array_buffer(realm, allocation.sight())?))
}

/// Frees an allocation, or abandons it.
pub(crate) fn release(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let abandoned = call.get(Word::Abandoned) == 1;
    call.state.tables.budget_allocations.free(handle, abandoned)?;
    Ok(None)
}
