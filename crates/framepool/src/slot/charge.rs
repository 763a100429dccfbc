//! The cost of a slice to the budgets that count it.

use crate::memory_budget::Reservation;

/// Reservations that end with a slice. Few slices have one, so it takes no more room in the others than a pointer.
#[derive(Debug, Default)]
pub(super) struct Charge(Option<Box<Link>>);

#[derive(Debug)]
struct Link {
    _reservation: Reservation,
    _next: Charge,
}

impl Charge {
    /// Adds a reservation, which is returned to its budget with the others.
    pub(super) fn add(&mut self, reservation: Reservation) {
        let next = std::mem::take(self);
        self.0 = Some(Box::new(Link { _reservation: reservation, _next: next }));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
