//! Pumps between file descriptors: `pump` of the facade.

use framepool::ring;
use framepool::ring::io::{Pump, Pumped};
use napi::Env;
use napi::bindgen_prelude::BigInt;
use napi_derive::napi;

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::{Fault, Result};
use crate::handle::ObjectHandle;
use crate::ring::io::descriptor::descriptor;
use crate::state::EnvState;
use crate::wait::settle;

/// The alignment of a pump's ring, which nothing else sees: a cache line.
const ALIGN: usize = 64;

/// Pumps from `Descriptor` to `Sink` through a ring of `Length` bytes. Out: `Wait`, and the pump in `Handle`.
pub(crate) fn start(call: &mut Call<'_>) -> Reply {
    let (from, to) = (descriptor(call, Word::Descriptor)?, descriptor(call, Word::Sink)?);
    let ring = ring::new(call.get(Word::Length) as usize, ALIGN)?;
    settle::begin(call, move |state, wait| {
        let done = move |pumped: Pumped| wait.settle(move |_| pumped.error.map_or(Ok(()), |error| Err(error.into())));
        // Before the pump starts, since that cannot be undone.
        state.tables.pumps.make_room()?;
        let pump = state.tables.pumps.insert(Pump::start(from, to, ring, done)?)?;
        state.control.set(Word::Handle, pump.index);
        state.control.set(Word::Generation, pump.generation);
        // When the isolate dies its pumps go.
        Ok(Some(Box::new(|_| {})))
    })
}

/// Returns how many bytes a pump has written so far.
#[napi(catch_unwind)]
pub fn pump_moved(env: Env, pump: ObjectHandle) -> Result<BigInt> {
    Ok(EnvState::of_any(env)?.tables.pumps.get(pump.into()).ok_or_else(Fault::released)?.moved().into())
}

/// Stops a pump: it reads no more, and still writes what it has read.
#[napi(catch_unwind)]
pub fn pump_stop(env: Env, pump: ObjectHandle) -> Result<()> {
    EnvState::of_any(env)?.tables.pumps.get(pump.into()).ok_or_else(Fault::released)?.stop();
    Ok(())
}

/// Forgets a pump that is over. Returns how many bytes it has written.
#[napi(catch_unwind)]
pub fn pump_end(env: Env, pump: ObjectHandle) -> Result<BigInt> {
    Ok(EnvState::of_any(env)?.tables.pumps.remove(pump.into()).ok_or_else(Fault::released)?.moved().into())
}
