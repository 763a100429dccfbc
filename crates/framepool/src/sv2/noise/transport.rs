//! What a handshake leaves behind.

use super::cipher_state::CipherState;

/// The ciphers of an established connection, as one end uses them.
pub(crate) struct Transport {
    pub(crate) sealing: CipherState,
    pub(crate) opening: CipherState,
}
