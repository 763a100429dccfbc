//! Live objects of the process, by isolate: `inspect()` of the facade.
//!
//! An isolate's objects belong to its thread. Each table notes in its [`Listing`](listing::Listing) what it takes in and gives up.
//! Any thread can read listings, so no isolate has to help another to look, and none waits for another.

pub(crate) mod listing;
pub(crate) mod report;
pub(crate) mod table;
