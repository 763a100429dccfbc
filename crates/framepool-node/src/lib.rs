//! The Node-API binding of framepool: it converts types and lifetimes, and holds no policy.
//!
//! The files form no circle. This list gives the order of the modules, from the roof to the cellar. Modules on one
//! line may use each other's files:
//!
//! - `boundary`: the table of all bound functions, which an isolate opens.
//! - `slot`, `slice`, `budget`, `memory`, `framing`, `buddy`, `ring`, `sv2`, `relay`, `threads`, `inspect`, `debug`:
//!   one room for each feature, as in the core and in the facade. Their bound functions take a `Call`.
//! - `wait`: the beginning and the end of waits.
//! - `call`: arguments and results of a bound function, and the entry of a call.
//! - `state`: everything that one isolate has. `tables` declares its objects, `kinds` says what `inspect()` calls them.
//! - The types of these objects: `slot::entry`, `slice::regions`, `buddy::entry`, `ring::entry`, `relay::entry`,
//!   `threads::transferable`, `debug::mode`, `wait::pending`.
//! - `shown`: memory that JavaScript sees through an `ArrayBuffer`.
//! - `call::words`, `call::control`, `handle`, `errors`, `allocator`, `pin`: what everything stands on.
//!
//! `npm run lint` checks that the modules form no circle.
#![allow(unreachable_pub, reason = "what #[napi] exports must be pub")]
#![allow(clippy::cast_precision_loss, reason = "counters do not reach 2^53")]
#![allow(clippy::needless_pass_by_value, reason = "napi-rs gives owned values")]
#![allow(clippy::unnecessary_wraps, reason = "every bound function has the same type")]

mod allocator;
mod boundary;
mod buddy;
mod budget;
mod call;
mod debug;
mod errors;
mod framing;
mod handle;
mod inspect;
mod kinds;
mod memory;
mod pin;
mod relay;
mod ring;
mod shown;
mod slice;
mod slot;
mod state;
mod sv2;
mod tables;
mod threads;
mod wait;
