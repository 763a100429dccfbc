//! The frames that are handed to the user of a relay.

use std::collections::HashSet;

use crate::sv2::{Frame, FrameHeader};

/// The bit of an extension type that marks a channel message.
const CHANNEL: u16 = 0x8000;

/// A selection of frames.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Hooks {
    /// No frame.
    #[default]
    None,
    /// The frames of these messages: extension, without the bit of channel messages, and type.
    Some(HashSet<(u16, u8)>),
    /// Every frame.
    All,
}

impl Hooks {
    /// Returns whether no frame is handed over.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    pub(super) fn contains(&self, header: FrameHeader) -> bool {
        match self {
            Self::None => false,
            Self::Some(messages) => messages.contains(&(header.extension_type & !CHANNEL, header.message_type)),
            Self::All => true,
        }
    }
}

/// Messages of extension 0 by which a mining pool says why it will not go on: `SetupConnection.Error`, `Reconnect` and
/// `OpenMiningChannel.Error`.
const TELLING: [u8; 3] = [0x02, 0x04, 0x12];

/// An upper bound of the length of these messages, in bytes.
const LONGEST: usize = 4 + 1 + 255 + 2;

/// Returns the message if it says why a mining pool will not go on: its type, and its payload as far as it has fields.
pub(super) fn telling(frame: &Frame<'_>) -> Option<(u8, Vec<u8>)> {
    let FrameHeader { extension_type, message_type } = frame.header;
    let telling = extension_type & !CHANNEL == 0 && TELLING.contains(&message_type);
    telling.then(|| (message_type, frame.payload[..frame.payload.len().min(LONGEST)].to_vec()))
}
