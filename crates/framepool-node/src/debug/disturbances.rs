//! Debug mode switched on, and the writes that it has found.

use napi::Env;
use napi_derive::napi;

use crate::errors::{Fault, Result};
use crate::inspect::listing::Text;
use crate::state::EnvState;

/// Guards everything that this isolate makes from here on.
#[napi(catch_unwind)]
pub fn debug_everything(env: Env) -> Result<()> {
    let debug = &mut EnvState::of(env)?.debug;
    debug.quarantine();
    debug.everything = true;
    Ok(())
}

/// Memory that was written to after it was released.
#[napi(object, object_from_js = false)]
pub struct DisturbedMemory {
    /// Size of the memory, in bytes.
    pub bytes: f64,
    /// The first byte that was written.
    pub offset: f64,
    /// The stack of the call that had acquired it.
    #[napi(ts_type = "string")]
    pub stack: Option<Text>,
}

/// Returns what was found in this isolate's quarantine since the last call. With `all` the function looks at what is still there,
/// too, and frees it.
#[napi(catch_unwind)]
pub fn take_disturbances(env: Env, all: bool) -> Result<Vec<DisturbedMemory>> {
    let Some(quarantine) = &EnvState::of_any(env)?.debug.quarantine else { return Ok(Vec::new()) };
    if all {
        quarantine.clear();
    }
    let disturbances = quarantine.take_disturbances();
    let mut found = Vec::new();
    found.try_reserve_exact(disturbances.len()).map_err(|_| Fault::no_memory())?;
    found.extend(disturbances.into_iter().map(|found| DisturbedMemory {
        bytes: found.bytes as f64,
        offset: found.offset as f64,
        stack: found.origin.map(Text),
    }));
    Ok(found)
}
