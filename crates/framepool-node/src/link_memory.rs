//! The memory budget of a relay, and what its links have of it.

use std::sync::Arc;

use framepool::handle::{Handle, HandleTable};
use framepool::sv2::{Direction, LinkMemory, RelayMemory, Session};
use napi::Env;
use napi_derive::napi;

use crate::boundary::{Call, ObjectHandle, Reply};
use crate::control::Word;
use crate::env::EnvState;
use crate::errors::{Fault, Result};
use crate::inspect::Table;
use crate::{settle, sv2_session};

/// The budgets of an isolate's relays, and their links.
#[derive(Default)]
pub(crate) struct RelayMemories {
    budgets: HandleTable<Arc<RelayMemory>>,
    links: HandleTable<LinkMemory>,
}

impl RelayMemories {
    pub(crate) fn clear(&mut self) {
        self.links.clear();
        self.budgets.clear();
    }

    fn link(&mut self, handle: Handle) -> std::result::Result<&mut LinkMemory, Fault> {
        self.links.get_mut(handle).ok_or_else(Fault::released)
    }
}

fn direction(call: &Call<'_>) -> Direction {
    if call.get(Word::Direction) == 0 { Direction::Upstream } else { Direction::Downstream }
}

fn link(call: &Call<'_>) -> Handle {
    call.state.handle(Word::Link, Word::LinkGeneration)
}

fn target(call: &Call<'_>) -> Handle {
    call.state.handle(Word::Target, Word::TargetGeneration)
}

fn session(sessions: &mut Table<Session>, handle: Handle) -> std::result::Result<&mut Session, Fault> {
    sessions.get_mut(handle).ok_or_else(Fault::released)
}

/// The session `Handle` is of the link.
pub(crate) fn join(call: &mut Call<'_>) -> Reply {
    let (link, member) = (link(call), call.state.handle(Word::Handle, Word::Generation));
    let EnvState { sessions, relay_memories, .. } = call.state;
    relay_memories.link(link)?.join(session(sessions, member)?);
    Ok(None)
}

/// What must happen before more is read. In: `Link`, `Direction`, the session that reads in `Handle`, the one that writes in
/// `Target`. Out: `Drained`, `Granted` (0: nothing), `Quota`.
pub(crate) fn step(call: &mut Call<'_>) -> Reply {
    let (link, direction, target) = (link(call), direction(call), target(call));
    let source = call.state.handle(Word::Handle, Word::Generation);
    let EnvState { sessions, relay_memories, control, .. } = call.state;
    // Both are needed at once, and a table lends one at a time.
    let input = session(sessions, source)?.partial();
    let step = relay_memories.link(link)?.step(direction, &input, session(sessions, target)?);
    control.set(Word::Drained, u32::try_from(step.drained).unwrap_or(u32::MAX));
    control.set(Word::Granted, step.granted.map_or(0, |payload| payload as u32));
    control.set(Word::Quota, step.quota as u32);
    Ok(None)
}

fn try_grant(call: &mut Call<'_>, coming: bool) -> Reply {
    let (link, direction, target) = (link(call), direction(call), target(call));
    let payload = call.get(Word::Length) as usize;
    let EnvState { sessions, relay_memories, control, .. } = call.state;
    let to = session(sessions, target)?;
    let granted = relay_memories.link(link)?.try_grant(direction, payload, coming, to)?;
    control.set(Word::Granted, u32::from(granted));
    Ok(None)
}

/// Memory for a frame that comes, with `Length` bytes of payload, now. Out: `Granted`, 0 if there is not enough.
pub(crate) fn try_coming(call: &mut Call<'_>) -> Reply {
    try_grant(call, true)
}

/// The same for one that goes out in place of another.
pub(crate) fn try_replacing(call: &mut Call<'_>) -> Reply {
    try_grant(call, false)
}

/// Memory for a frame that comes, with `Length` bytes of payload, when it is this request's turn; the call carries what is
/// to be called then. Out: `Wait`.
pub(crate) fn wait(call: &mut Call<'_>) -> Reply {
    let (handle, direction, target) = (link(call), direction(call), target(call));
    let payload = call.get(Word::Length) as usize;
    settle::begin(call, move |state, wait| {
        let link = state.relay_memories.link(handle)?;
        let memory = Arc::clone(link.memory());
        let ticket = link.enqueue(direction, payload, move |grant| {
            wait.settle(move |state| {
                let to = session(&mut state.sessions, target)?;
                state.relay_memories.link(handle)?.accept(grant, true, to);
                Ok(())
            });
        })?;
        Ok(Some(Box::new(move |_| {
            memory.cancel(direction, ticket);
        })))
    })
}

/// What was granted goes back, if the output of `Target` is empty. Out: its words.
pub(crate) fn release(call: &mut Call<'_>) -> Reply {
    let (link, direction, target) = (link(call), direction(call), target(call));
    let EnvState { sessions, relay_memories, control, .. } = call.state;
    let to = session(sessions, target)?;
    relay_memories.link(link)?.release(direction, to);
    sv2_session::report(to, control);
    Ok(None)
}

/// The link is over, and its sessions' memory is free.
pub(crate) fn end(call: &mut Call<'_>) -> Reply {
    let link = link(call);
    call.state.relay_memories.links.remove(link).ok_or_else(Fault::released)?;
    Ok(None)
}

/// A new budget of `limit` bytes, a whole number, for `most_links` at most if that is known.
#[napi(catch_unwind)]
pub fn relay_memory_create(env: Env, limit: f64, most_links: Option<u32>) -> Result<ObjectHandle> {
    #[allow(clippy::cast_sign_loss, reason = "the facade checks the range")]
    let limit = limit as usize;
    let memory = RelayMemory::new(limit, most_links.map(|links| links as usize));
    let budgets = &mut EnvState::of(env)?.relay_memories.budgets;
    Ok(budgets.insert(memory).map_err(|_| Fault::no_memory())?.into())
}

/// What a new link needs; nothing if the budget has no room for it.
#[napi(catch_unwind)]
pub fn link_create(env: Env, memory: ObjectHandle) -> Result<Option<ObjectHandle>> {
    let RelayMemories { budgets, links } = &mut EnvState::of(env)?.relay_memories;
    let budget = budgets.get(Handle::from(memory)).ok_or_else(Fault::released)?;
    let Some(link) = budget.link() else { return Ok(None) };
    Ok(Some(links.insert(link).map_err(|_| Fault::no_memory())?.into()))
}

/// What the connections of a relay have of its budget.
#[napi(object)]
pub struct RelayMemoryReport {
    /// Bytes reserved.
    pub reserved: f64,
    /// Frames that wait for memory.
    pub waiting: f64,
}

/// What the budget reports of itself.
#[napi(catch_unwind)]
pub fn relay_memory_report(env: Env, handle: ObjectHandle) -> Result<RelayMemoryReport> {
    let budget = EnvState::of_any(env)?.relay_memories.budgets.get(Handle::from(handle)).ok_or_else(Fault::released)?;
    let stats = budget.stats();
    Ok(RelayMemoryReport { reserved: stats.reserved as f64, waiting: stats.waiting as f64 })
}

/// Forgets a budget; links that are left keep it.
#[napi(catch_unwind)]
pub fn relay_memory_end(env: Env, handle: ObjectHandle) -> Result<()> {
    EnvState::of_any(env)?.relay_memories.budgets.remove(Handle::from(handle)).ok_or_else(Fault::released)?;
    Ok(())
}
