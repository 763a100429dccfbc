//! Everything that one isolate has, and how it is given back when the isolate dies.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use framepool::handle::Handle;
use framepool::shown::Shown;
use framepool::threads::ticket::Depositor;
use napi::{Env, sys};

use crate::allocator;
use crate::call::control::{ControlBlock, ControlShare};
use crate::call::words::Word;
use crate::debug::mode::Debug;
use crate::errors::{Code, Fault, Result};
use crate::inspect::listing::{Isolate, Published};
use crate::shown::external::Realm;
use crate::shown::last_turn;
use crate::tables::Tables;
use crate::threads::transferable::PARKED;
use crate::wait::pending::{self, Blocked, Waits};

/// A wait of an isolate: see [`pending::Wait`].
pub(crate) type Wait = pending::Wait<EnvState>;

/// Takes a waiter out of its queue: see [`pending::Cancel`].
pub(crate) type Cancel = pending::Cancel<EnvState>;

/// Takes in what was granted: see [`pending::Delivery`].
pub(crate) type Delivery = pending::Delivery<EnvState>;

/// One isolate's state. Only its own thread touches it.
pub(crate) struct EnvState {
    pub(crate) control: Arc<ControlBlock>,
    pub(crate) shown_control: Shown<ControlShare>,
    pub(crate) realm: Arc<Realm>,
    pub(crate) tables: Tables,
    pub(crate) waits: Waits<Self>,
    /// A wait that blocks the thread and goes on with the next call.
    pub(crate) blocked: Option<Blocked>,
    /// The owner of this isolate's tickets.
    pub(crate) depositor: Depositor,
    /// Number of copies of the facade that have opened the boundary. A test runner may load more than one.
    pub(crate) facades: u32,
    pub(crate) debug: Debug,
    /// Lists what the tables have until the isolate ends.
    published: Option<Published>,
    /// Failure of the last call through the control block.
    pub(crate) fault: Option<Fault>,
}

impl EnvState {
    /// Returns this isolate's state, which it makes on first use.
    pub(crate) fn open(env: Env, owner: u32) -> Result<*mut Self> {
        allocator::check()?;
        if let Some(state) = env.get_instance_data::<Self>().map_err(|error| foreign(&error))? {
            return Ok(ptr::from_mut(state));
        }
        let depositor = Depositor::new();
        let mut isolate = Isolate::new(owner, depositor);
        let realm = Arc::new(Realm::new(env.raw()));
        let control = Arc::new(ControlBlock::new());
        let mut state = Self {
            realm,
            shown_control: Shown::new(ControlShare(Arc::clone(&control))),
            control,
            tables: Tables::new(&mut isolate),
            waits: Waits::default(),
            blocked: None,
            depositor,
            facades: 0,
            debug: Debug::default(),
            published: None,
            fault: None,
        };
        state.published = Some(isolate.publish());
        env.set_instance_data(state, (), |_| {}).map_err(|error| foreign(&error))?;
        let own = Self::of_any(env)?;
        let realm = Arc::clone(&own.realm);
        let state = ptr::from_mut(own);
        realm.entrance.state.set(state.cast::<c_void>());
        realm.begin();
        // SAFETY: the instance data outlives the environment's cleanup hooks, and `give_back` runs once, on this thread.
        let status = unsafe { sys::napi_add_env_cleanup_hook(env.raw(), Some(give_back), state.cast::<c_void>()) };
        if status != sys::Status::napi_ok {
            return Err(Fault::internal("no cleanup hook").into());
        }
        last_turn::watch(env.raw(), realm);
        Ok(state)
    }

    /// Returns this isolate's state, for an ordinary function. Fails with `ERR_NO_MEMORY` while the system has no memory.
    pub(crate) fn of(env: Env) -> Result<&'static mut Self> {
        allocator::check()?;
        Self::of_any(env)
    }

    /// Returns this isolate's state even while the system has no memory, for functions that give something back or tell what
    /// there is.
    pub(crate) fn of_any(env: Env) -> Result<&'static mut Self> {
        let state = env.get_instance_data::<Self>().map_err(|error| foreign(&error))?;
        let state = state.ok_or_else(|| Fault::internal("the boundary is not open"))?;
        if state.realm.entrance.busy.get() {
            return Err(Fault::busy().into());
        }
        // A wait that blocked the thread was cut off: otherwise JavaScript would have gone on with it.
        state.blocked = None;
        Ok(state)
    }

    /// Leaves the outcome of a call where JavaScript looks for it. Returns what the call gave.
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

    /// Reads a handle from two words of the control block.
    #[inline]
    pub(crate) fn handle(&self, index: Word, generation: Word) -> Handle {
        Handle { index: self.control.get(index), generation: self.control.get(generation) }
    }

    /// Writes a handle to two words of the control block.
    #[inline]
    pub(crate) fn set_handle(&self, index: Word, generation: Word, handle: Handle) {
        self.control.set(index, handle.index);
        self.control.set(generation, handle.generation);
    }
}

fn foreign(error: &napi::Error) -> napi::Error<Code> {
    Fault::internal(&error.reason).into()
}

/// Gives back everything that the isolate holds, since it is dying. Memory that an `ArrayBuffer` shows lives on until Node has
/// detached it, and memory that JavaScript has taken lives on for ever.
unsafe extern "C" fn give_back(data: *mut c_void) {
    let _ = std::panic::catch_unwind(|| {
        // SAFETY: `data` is the instance data of an environment whose JavaScript has ended: nothing else refers to it
        // while the hook runs.
        let state = unsafe { &mut *data.cast::<EnvState>() };
        // If the end was noticed in time, nothing is left of it.
        state.realm.end_without_a_look();
        state.blocked = None;
        for cancel in state.waits.take_cancels() {
            cancel(state);
        }
        state.waits.close();
        PARKED.revoke_depositor(state.depositor);
        state.tables.clear();
        state.published = None;
    });
}
