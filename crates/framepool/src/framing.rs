//! Frames out of a stream of bytes that is cut anywhere.
//!
//! A [`Layout`] says where a frame ends: by a length in its header, by a delimiter, or as the caller announces it. A
//! [`Reader`] takes chunks of the stream, and gives all frames that are whole as one [`Batch`]: side by side in one slice
//! of a pool, with a table behind them.
//!
//! ```text
//! ┌─────────┬─────────┬─ … ─┬─────────┬───────┬───────┬─ … ─┐
//! │ frame 0 │ frame 1 │     │ 0 … 3   │ end 0 │ end 1 │     │
//! └─────────┴─────────┴─ … ─┴─────────┴───────┴───────┴─ … ─┘
//! 0                           padding table
//! ```
//!
//! An entry of the table has 4 bytes in the machine's order: where its frame ends in the slice. Its address is a multiple
//! of 4. Each frame begins where the one before it ends.
//!
//! The end of a frame is looked for once: no byte of a delimited stream is looked at twice. A length is checked as soon
//! as its header has come, before a byte of the frame is held. The memory of an unfinished frame grows with the bytes
//! that have come, and not with the length that its header claims.
//!
//! ```
//! use framepool::framing::{Layout, LengthField, Reader};
//! use framepool::slot::SlotPool;
//! use std::sync::Arc;
//!
//! let layout = Layout::length_field(LengthField { length: 2, ..LengthField::default() }, 1024)?;
//! let mut reader = Reader::new(Arc::new(layout));
//! let mut pool = SlotPool::new(4096)?;
//! let batch = reader.receive(b"\x00\x02hi\x00\x05yo", &mut pool)?.expect("one frame is whole");
//! assert_eq!(batch.frame(0), Some(&b"\x00\x02hi"[..]));
//! assert_eq!(reader.pending(), 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod decoder;
mod error;
mod layout;
mod reader;

pub use batch::{Batch, ENTRY};
pub use error::Error;
pub use layout::{Layout, LengthField, MAX_DELIMITER, MAX_FRAME, MAX_HEADER};
pub use reader::Reader;
