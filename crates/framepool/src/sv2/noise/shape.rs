//! How long the messages of the handshake are.

use super::certificate;
use crate::sv2::frame::TAG;

/// A public key as it is sent: the `ElligatorSwift` encoding makes it look like random bytes, and any 64 bytes decode to a key.
pub(super) const ENCODED_KEY: usize = 64;

/// What the initiator sends, in bytes.
pub(crate) const ACT_1: usize = ENCODED_KEY;

/// What the responder answers, in bytes.
pub(crate) const ACT_2: usize = ENCODED_KEY + (ENCODED_KEY + TAG) + (certificate::SIZE + TAG);
