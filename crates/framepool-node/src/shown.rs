//! Memory that JavaScript sees through an `ArrayBuffer`, until the isolate ends.

pub(crate) mod external;
pub(crate) mod last_turn;
