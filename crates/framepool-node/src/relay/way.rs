//! The direction of frames through a relay, as the control block and events have it.

use framepool::sv2::Direction;

use crate::call::numbered::numbered;

numbered! {
    /// The direction of frames through a relay.
    Way: u32 {
        /// To the mining pool.
        Upstream,
        /// To the miner.
        Downstream,
    }
}

impl From<Direction> for Way {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Upstream => Self::Upstream,
            Direction::Downstream => Self::Downstream,
        }
    }
}

/// Returns the name of the side to which a direction leads. JavaScript knows directions by it.
pub(crate) fn name(direction: Direction) -> &'static str {
    match direction {
        Direction::Upstream => "upstream",
        Direction::Downstream => "downstream",
    }
}
