//! The traits of `buffer_sv2`, on the functions that can report an error.
//!
//! Where a trait has no way to fail, its function does what does least harm:
//!
//! - `get_writable` panics if the system has no memory. A vector would end the process. [`TryBuffer`] does not.
//! - `danger_set_start` beyond what is written hides all of it, until the next `get_data_owned`.
//! - `truncate` to more than there is does nothing.
//! - `get_data_by_ref` of more than is written returns what is written.

use buffer_sv2::{AeadBuffer, Buffer, BufferFromSystemMemory, BufferPool};

use super::error::Refused;
use super::pool::SlotPool;
use super::slice::Slice;
use super::system_memory::SystemMemory;

/// A buffer that can refuse bytes.
pub trait TryBuffer: Buffer + AeadBuffer {
    /// Returns `len` more bytes, as [`Buffer::get_writable`] does.
    ///
    /// Returns [`Refused`], and keeps what is written, if there is no memory for them.
    fn try_writable(&mut self, len: usize) -> Result<&mut [u8], Refused>;
}

impl TryBuffer for SlotPool {
    fn try_writable(&mut self, len: usize) -> Result<&mut [u8], Refused> {
        self.try_get_writable(len)
    }
}

impl TryBuffer for SystemMemory {
    fn try_writable(&mut self, len: usize) -> Result<&mut [u8], Refused> {
        Ok(self.try_get_writable(len)?)
    }
}

/// Refuses nothing: the crate ends the process without memory.
impl<T: Buffer> TryBuffer for BufferPool<T>
where
    Self: Buffer + AeadBuffer,
{
    fn try_writable(&mut self, len: usize) -> Result<&mut [u8], Refused> {
        Ok(self.get_writable(len))
    }
}

/// Refuses nothing: the crate ends the process without memory.
impl TryBuffer for BufferFromSystemMemory {
    fn try_writable(&mut self, len: usize) -> Result<&mut [u8], Refused> {
        Ok(self.get_writable(len))
    }
}

macro_rules! buffer_traits {
    ($buffer:ty) => {
        impl Buffer for $buffer {
            type Slice = Slice;

            fn get_writable(&mut self, len: usize) -> &mut [u8] {
                self.try_get_writable(len).unwrap_or_else(|error| panic!("{error}"))
            }

            fn get_data_owned(&mut self) -> Slice {
                self.take()
            }

            fn get_data_by_ref(&mut self, len: usize) -> &mut [u8] {
                let len = len.min(self.len());
                &mut self.pending_mut()[..len]
            }

            fn get_data_by_ref_(&self, len: usize) -> &[u8] {
                &self.pending()[..len.min(self.len())]
            }

            fn len(&self) -> usize {
                self.len()
            }

            fn danger_set_start(&mut self, index: usize) {
                let index = index.min(self.len());
                self.try_set_start(index).expect("it is clamped");
            }

            fn is_droppable(&self) -> bool {
                self.no_slice_alive()
            }
        }

        impl AsRef<[u8]> for $buffer {
            fn as_ref(&self) -> &[u8] {
                &self.pending()[self.start()..]
            }
        }

        impl AsMut<[u8]> for $buffer {
            fn as_mut(&mut self) -> &mut [u8] {
                let start = self.start();
                &mut self.pending_mut()[start..]
            }
        }

        impl AeadBuffer for $buffer {
            fn extend_from_slice(&mut self, other: &[u8]) -> aead::Result<()> {
                self.try_get_writable(other.len()).map_err(|_| aead::Error)?.copy_from_slice(other);
                Ok(())
            }

            fn truncate(&mut self, len: usize) {
                let len = len.min(self.len() - self.start());
                self.try_truncate(len).expect("it is clamped");
            }
        }

        impl buffer_sv2::Write for $buffer {
            fn write(&mut self, bytes: &[u8]) -> Result<usize, buffer_sv2::WriteError> {
                self.write_all(bytes)?;
                Ok(bytes.len())
            }

            fn write_all(&mut self, bytes: &[u8]) -> Result<(), buffer_sv2::WriteError> {
                let room = self.try_get_writable(bytes.len()).map_err(|_| buffer_sv2::WriteError::WriteZero)?;
                room.copy_from_slice(bytes);
                Ok(())
            }
        }
    };
}

buffer_traits!(SlotPool);
buffer_traits!(SystemMemory);
