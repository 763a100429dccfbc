//! A way to show memory, for several tests.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

use framepool::shown::{Exposure, Sight};

/// An exposure whose sights cannot be ended.
#[derive(Default)]
pub(crate) struct Open(Mutex<Option<Box<dyn Any + Send>>>);

impl Exposure for Open {
    fn conceal(&self) -> bool {
        false
    }

    fn keep(&self, owner: Box<dyn Any + Send>) {
        *self.0.lock().expect("no panic") = Some(owner);
    }
}

/// Shows some memory, which is kept until the returned exposure is dropped.
pub(crate) fn show(mut sight: Sight<'_>) -> (NonNull<[u8]>, Arc<dyn Exposure>) {
    let span = sight.span();
    (span, Arc::clone(sight.exposure(|| Arc::new(Open::default()))))
}
