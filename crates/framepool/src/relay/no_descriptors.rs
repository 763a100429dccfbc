//! Stands in for `descriptors` on systems where sockets take none.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;

#[expect(clippy::unnecessary_wraps, reason = "what `descriptors` returns")]
pub(super) fn register(_: &Arc<Shared>) -> io::Result<()> {
    Ok(())
}

pub(super) fn lacked(_: &io::Error) -> bool {
    false
}

#[derive(Default)]
pub(super) struct Descriptors {}

impl Descriptors {
    #[expect(clippy::unused_self, reason = "what `descriptors` takes")]
    pub(super) fn are_left<T>(&mut self, _: &T, _: usize, _: Duration) -> bool {
        true
    }
}
