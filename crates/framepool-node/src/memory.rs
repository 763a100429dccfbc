//! Memory budgets: `MemoryBudget` and `Reservation` of the facade.

pub(crate) mod budget;
pub(crate) mod reservation;
