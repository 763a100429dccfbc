//! Layouts of frames: they tell where a frame ends.

use memchr::memmem::Finder;

use super::error::Error;

/// The longest frame that a layout can allow, in bytes.
pub const MAX_FRAME: usize = 1 << 30;

/// The longest header, in bytes.
pub const MAX_HEADER: usize = 1 << 16;

/// The longest delimiter, in bytes.
pub const MAX_DELIMITER: usize = 16;

/// A field of the header that holds the frame's length. Options are those of Netty's `LengthFieldBasedFrameDecoder`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthField {
    /// Offset of the field in the frame, in bytes.
    pub offset: usize,
    /// Length of the field: 1, 2, 3, 4 or 8 bytes.
    pub length: usize,
    /// Whether the field's first byte is the lowest.
    pub little_endian: bool,
    /// Added to the field. With 0 the field counts the bytes that follow it.
    pub adjustment: i64,
    /// Length of the header in bytes, at least up to the end of the field. With 0 the header ends with the field.
    pub header: usize,
}

impl Default for LengthField {
    /// Returns a field of 4 bytes, big-endian, at the start of the frame.
    fn default() -> Self {
        Self { offset: 0, length: 4, little_endian: false, adjustment: 0, header: 0 }
    }
}

impl LengthField {
    fn end(&self) -> usize {
        self.offset + self.length
    }

    /// Reads the field of a frame that begins with `held` and goes on with `rest`, if all of it has come.
    #[inline]
    pub(super) fn read(&self, held: &[u8], rest: &[u8]) -> Option<u64> {
        let (start, end) = (self.offset, self.end());
        if held.is_empty()
            && let Some(bytes) = rest.get(start..)?.first_chunk()
        {
            return Some(self.value(*bytes));
        }
        if held.len() + rest.len() < end {
            return None;
        }
        let mut bytes = [0; 8];
        for (byte, at) in bytes.iter_mut().zip(start..end) {
            *byte = if at < held.len() { held[at] } else { rest[at - held.len()] };
        }
        Some(self.value(bytes))
    }

    /// Reads the field at the start of `bytes`.
    fn value(&self, bytes: [u8; 8]) -> u64 {
        let unused = 64 - 8 * self.length;
        if self.little_endian {
            u64::from_le_bytes(bytes) << unused >> unused
        } else {
            u64::from_be_bytes(bytes) >> unused
        }
    }
}

/// Way to find the end of a frame.
#[derive(Debug)]
pub(super) enum Kind {
    Length(LengthField),
    Delimited(Box<Finder<'static>>),
    /// The caller reads the headers, and announces the length of each frame.
    Announced,
}

/// A protocol's frames. Readers share it.
#[derive(Debug)]
pub struct Layout {
    pub(super) kind: Kind,
    max: usize,
    header: usize,
    trailer: usize,
}

impl Layout {
    /// Makes the layout of frames with a length in their header. `max` is the longest frame in bytes, header included.
    pub fn length_field(mut field: LengthField, max: usize) -> Result<Self, Error> {
        if !matches!(field.length, 1..=4 | 8) {
            return Err(Error::Layout("a length field has 1, 2, 3, 4 or 8 bytes"));
        }
        if field.offset > MAX_HEADER {
            return Err(Error::Layout("a length field begins within the first 65536 bytes"));
        }
        if field.header == 0 {
            field.header = field.end();
        }
        if field.header < field.end() {
            return Err(Error::Layout("the header ends before its length field"));
        }
        Self::new(Kind::Length(field), max, field.header, 0)
    }

    /// Makes the layout of frames that end with `delimiter`, of 1 to [`MAX_DELIMITER`] bytes. `max` is the longest frame in
    /// bytes, delimiter included.
    pub fn delimited(delimiter: &[u8], max: usize) -> Result<Self, Error> {
        if delimiter.is_empty() || delimiter.len() > MAX_DELIMITER {
            return Err(Error::Layout("a delimiter has 1 to 16 bytes"));
        }
        Self::new(Kind::Delimited(Box::new(Finder::new(delimiter).into_owned())), max, 0, delimiter.len())
    }

    /// Makes the layout of frames whose lengths the caller [announces](super::Reader::announce). `header` is the length of
    /// their header in bytes, and `max` that of the longest frame, header included.
    pub fn announced(header: usize, max: usize) -> Result<Self, Error> {
        if header == 0 {
            return Err(Error::Layout("a header has at least one byte"));
        }
        Self::new(Kind::Announced, max, header, 0)
    }

    fn new(kind: Kind, max: usize, header: usize, trailer: usize) -> Result<Self, Error> {
        if header > MAX_HEADER {
            return Err(Error::Layout("a header has at most 65536 bytes"));
        }
        if max < header.max(trailer) || max > MAX_FRAME {
            return Err(Error::Layout("the longest frame is at least as long as its header, and at most 1 GiB"));
        }
        Ok(Self { kind, max, header, trailer })
    }

    /// Returns the length of the longest frame, in bytes.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Returns the number of bytes before the payload of each frame.
    pub fn header(&self) -> usize {
        self.header
    }

    /// Returns the number of bytes behind the payload of each frame.
    pub fn trailer(&self) -> usize {
        self.trailer
    }

    /// Checks a frame's length in bytes.
    #[inline]
    pub(super) fn check(&self, length: i128) -> Result<usize, Error> {
        if length < self.header as i128 {
            return Err(Error::TooShort { length, header: self.header });
        }
        match usize::try_from(length) {
            Ok(length) if length <= self.max => Ok(length),
            _ => Err(Error::TooLarge { length: u64::try_from(length).unwrap_or(u64::MAX), max: self.max }),
        }
    }

    /// Returns the length of a frame whose `field` holds `value`.
    #[inline]
    pub(super) fn length_by(&self, field: &LengthField, value: u64) -> Result<usize, Error> {
        self.check(i128::from(value) + i128::from(field.adjustment) + field.end() as i128)
    }
}
