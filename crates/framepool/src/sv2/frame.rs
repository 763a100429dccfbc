//! Frame headers, and the length of frames on the wire.

use framing_sv2::header::Header;
use framing_sv2::{SV2_FRAME_CHUNK_SIZE, SV2_FRAME_HEADER_SIZE};

/// Length of an authentication tag, in bytes.
pub(super) const TAG: usize = 16;

/// The longest payload of a frame, in bytes. Its length is a 24-bit number.
pub const MAX_PAYLOAD: usize = 0xff_ffff;

/// Length of a sealed header, in bytes.
pub(super) const SEALED_HEADER: usize = SV2_FRAME_HEADER_SIZE + TAG;

/// The longest part of a payload in one AEAD chunk, in bytes.
pub(super) const CHUNK: usize = SV2_FRAME_CHUNK_SIZE - TAG;

/// Header of a frame, without the length of its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Protocol extension. Bit 15 marks a channel message.
    pub extension_type: u16,
    /// Message within the extension.
    pub message_type: u8,
}

impl FrameHeader {
    /// Returns the header of a payload of `length` bytes, at most [`MAX_PAYLOAD`], before it is sealed.
    pub(super) fn encode(self, length: usize) -> [u8; SV2_FRAME_HEADER_SIZE] {
        let [e0, e1] = self.extension_type.to_le_bytes();
        let [l0, l1, l2, _] = (length as u32).to_le_bytes();
        [e0, e1, self.message_type, l0, l1, l2]
    }
}

impl From<Header> for FrameHeader {
    fn from(header: Header) -> Self {
        Self { extension_type: header.ext_type(), message_type: header.msg_type() }
    }
}

/// Returns the wire length of a payload of `length` bytes: the payload and a tag for each chunk.
pub(super) fn sealed_payload(length: usize) -> usize {
    length + length.div_ceil(CHUNK) * TAG
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_sv2_reads_an_encoded_header() {
        for (extension_type, message_type, length) in
            [(0, 0, 0), (0x8001, 0x1f, 1), (0x7fff, 0xff, 65_520), (0xffff, 0x80, MAX_PAYLOAD)]
        {
            let header = FrameHeader { extension_type, message_type };
            let read = Header::from_bytes(&header.encode(length)).expect("six bytes are a header");
            assert_eq!(read.payload_length(), length);
            assert_eq!(FrameHeader::from(read), header);
        }
    }

    #[test]
    fn every_chunk_adds_a_tag() {
        let sealed = [(0, 0), (1, 17), (65_518, 65_534), (65_519, 65_535), (65_520, 65_552), (131_038, 131_070)];
        for (length, expected) in sealed {
            assert_eq!(sealed_payload(length), expected, "payload of {length}");
        }
        assert_eq!(sealed_payload(MAX_PAYLOAD), MAX_PAYLOAD + 257 * 16);
    }
}
