use std::array;
use std::io::{self, IoSlice, IoSliceMut};

use rustix::io::retry_on_intr;

use super::descriptor::{Access, Descriptor};
use crate::ring::{Consumer, Half, Producer};
use crate::shown::{Memory, Shown};
use crate::system_error::SystemError;

/// A ring's half as one end of I/O: a producer is filled from a descriptor, a consumer is emptied into one.
pub trait Port: Half {
    /// Which way a descriptor must be opened for [`transfer`](Self::transfer).
    const ACCESS: Access;

    /// Moves what can be moved now with one call, straight between the descriptor and the ring's memory, `most` bytes at
    /// most.
    ///
    /// `None`: the call would block, or the ring is full (empty). 0: the end of what is read, or the ring is full (empty)
    /// and the other half has ended, so that it will stay so.
    fn transfer(&mut self, descriptor: &Descriptor<'_>, most: usize) -> Result<Option<usize>, SystemError>;
}

impl Port for Producer {
    const ACCESS: Access = Access::Read;

    fn transfer(&mut self, descriptor: &Descriptor<'_>, most: usize) -> Result<Option<usize>, SystemError> {
        // In this order: what came before the end is counted.
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
        // In this order: what came before the end is counted.
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
