//! Tickets: how an object changes hands between parts of the process that share nothing but a few bytes of text.
//!
//! Whoever gives something away leaves it in a [`Registry`] and sends the [`Nonce`] under which it lies there, in whatever
//! way it likes. Who has the nonce takes the object out, once. Until then it belongs to its sender, with whom it goes
//! ([`Registry::revoke_sender`]). A nonce is 128 random bits of the system's, so that none can be guessed.
//!
//! ```
//! use framepool::ticket::{Nonce, Registry, Sender};
//!
//! let registry = Registry::default();
//! let nonce = Nonce::random()?;
//! registry.deposit(nonce, Sender::new(), "anything");
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

/// What a ticket says: 32 lower-case hexadecimal digits as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(u128);

impl Nonce {
    /// A new one, from the system's random numbers.
    pub fn random() -> Result<Self, SystemError> {
        let mut bytes = [0; 16];
        getrandom::getrandom(&mut bytes).map_err(|error| SystemError {
            syscall: "getrandom",
            errno: error.raw_os_error().unwrap_or(0),
            message: format!("the system gave no random numbers: {error}"),
        })?;
        Ok(Self(u128::from_ne_bytes(bytes)))
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The text is no nonce.
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
        // A number of that length can be written in other ways, too.
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 32 || !digits {
            return Err(NoNonce);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| NoNonce)
    }
}

/// To whom tickets belong until they are redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender(u64);

impl Sender {
    /// One that is no other.
    #[allow(clippy::new_without_default, reason = "each is different, which no default is")]
    pub fn new() -> Self {
        static SENDERS: AtomicU64 = AtomicU64::new(0);
        Self(SENDERS.fetch_add(1, Ordering::Relaxed))
    }
}

/// What was given away and not yet taken.
///
/// Every function may be called on any thread, and holds the lock for moments only: what is revoked is dropped after.
#[derive(Debug)]
pub struct Registry<T> {
    /// Not a table in one piece, which could not grow without memory.
    parked: Mutex<BTreeMap<Nonce, (Sender, T)>>,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self { parked: Mutex::default() }
    }
}

impl<T> Registry<T> {
    /// Leaves `item` under `nonce`, which is new.
    pub fn deposit(&self, nonce: Nonce, sender: Sender, item: T) {
        self.lock().insert(nonce, (sender, item));
    }

    /// Takes out what lies under `nonce`. `None`: nothing does, be it that it was taken or revoked, or that there never was
    /// such a nonce.
    pub fn redeem(&self, nonce: Nonce) -> Option<T> {
        self.lock().remove(&nonce).map(|(_, item)| item)
    }

    /// Drops all that `sender` has left and nobody has taken.
    pub fn revoke_sender(&self, sender: Sender) {
        self.drop_where(|owner, _| owner == sender);
    }

    /// Drops all that `revoked` is true for, such as what belongs to a pool that is closed.
    pub fn revoke(&self, mut revoked: impl FnMut(&T) -> bool) {
        self.drop_where(|_, item| revoked(item));
    }

    /// Drops what lies under `nonce` if `revoked` is true for it.
    pub fn revoke_if(&self, nonce: Nonce, revoked: impl FnOnce(&T) -> bool) {
        let mut parked = self.lock();
        let found = parked.get(&nonce).is_some_and(|(_, item)| revoked(item));
        let dropped = if found { parked.remove(&nonce) } else { None };
        drop(parked);
        drop(dropped);
    }

    /// Looks at all that waits to be taken, and whose it is. `look` must not use the registry.
    pub fn for_each(&self, mut look: impl FnMut(Sender, &T)) {
        self.lock().values().for_each(|(sender, item)| look(*sender, item));
    }

    /// How many wait to be taken.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// True when none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn drop_where(&self, mut revoked: impl FnMut(Sender, &T) -> bool) {
        let mut after = Bound::Unbounded;
        loop {
            let mut parked = self.lock();
            let mut behind = parked.range((after, Bound::Unbounded));
            let Some((&nonce, _)) = behind.find(|(_, (sender, item))| revoked(*sender, item)) else { return };
            let dropped = parked.remove(&nonce);
            drop(parked);
            // Going back to a pool may wake others and run their code, so it happens with nothing locked.
            drop(dropped);
            after = Bound::Excluded(nonce);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Nonce, (Sender, T)>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
