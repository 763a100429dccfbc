//! Tickets: how an object changes hands between parts of the process that share nothing but a few bytes of text.
//!
//! The depositor deposits an object in a [`Registry`] under a [`Nonce`], and sends the nonce by any means. The receiver
//! redeems the nonce once and gets the object. Until then the object belongs to its depositor, and
//! [`Registry::revoke_depositor`] drops it. A nonce is 128 random bits of the system, so that it cannot be guessed.
//!
//! ```
//! use framepool::threads::ticket::{Nonce, Registry, Depositor};
//!
//! let registry = Registry::default();
//! let nonce = Nonce::random()?;
//! registry.deposit(nonce, Depositor::new(), "anything");
//! let text = nonce.to_string();
//! assert_eq!(registry.redeem(text.parse().unwrap()), Some("anything"));
//! assert_eq!(registry.redeem(nonce), None);
//! # Ok::<(), framepool::SystemError>(())
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::coded::Coded;
use crate::system_error::SystemError;

/// The content of a ticket. Its text form is 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(u128);

impl Nonce {
    /// Makes a new nonce from the system's random numbers.
    pub fn random() -> Result<Self, SystemError> {
        let mut bytes = [0; 16];
        getrandom::getrandom(&mut bytes).map_err(|error| {
            let message = format!("the system gave no random numbers: {error}");
            SystemError { syscall: "getrandom", errno: error.raw_os_error().unwrap_or(0), message, path: None }
        })?;
        Ok(Self(u128::from_ne_bytes(bytes)))
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The error for a text that is not a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoNonce;

impl fmt::Display for NoNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a ticket's nonce is 32 lower-case hexadecimal digits")
    }
}

impl Error for NoNonce {}

impl Coded for NoNonce {
    fn code(&self) -> &'static str {
        "ERR_TICKET"
    }
}

impl FromStr for Nonce {
    type Err = NoNonce;

    fn from_str(text: &str) -> Result<Self, NoNonce> {
        // `from_str_radix` accepts other spellings of a number with 32 digits, too.
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 32 || !digits {
            return Err(NoNonce);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| NoNonce)
    }
}

/// The owner of deposited objects until they are redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depositor(u64);

impl Depositor {
    /// Makes a depositor that differs from every other.
    #[allow(clippy::new_without_default, reason = "each is different, which no default is")]
    pub fn new() -> Self {
        static SENDERS: AtomicU64 = AtomicU64::new(0);
        Self(SENDERS.fetch_add(1, Ordering::Relaxed))
    }
}

/// Objects that were deposited and not yet redeemed.
///
/// Every function may be called on any thread. Objects are dropped while nothing is locked.
#[derive(Debug)]
pub struct Registry<T> {
    /// A map, because a table in one piece could not grow without memory.
    parked: Mutex<BTreeMap<Nonce, (Depositor, T)>>,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self { parked: Mutex::default() }
    }
}

impl<T> Registry<T> {
    /// Deposits `item` under `nonce`, which must be new.
    pub fn deposit(&self, nonce: Nonce, depositor: Depositor, item: T) {
        self.lock().insert(nonce, (depositor, item));
    }

    /// Removes the object that lies under `nonce` and returns it. Returns `None` if the nonce was redeemed or revoked,
    /// or never existed.
    pub fn redeem(&self, nonce: Nonce) -> Option<T> {
        self.lock().remove(&nonce).map(|(_, item)| item)
    }

    /// Drops every object that `depositor` has deposited and that was not redeemed.
    pub fn revoke_depositor(&self, depositor: Depositor) {
        self.drop_where(|owner, _| owner == depositor);
    }

    /// Drops every object for which `revoked` returns true, for example all that belongs to a closed pool.
    pub fn revoke(&self, mut revoked: impl FnMut(&T) -> bool) {
        self.drop_where(|_, item| revoked(item));
    }

    /// Drops the object under `nonce` if `revoked` returns true for it.
    pub fn revoke_if(&self, nonce: Nonce, revoked: impl FnOnce(&T) -> bool) {
        let mut parked = self.lock();
        let found = parked.get(&nonce).is_some_and(|(_, item)| revoked(item));
        let dropped = if found { parked.remove(&nonce) } else { None };
        drop(parked);
        drop(dropped);
    }

    /// Calls `look` with every deposited object and its depositor. `look` must not use the registry.
    pub fn for_each(&self, mut look: impl FnMut(Depositor, &T)) {
        self.lock().values().for_each(|(depositor, item)| look(*depositor, item));
    }

    /// Returns the number of objects that wait to be redeemed.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Returns true if no object waits to be redeemed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn drop_where(&self, mut revoked: impl FnMut(Depositor, &T) -> bool) {
        let mut after = Bound::Unbounded;
        loop {
            let mut parked = self.lock();
            let mut behind = parked.range((after, Bound::Unbounded));
            let Some((&nonce, _)) = behind.find(|(_, (depositor, item))| revoked(*depositor, item)) else { return };
            let dropped = parked.remove(&nonce);
            drop(parked);
            // Dropping an object may return it to a pool, wake waiters and run their code. So nothing is locked.
            drop(dropped);
            after = Bound::Excluded(nonce);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Nonce, (Depositor, T)>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
