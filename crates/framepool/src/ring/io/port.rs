//! Rings as ends of I/O: one system call between a descriptor and a ring's memory.
//!
//! Bytes are never copied in between, and no call blocks.

use std::array;
use std::io::{self, IoSlice, IoSliceMut};

use rustix::io::retry_on_intr;

use super::descriptor::{Access, Descriptor};
use crate::ring::{Consumer, Half, Producer};
use crate::shown::{Memory, Shown};
use crate::system_error::SystemError;

/// A half of a ring as one end of I/O. A producer is filled from a descriptor, and a consumer is emptied into one.
pub trait Port: Half {
    /// Access that a descriptor must be open for, to be used with [`transfer`](Self::transfer).
    const ACCESS: Access;

    /// Moves at most `most` bytes with one call, directly between the descriptor and the ring's memory.
    ///
    /// Returns the number of bytes moved. `None` means that the call would block, or that the ring is full (when
    /// reading) or empty (when writing). 0 means that the descriptor has ended, or that the ring is full or empty for
    /// good because the other half has ended. Returns an error if the system refuses the call.
    fn transfer(&mut self, descriptor: &Descriptor<'_>, most: usize) -> Result<Option<usize>, SystemError>;
}

impl Port for Producer {
    const ACCESS: Access = Access::Read;

    fn transfer(&mut self, descriptor: &Descriptor<'_>, most: usize) -> Result<Option<usize>, SystemError> {
        // The end must be read first, so that everything that the other half did before is counted.
        let ended = self.other_ended();
        if self.available() == 0 {
            return Ok(ended.then_some(0));
        }
        let Some(allowed) = descriptor.allowance()? else { return Ok(None) };
        let read = self.io_slices(|room, _| {
            let mut left = most.min(allowed);
            let mut parts = room.iter_mut().map(|part| {
                let length = part.len().min(left);
                left -= length;
                IoSliceMut::new(&mut part[..length])
            });
            let mut parts: [_; 2] = array::from_fn(|_| parts.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
            Ok(retry_on_intr(|| rustix::io::readv(descriptor, &mut parts))?)
        });
        unless_it_would_block("readv", read)
    }
}

impl Port for Consumer {
    const ACCESS: Access = Access::Write;

    fn transfer(&mut self, descriptor: &Descriptor<'_>, most: usize) -> Result<Option<usize>, SystemError> {
        // The end must be read first, so that everything that the other half did before is counted.
        let ended = self.other_ended();
        if self.available() == 0 {
            return Ok(ended.then_some(0));
        }
        let Some(allowed) = descriptor.allowance()? else { return Ok(None) };
        let written = self.io_slices(|bytes, _| {
            let mut left = most.min(allowed);
            let mut parts = bytes.iter().map(|part| {
                let length = part.len().min(left);
                left -= length;
                IoSlice::new(&part[..length])
            });
            let parts: [_; 2] = array::from_fn(|_| parts.next().unwrap_or_else(|| IoSlice::new(&[])));
            Ok(retry_on_intr(|| rustix::io::writev(descriptor, &parts))?)
        });
        unless_it_would_block("writev", written)
    }
}

impl<P: Port + Memory> Port for Shown<P> {
    const ACCESS: Access = P::ACCESS;

    fn transfer(&mut self, descriptor: &Descriptor<'_>, most: usize) -> Result<Option<usize>, SystemError> {
        self.owner_mut().transfer(descriptor, most)
    }
}

fn unless_it_would_block(syscall: &'static str, moved: io::Result<usize>) -> Result<Option<usize>, SystemError> {
    match moved {
        Ok(moved) => Ok(Some(moved)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(SystemError::new(syscall, error)),
    }
}
