//! The result of a handshake: the ciphers of the connection.

use super::cipher_state::CipherState;

/// The ciphers of an established connection, as one end uses them.
pub(crate) struct Transport {
    pub(crate) sealing: CipherState,
    pub(crate) opening: CipherState,
}
