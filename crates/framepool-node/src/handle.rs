//! Handles, as JavaScript has them.

use framepool::handle::Handle;
use napi_derive::napi;

/// The name of an object of this isolate.
#[napi(object)]
pub struct ObjectHandle {
    /// Place of the object in its isolate's table.
    pub index: u32,
    /// Tells apart the objects that had the same place one after another.
    pub generation: u32,
}

impl From<Handle> for ObjectHandle {
    fn from(handle: Handle) -> Self {
        Self { index: handle.index, generation: handle.generation }
    }
}

impl From<ObjectHandle> for Handle {
    fn from(handle: ObjectHandle) -> Self {
        Self { index: handle.index, generation: handle.generation }
    }
}
