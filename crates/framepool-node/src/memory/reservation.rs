//! Parts of memory budgets: `Reservation` of the facade, and what readers have reserved.

use framepool::handle::Handle;
use framepool::memory_budget::Reservation;

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::Fault;
use crate::state::EnvState;

/// Stands in `Purse` for no reservation.
pub(crate) const NONE: u32 = u32::MAX;

/// Hands a reservation to JavaScript. Out: `Handle`; `Granted`, 1.
pub(crate) fn hand_over(state: &mut EnvState, reservation: Reservation) -> Result<(), Fault> {
    let handle = state.tables.reservations.insert(reservation)?;
    state.set_handle(Word::Handle, Word::Generation, handle);
    state.control.set(Word::Granted, 1);
    Ok(())
}

fn called<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Reservation, Fault> {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    call.state.tables.reservations.get_mut(handle).ok_or_else(Fault::released)
}

/// Changes a reservation to `Length` bytes. Out: `Granted`, 0 if the budget does not allow more now: then nothing has changed.
pub(crate) fn resize(call: &mut Call<'_>) -> Reply {
    let bytes = call.get(Word::Length) as usize;
    let reservation = called(call)?;
    let granted = reservation.try_grow_to(bytes);
    reservation.shrink_to(bytes.max(if granted { 0 } else { usize::MAX }));
    call.set(Word::Granted, u32::from(granted));
    Ok(None)
}

/// Adds the reservation in `Purse`, which ends, to that in `Handle`. Both must be of one budget.
pub(crate) fn merge(call: &mut Call<'_>) -> Reply {
    let other = call.state.handle(Word::Purse, Word::PurseGeneration);
    let other = call.state.tables.reservations.remove(other).ok_or_else(Fault::released)?;
    match called(call)?.absorb(other) {
        None => Ok(None),
        Some(_) => Err(Fault::internal("two reservations of different budgets")),
    }
}

/// Releases a reservation.
pub(crate) fn release(call: &mut Call<'_>) -> Reply {
    let handle: Handle = call.state.handle(Word::Handle, Word::Generation);
    if call.state.tables.reservations.discard(handle) { Ok(None) } else { Err(Fault::released()) }
}
