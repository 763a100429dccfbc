//! What one isolate has alive, and how it is given back when the isolate dies.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use framepool::buddy;
use framepool::budget::{Allocation, BudgetPool};
use framepool::channel::{Receiver, Sender as ChannelSender};
use framepool::handle::Handle;
#[cfg(unix)]
use framepool::io::Pump;
use framepool::shown::{Memory, Shown};
use framepool::slot::{Slice, SystemMemory};
use framepool::sv2::Session;
use framepool::ticket::Sender;
use napi::{Env, sys};

use crate::allocator;
use crate::blocked::Blocked;
use crate::buddy_pool::BuddyPools;
use crate::control::{Control, Word};
use crate::debug::Debug;
use crate::errors::{Fault, Result};
use crate::external::Realm;
use crate::inspect::{Isolate, Published, Table};
use crate::last_turn;
use crate::link_memory::RelayMemories;
use crate::regions::Regions;
use crate::ring::RingHalf;
use crate::settle::{self, Waits};
use crate::slot_pool::SlotPoolEntry;
use crate::ticket;
use crate::transferable::Transferable;

/// One isolate's objects. Only its own thread touches them.
pub(crate) struct EnvState {
    pub(crate) control: Arc<ControlBlock>,
    pub(crate) shown_control: Shown<ControlShare>,
    pub(crate) realm: Arc<Realm>,
    /// A wait that blocks the thread and goes on with the next call.
    pub(crate) blocked: Option<Blocked>,
    /// To whom this isolate's tickets belong.
    pub(crate) sender: Sender,
    /// Copies of the facade that have opened the boundary: a test runner may load it more than once.
    pub(crate) facades: u32,
    pub(crate) slot_pools: Table<SlotPoolEntry>,
    pub(crate) system_memories: Table<SystemMemory>,
    /// Slices on the heap, and those of other isolates' pools.
    pub(crate) slices: Table<Slice>,
    pub(crate) regions: Regions,
    pub(crate) sessions: Table<Session>,
    pub(crate) relay_memories: RelayMemories,
    pub(crate) budget_pools: Table<BudgetPool>,
    pub(crate) budget_allocations: Table<Shown<Allocation>>,
    pub(crate) buddy_pools: BuddyPools,
    pub(crate) buddy_buffers: Table<Shown<buddy::Buffer>>,
    pub(crate) ring_halves: Table<RingHalf>,
    pub(crate) senders: Table<ChannelSender<Transferable>>,
    pub(crate) receivers: Table<Receiver<Transferable>>,
    #[cfg(unix)]
    pub(crate) pumps: Table<Pump>,
    pub(crate) waits: Waits,
    pub(crate) debug: Debug,
    /// Lists what the tables have until the isolate ends.
    published: Option<Published>,
    /// How the last call through the control block failed.
    pub(crate) fault: Option<Fault>,
}

/// What a bound function finds first. It lies apart from the state, so that it can be looked at while a call has that.
pub(crate) struct Entrance {
    pub(crate) state: Cell<*mut EnvState>,
    /// Whether a function of JavaScript runs in the middle of a native call: no other call comes in meanwhile.
    pub(crate) busy: Cell<bool>,
    /// Whether there may be a wait that blocks the thread and goes on with the next call.
    pub(crate) waiting: Cell<bool>,
}

impl Default for Entrance {
    fn default() -> Self {
        Self { state: Cell::new(std::ptr::null_mut()), busy: Cell::new(false), waiting: Cell::new(false) }
    }
}

/// The control block, shared with whatever shows it.
pub(crate) struct ControlBlock(Control);

// SAFETY: the block is only read and written by its isolate's thread; others merely drop their share.
unsafe impl Send for ControlBlock {}
// SAFETY: as above.
unsafe impl Sync for ControlBlock {}

/// A share of the control block, for showing it.
pub(crate) struct ControlShare(Arc<ControlBlock>);

// SAFETY: a share of the block keeps it where it is. JavaScript and native code take turns, and change it through cells.
unsafe impl Memory for ControlShare {
    fn span(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(NonNull::from(&self.0.0).cast(), size_of::<Control>())
    }
}

impl std::ops::Deref for ControlBlock {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.0
    }
}

