//! Lengths of the handshake's messages.

use super::certificate;
use crate::sv2::frame::TAG;

/// Length of a public key as it is sent, in bytes. The `ElligatorSwift` encoding looks like random bytes, and any 64
/// bytes decode to a key.
pub(super) const ENCODED_KEY: usize = 64;

/// Length of the initiator's message, in bytes.
pub(crate) const ACT_1: usize = ENCODED_KEY;

/// Length of the responder's answer, in bytes.
pub(crate) const ACT_2: usize = ENCODED_KEY + (ENCODED_KEY + TAG) + (certificate::SIZE + TAG);
