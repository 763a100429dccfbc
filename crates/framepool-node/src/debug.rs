//! Debug mode: what is guarded, and what was found in quarantine.

use std::sync::Arc;

use framepool::quarantine::Quarantine;
use napi::Env;
use napi_derive::napi;

use crate::env::EnvState;
use crate::errors::{Fault, Result};
use crate::inspect::Text;

/// Bounds of an isolate's quarantine.
const QUARANTINE_BYTES: usize = 64 << 20;
const QUARANTINE_ENTRIES: usize = 4096;

/// An isolate's debug mode.
#[derive(Default)]
pub(crate) struct Debug {
    /// Made when something is guarded for the first time.
    quarantine: Option<Arc<Quarantine>>,
    /// Whether everything is guarded, and not only what asks for it.
    everything: bool,
}

impl Debug {
    /// Where the isolate's guarded memory goes.
    pub(crate) fn quarantine(&mut self) -> &Arc<Quarantine> {
        self.quarantine.get_or_insert_with(|| Quarantine::new(QUARANTINE_BYTES, QUARANTINE_ENTRIES))
    }

    /// The same if everything is guarded.
    pub(crate) fn general_quarantine(&self) -> Option<&Arc<Quarantine>> {
        if self.everything { self.quarantine.as_ref() } else { None }
    }
}

/// From here on everything that this isolate makes is guarded.
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
    /// How many bytes it has.
    pub bytes: f64,
    /// The first that was written.
    pub offset: f64,
    /// Who had acquired it.
    #[napi(ts_type = "string")]
    pub stack: Option<Text>,
}

/// What was found in this isolate's quarantine since this was last called. `all`: looks at what is still there, too, and
/// frees it.
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
