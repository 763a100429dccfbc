//! The functions behind `inspect()`, and behind the traces of debug mode.

use std::sync::Arc;

use framepool::handle::Handle;
use napi::Env;
use napi_derive::napi;

use crate::allocator;
use crate::errors::{Fault, Result};
use crate::handle::ObjectHandle;
use crate::inspect::listing::{InspectedObject, Isolate};
use crate::state::EnvState;
use crate::threads::transferable::{PARKED, TICKET};

/// Returns what is alive in every isolate of the process. Slices in slots are listed as far as native code was told of them.
#[napi(catch_unwind)]
pub fn inspect() -> Result<Vec<InspectedObject>> {
    allocator::check()?;
    let isolates = Isolate::all();
    let mut list = Vec::new();
    for isolate in &isolates {
        isolate.list(&mut list).map_err(|_| Fault::no_memory())?;
    }
    let mut complete = true;
    PARKED.for_each(|depositor, object| {
        // A ticket without an isolate is about to be revoked: its isolate is ending.
        if let Some(isolate) = isolates.iter().find(|isolate| isolate.depositor == depositor) {
            complete = complete && list.try_reserve(1).is_ok();
            if !complete {
                return;
            }
            list.push(InspectedObject {
                kind: TICKET,
                owner: isolate.owner,
                bytes: object.bytes() as f64,
                age_ms: None,
                stack: None,
            });
        }
    });
    if complete { Ok(list) } else { Err(Fault::no_memory().into()) }
}

/// Notes the stack of the call that acquired an object of this isolate.
#[napi(catch_unwind)]
pub fn trace(env: Env, kind: String, handle: ObjectHandle, stack: String) -> Result<()> {
    let (state, handle) = (EnvState::of_any(env)?, Handle::from(handle));
    if !state.tables.trace(&kind, handle, Arc::from(stack)) {
        return Err(Fault::internal(&format!("nothing traces a {kind}")).into());
    }
    Ok(())
}