impl EnvState {
    /// This isolate's state, made on first use.
    pub(crate) fn open(env: Env, owner: u32) -> Result<*mut Self> {
        allocator::check()?;
        if let Some(state) = env.get_instance_data::<Self>().map_err(|error| foreign(&error))? {
            return Ok(std::ptr::from_mut(state));
        }
        let sender = Sender::new();
        let mut isolate = Isolate::new(owner, sender);
        let realm = Arc::new(Realm::new(env.raw()));
        let control = Arc::new(ControlBlock(Control::new()));
        let mut state = Self {
            realm,
            shown_control: Shown::new(ControlShare(Arc::clone(&control))),
            control,
            blocked: None,
            sender,
            facades: 0,
            slot_pools: Table::new(&mut isolate),
            system_memories: Table::new(&mut isolate),
            slices: Table::new(&mut isolate),
            regions: Regions::default(),
            sessions: Table::new(&mut isolate),
            relay_memories: RelayMemories::default(),
            budget_pools: Table::new(&mut isolate),
            budget_allocations: Table::new(&mut isolate),
            buddy_pools: BuddyPools::new(&mut isolate),
            buddy_buffers: Table::new(&mut isolate),
            ring_halves: Table::new(&mut isolate),
            senders: Table::new(&mut isolate),
            receivers: Table::new(&mut isolate),
            #[cfg(unix)]
            pumps: Table::new(&mut isolate),
            waits: Waits::default(),
            debug: Debug::default(),
            published: None,
            fault: None,
        };
        state.published = Some(isolate.publish());
        env.set_instance_data(state, (), |_| {}).map_err(|error| foreign(&error))?;
        let own = Self::of_any(env)?;
        let realm = Arc::clone(&own.realm);
        let state = std::ptr::from_mut(own);
        realm.entrance.state.set(state);
        realm.begin();
        // SAFETY: the instance data outlives the environment's cleanup hooks, and `give_back` runs once, on this thread.
        let status = unsafe { sys::napi_add_env_cleanup_hook(env.raw(), Some(give_back), state.cast::<c_void>()) };
        if status != sys::Status::napi_ok {
            return Err(Fault::internal("no cleanup hook").into());
        }
        last_turn::watch(env.raw(), realm);
        Ok(state)
    }

    /// This isolate's state, from an ordinary function. `ERR_NO_MEMORY` while the system has no memory.
    pub(crate) fn of(env: Env) -> Result<&'static mut Self> {
        allocator::check()?;
        Self::of_any(env)
    }

    /// This isolate's state, even while the system has no memory: for functions that give something back, or tell what there is.
    pub(crate) fn of_any(env: Env) -> Result<&'static mut Self> {
        let state = env.get_instance_data::<Self>().map_err(|error| foreign(&error))?;
        let state = state.ok_or_else(|| Fault::internal("the boundary is not open"))?;
        if state.realm.entrance.busy.get() {
            return Err(Fault::busy().into());
        }
        // JavaScript would not be here if it had not been cut off.
        state.blocked = None;
        Ok(state)
    }

    /// Leaves how a call ended where JavaScript looks for it; gives what the call gave.
    #[inline]
    pub(crate) fn conclude<T>(&mut self, outcome: std::thread::Result<std::result::Result<T, Fault>>) -> Option<T> {
        let fault = match outcome {
            Ok(Ok(value)) => {
                self.control.set(Word::Status, 0);
                return Some(value);
            }
            Ok(Err(fault)) => fault,
            Err(_) => Fault::internal("a panic"),
        };
        self.control.set(Word::Status, 1);
        self.fault = Some(fault);
        None
    }

    /// The handle in two words of the control block.
    #[inline]
    pub(crate) fn handle(&self, index: Word, generation: Word) -> Handle {
        Handle { index: self.control.get(index), generation: self.control.get(generation) }
    }

    /// Leaves a handle in two words of the control block.
    #[inline]
    pub(crate) fn set_handle(&self, index: Word, generation: Word, handle: Handle) {
        self.control.set(index, handle.index);
        self.control.set(generation, handle.generation);
    }
}

fn foreign(error: &napi::Error) -> napi::Error<crate::errors::Code> {
    Fault::internal(&error.reason).into()
}

/// The isolate is dying: everything that it held goes back. Memory that an `ArrayBuffer` shows lives on until Node has
/// detached it, and memory that JavaScript has taken lives on for ever.
unsafe extern "C" fn give_back(data: *mut c_void) {
    let _ = std::panic::catch_unwind(|| {
        // SAFETY: `data` is the instance data of an environment whose JavaScript has ended: nothing else refers to it
        // while the hook runs.
        let state = unsafe { &mut *data.cast::<EnvState>() };
        // Where the end was noticed in time, nothing is left of it.
        state.realm.end_without_a_look();
        state.blocked = None;
        settle::end(state);
        ticket::PARKED.revoke_sender(state.sender);
        #[cfg(unix)]
        state.pumps.clear();
        state.ring_halves.clear();
        state.senders.clear();
        state.receivers.clear();
        state.sessions.clear();
        state.relay_memories.clear();
        state.slices.clear();
        state.regions.clear();
        state.system_memories.clear();
        state.slot_pools.clear();
        state.budget_allocations.clear();
        state.budget_pools.clear();
        state.buddy_buffers.clear();
        state.buddy_pools.clear();
        state.published = None;
    });
}
