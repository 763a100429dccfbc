//! The memory budget of a relay, and the share that each of its links has.

use std::sync::Arc;

use framepool::handle::Handle;
use framepool::sv2::{Direction, RelayMemory, Session};
use napi::Env;
use napi_derive::napi;

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::{Fault, Result};
use crate::handle::ObjectHandle;
use crate::inspect::table::Table;
use crate::state::EnvState;
use crate::sv2::relay_memories::RelayMemories;
use crate::sv2::session;
use crate::tables::Tables;
use crate::wait::settle;

fn direction(call: &Call<'_>) -> Direction {
    if call.get(Word::Direction) == 0 { Direction::Upstream } else { Direction::Downstream }
}

fn link(call: &Call<'_>) -> Handle {
    call.state.handle(Word::Link, Word::LinkGeneration)
}

fn target(call: &Call<'_>) -> Handle {
    call.state.handle(Word::Target, Word::TargetGeneration)
}

fn member(sessions: &mut Table<Session>, handle: Handle) -> std::result::Result<&mut Session, Fault> {
    sessions.get_mut(handle).ok_or_else(Fault::released)
}

/// Makes the session `Handle` a member of the link.
pub(crate) fn join(call: &mut Call<'_>) -> Reply {
    let (link, joining) = (link(call), call.state.handle(Word::Handle, Word::Generation));
    let Tables { sessions, relay_memories, .. } = &mut call.state.tables;
    relay_memories.link(link)?.join(member(sessions, joining)?);
    Ok(None)
}

/// Tells what must happen before more is read. In: `Link`, `Direction`, the session that reads in `Handle`, the one that writes
/// in `Target`. Out: `Drained`, `Granted`, `Quota`.
pub(crate) fn step(call: &mut Call<'_>) -> Reply {
    let (link, direction, target) = (link(call), direction(call), target(call));
    let source = call.state.handle(Word::Handle, Word::Generation);
    let EnvState { tables: Tables { sessions, relay_memories, .. }, control, .. } = call.state;
    // Both are needed at once, and a table lends one at a time.
    let input = member(sessions, source)?.partial();
    let step = relay_memories.link(link)?.step(direction, &input, member(sessions, target)?);
    control.set(Word::Drained, u32::try_from(step.drained).unwrap_or(u32::MAX));
    control.set(Word::Granted, step.granted.map_or(0, |payload| payload as u32));
    control.set(Word::Quota, step.quota as u32);
    Ok(None)
}

fn try_grant(call: &mut Call<'_>, coming: bool) -> Reply {
    let (link, direction, target) = (link(call), direction(call), target(call));
    let payload = call.get(Word::Length) as usize;
    let EnvState { tables: Tables { sessions, relay_memories, .. }, control, .. } = call.state;
    let to = member(sessions, target)?;
    let granted = relay_memories.link(link)?.try_grant(direction, payload, coming, to)?;
    control.set(Word::Granted, u32::from(granted));
    Ok(None)
}

/// Grants memory for a frame that comes, with `Length` bytes of payload, now. Out: `Granted`, 0 if there is not enough.
pub(crate) fn try_coming(call: &mut Call<'_>) -> Reply {
    try_grant(call, true)
}

/// Grants memory for a frame that goes out in place of another, with `Length` bytes of payload, now. Out: `Granted`, 0 if there
/// is not enough.
pub(crate) fn try_replacing(call: &mut Call<'_>) -> Reply {
    try_grant(call, false)
}

/// Grants memory for a frame that comes, with `Length` bytes of payload, when it is this request's turn. Out: `Wait`.
pub(crate) fn wait(call: &mut Call<'_>) -> Reply {
    let (handle, direction, target) = (link(call), direction(call), target(call));
    let payload = call.get(Word::Length) as usize;
    settle::begin(call, move |state, wait| {
        let link = state.tables.relay_memories.link(handle)?;
        let memory = Arc::clone(link.memory());
        let ticket = link.enqueue(direction, payload, move |grant| {
            wait.settle(move |state| {
                let to = member(&mut state.tables.sessions, target)?;
                state.tables.relay_memories.link(handle)?.accept(grant, true, to);
                Ok(())
            });
        })?;
        Ok(Some(Box::new(move |_| {
            memory.cancel(direction, ticket);
        })))
    })
}

/// Gives back what was granted, if the output of `Target` is empty. Out: the words of `Target`.
pub(crate) fn release(call: &mut Call<'_>) -> Reply {
    let (link, direction, target) = (link(call), direction(call), target(call));
    let EnvState { tables: Tables { sessions, relay_memories, .. }, control, .. } = call.state;
    let to = member(sessions, target)?;
    relay_memories.link(link)?.release(direction, to);
    session::report(to, control);
    Ok(None)
}

/// Ends the link. The memory of its sessions is free.
pub(crate) fn end(call: &mut Call<'_>) -> Reply {
    let link = link(call);
    call.state.tables.relay_memories.links.remove(link).ok_or_else(Fault::released)?;
    Ok(None)
}

/// Makes a budget of `limit` bytes, a whole number, for at most `most_links` links if that is known.
#[napi(catch_unwind)]
pub fn relay_memory_create(env: Env, limit: f64, most_links: Option<u32>) -> Result<ObjectHandle> {
    #[allow(clippy::cast_sign_loss, reason = "the facade checks the range")]
    let limit = limit as usize;
    let memory = RelayMemory::new(limit, most_links.map(|links| links as usize));
    let budgets = &mut EnvState::of(env)?.tables.relay_memories.budgets;
    Ok(budgets.insert(memory).map_err(|_| Fault::no_memory())?.into())
}

/// Makes a link with what it needs at least. Returns nothing if the budget has no room for that.
#[napi(catch_unwind)]
pub fn link_create(env: Env, memory: ObjectHandle) -> Result<Option<ObjectHandle>> {
    let RelayMemories { budgets, links } = &mut EnvState::of(env)?.tables.relay_memories;
    let budget = budgets.get(Handle::from(memory)).ok_or_else(Fault::released)?;
    let Some(link) = budget.link() else { return Ok(None) };
    Ok(Some(links.insert(link).map_err(|_| Fault::no_memory())?.into()))
}

/// Shares of the connections of a relay in its budget.
#[napi(object)]
pub struct RelayMemoryReport {
    /// How many bytes are reserved.
    pub reserved: f64,
    /// How many frames wait for memory.
    pub waiting: f64,
}

/// Returns what the budget reports of itself.
#[napi(catch_unwind)]
pub fn relay_memory_report(env: Env, handle: ObjectHandle) -> Result<RelayMemoryReport> {
    let budget =
        EnvState::of_any(env)?.tables.relay_memories.budgets.get(Handle::from(handle)).ok_or_else(Fault::released)?;
    let stats = budget.stats();
    Ok(RelayMemoryReport { reserved: stats.reserved as f64, waiting: stats.waiting as f64 })
}

/// Forgets a budget. Links that are left keep it.
#[napi(catch_unwind)]
pub fn relay_memory_end(env: Env, handle: ObjectHandle) -> Result<()> {
    EnvState::of_any(env)?.tables.relay_memories.budgets.remove(Handle::from(handle)).ok_or_else(Fault::released)?;
    Ok(())
}
