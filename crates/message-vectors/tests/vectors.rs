//! Every Sv2 message as the published crates lay it out, beside the values that it was made of.
//!
//! `__test__/fixtures/messages.json` holds values and their bytes; the TypeScript codecs are checked against it. The test fails
//! when the crates produce anything else from the seed of that file. With `FRAMEPOOL_WRITE_FIXTURES=1` it writes the file. With
//! `FRAMEPOOL_VECTORS` set to a path it writes others there, from `FRAMEPOOL_SEED` or a seed that it prints.

// The functions of all types of fields are called alike.
#![allow(clippy::trivially_copy_pass_by_ref)]

use std::fmt::Write as _;

use binary_sv2::{B016M, B032, B064K, B0255, Seq064K, Seq0255, Str0255, Sv2Option, U256};
use common_messages_sv2::Protocol;
use extensions_sv2::UserIdentity;
use framing_sv2::header::Header;
use parsers_sv2::{AnyMessage, IsSv2Message, Tlv, TlvField, parse_message_frame_with_tlvs};
use serde_json::{Map, Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../__test__/fixtures/messages.json");
const FIXED_SEED: u64 = 44;

/// Cases of each message: the least values, the greatest, and random ones.
const CASES: usize = 6;

/// The kind of values that a case has.
#[derive(Clone, Copy)]
enum Kind {
    Least,
    Greatest,
    Random,
}

/// Repeatable values (splitmix64).
struct Values {
    state: u64,
    kind: Kind,
}

impl Values {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A whole number up to `most`.
    fn number(&mut self, most: u64) -> u64 {
        match self.kind {
            Kind::Least => 0,
            Kind::Greatest => most,
            Kind::Random if most == u64::MAX => self.next(),
            Kind::Random => self.next() % (most + 1),
        }
    }

    /// A length up to `most`; short ones are as likely as long ones, and random ones are not so long as to fill a disk.
    fn length(&mut self, most: usize) -> usize {
        match self.kind {
            Kind::Least => 0,
            Kind::Greatest => most,
            Kind::Random => {
                let limit = if self.next().is_multiple_of(2) { 8 } else { 300 };
                (self.next() as usize) % (most.min(limit) + 1)
            }
        }
    }

    fn fill(&mut self, length: usize) -> Vec<u8> {
        match self.kind {
            Kind::Random => (0..length).map(|_| self.next() as u8).collect(),
            Kind::Least => vec![0; length],
            Kind::Greatest => vec![0xff; length],
        }
    }

    fn list<T>(&mut self, most: usize, mut element: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let length = match self.kind {
            Kind::Random => (self.next() % 6) as usize,
            Kind::Least => 0,
            Kind::Greatest => most,
        };
        (0..length).map(|_| element(self)).collect()
    }
}

/// Bytes in hexadecimal; a run of a byte is written as `ff*255`, so that the longest values take no room.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for run in bytes.chunk_by(|one, other| one == other) {
        let separator = if text.is_empty() { "" } else { " " };
        if run.len() >= 16 {
            write!(text, "{separator}{:02x}*{} ", run[0], run.len()).expect("a String takes everything");
        } else {
            for byte in run {
                write!(text, "{byte:02x}").expect("a String takes everything");
            }
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A list as JSON; one that repeats an element says so.
fn list_json<T: PartialEq>(list: &[T], element: impl Fn(&T) -> Value) -> Value {
    match list.first() {
        Some(first) if list.len() > 16 && list.iter().all(|other| other == first) => {
            json!({ "repeat": element(first), "count": list.len() })
        }
        _ => list.iter().map(element).collect(),
    }
}

/// For every type of a field: a module with the value that is kept, its JSON, and what the crates take.
macro_rules! plain {
    ($name:ident, $kept:ty, $most:expr, |$value:ident| $json:expr) => {
        mod $name {
            use super::*;
            pub(super) type Kept = $kept;
            pub(super) fn make(values: &mut Values) -> Kept {
                values.number($most) as Kept
            }
            pub(super) fn json($value: &Kept) -> Value {
                $json
            }
            pub(super) fn wire(value: &Kept) -> Kept {
                *value
            }
        }
    };
}

macro_rules! bytes {
    ($name:ident, $wire:ident, $most:expr) => {
        mod $name {
            use super::*;
            pub(super) type Kept = Vec<u8>;
            pub(super) fn make(values: &mut Values) -> Kept {
                let length = values.length($most);
                values.fill(length)
            }
            pub(super) fn json(value: &Kept) -> Value {
                hex(value).into()
            }
            pub(super) fn wire(value: &Kept) -> $wire<'_> {
                value.as_slice().try_into().expect("as many bytes as fit")
            }
        }
    };
}

macro_rules! list {
    ($name:ident, $wire:ident, $element:ty, $kept:ty, $most:expr, $make:expr, $json:expr, $each:expr) => {
        mod $name {
            use super::*;
            pub(super) type Kept = Vec<$kept>;
            pub(super) fn make(values: &mut Values) -> Kept {
                values.list($most, $make)
            }
            pub(super) fn json(value: &Kept) -> Value {
                list_json(value, $json)
            }
            pub(super) fn wire(value: &Kept) -> $wire<'_, $element> {
                $wire::new(value.iter().map($each).collect()).expect("as many elements as fit")
            }
        }
    };
}

plain!(u16, u16, 0xffff, |value| (*value).into());
plain!(u32, u32, 0xffff_ffff, |value| (*value).into());
// A JSON number of this size would lose its last digits in JavaScript.
plain!(u64, u64, u64::MAX, |value| value.to_string().into());
bytes!(text, Str0255, 255);
bytes!(b0_32, B032, 32);
bytes!(b0_255, B0255, 255);
bytes!(b0_64k, B064K, 65_535);
list!(
    seq0_64k_u16,
    Seq064K,
    u16,
    u16,
    65_535,
    |values| values.number(0xffff) as u16,
    |value| (*value).into(),
    |value| *value
);
list!(
    seq0_64k_u32,
    Seq064K,
    u32,
    u32,
    65_535,
    |values| values.number(0xffff_ffff) as u32,
    |value| (*value).into(),
    |value| *value
);
list!(seq0_255_u256, Seq0255, U256<'_>, Vec<u8>, 255, |values| values.fill(32), |value| hex(value).into(), |value| {
    u256::wire(value)
});
list!(
    seq0_64k_u256,
    Seq064K,
    U256<'_>,
    Vec<u8>,
    65_535,
    |values| values.fill(32),
    |value| hex(value).into(),
    |value| u256::wire(value)
);
list!(
    seq0_64k_b0_16m,
    Seq064K,
    B016M<'_>,
    Vec<u8>,
    65_535,
    |values| {
        // Many are as much as a frame can carry, and so is a long one.
        let length = match values.kind {
            Kind::Greatest => 0,
            _ => values.length(300),
        };
        if length > 200 { vec![0x7a; 1 << 20] } else { values.fill(length) }
    },
    |value| hex(value).into(),
    |value| value.as_slice().try_into().expect("as many bytes as fit")
);

mod bool {
    use super::{Value, Values};
    pub(super) type Kept = core::primitive::bool;
    pub(super) fn make(values: &mut Values) -> Kept {
        values.number(1) == 1
    }
    pub(super) fn json(value: &Kept) -> Value {
        (*value).into()
    }
    pub(super) fn wire(value: &Kept) -> Kept {
        *value
    }
}

mod f32 {
    use super::{Kind, Value, Values};
    pub(super) type Kept = core::primitive::f32;
    pub(super) fn make(values: &mut Values) -> Kept {
        match values.kind {
            Kind::Least => 0.0,
            Kind::Greatest => Kept::MAX,
            // JSON has no number for what is not finite.
            Kind::Random => {
                Some(Kept::from_bits(values.next() as u32)).filter(|value| value.is_finite()).unwrap_or(1e15)
            }
        }
    }
    pub(super) fn json(value: &Kept) -> Value {
        f64::from(*value).into()
    }
    pub(super) fn wire(value: &Kept) -> Kept {
        *value
    }
}

mod u256 {
    use super::{U256, Value, Values, hex};
    pub(super) type Kept = Vec<u8>;
    pub(super) fn make(values: &mut Values) -> Kept {
        values.fill(32)
    }
    pub(super) fn json(value: &Kept) -> Value {
        hex(value).into()
    }
    pub(super) fn wire(value: &Kept) -> U256<'_> {
        value.as_slice().try_into().expect("32 bytes")
    }
}

mod option_u32 {
    use super::{Kind, Sv2Option, Value, Values};
    pub(super) type Kept = Option<core::primitive::u32>;
    pub(super) fn make(values: &mut Values) -> Kept {
        let given = !matches!(values.kind, Kind::Least) && values.number(2) > 0;
        given.then(|| values.number(0xffff_ffff) as core::primitive::u32)
    }
    pub(super) fn json(value: &Kept) -> Value {
        (*value).into()
    }
    pub(super) fn wire(value: &Kept) -> Sv2Option<'_, core::primitive::u32> {
        Sv2Option::new(*value)
    }
}

mod protocol {
    use super::{Protocol, Value, Values};
    pub(super) type Kept = Protocol;
    pub(super) fn make(values: &mut Values) -> Kept {
        match values.number(2) {
            0 => Protocol::MiningProtocol,
            1 => Protocol::JobDeclarationProtocol,
            _ => Protocol::TemplateDistributionProtocol,
        }
    }
    pub(super) fn json(value: &Kept) -> Value {
        (*value as core::primitive::u8).into()
    }
    pub(super) fn wire(value: &Kept) -> Kept {
        *value
    }
}

/// A header as it lies on the wire.
fn header(
    extension: core::primitive::u16,
    channel: core::primitive::bool,
    kind: core::primitive::u8,
    length: usize,
) -> Header {
    let [low, high] = (extension | if channel { 0x8000 } else { 0 }).to_le_bytes();
    let [a, b, c, _] = (length as core::primitive::u32).to_le_bytes();
    Header::from_bytes(&[low, high, kind, a, b, c]).expect("a header")
}

/// The TLVs behind a message of `length` bytes.
fn make_tlvs(values: &mut Values, length: usize) -> Vec<Tlv> {
    let user = UserIdentity::new("Worker_001").expect("a short name").to_tlv().expect("a TLV");
    match values.kind {
        // There is hardly any room behind the longest messages.
        _ if length > 1 << 20 => vec![user],
        Kind::Least => vec![Tlv::new(0, 0, Vec::new())],
        Kind::Greatest => vec![Tlv::new(0xffff, 0xff, values.fill(65_535))],
        Kind::Random => {
            let mut tlvs = values.list(4, |values| {
                // An extension with a lower byte of 0 looks like one of the specification's big-endian examples.
                let extension = values.number(0xffff) as core::primitive::u16 | 1;
                let value = b0_64k::make(values);
                Tlv::new(extension, values.number(0xff) as core::primitive::u8, value)
            });
            tlvs.push(user);
            tlvs
        }
    }
}

fn tlvs_json(tlvs: &[Tlv]) -> Value {
    let list: Vec<_> = tlvs
        .iter()
        .map(|tlv| {
            let (extension, field) = (tlv.r#type.extension_type, tlv.r#type.field_type);
            json!({ "extensionType": extension, "fieldType": field, "value": hex(&tlv.value) })
        })
        .collect();
    json!({ "list": list, "bytes": hex(&encoded(tlvs)) })
}

fn encoded(tlvs: &[Tlv]) -> Vec<core::primitive::u8> {
    tlvs.iter().flat_map(|tlv| tlv.encode().expect("a TLV")).collect()
}

/// Checks that the crates' dispatch finds the message of these bytes, whatever the channel bit, and the TLVs behind it.
fn check_dispatch(
    name: &str,
    extension: core::primitive::u16,
    kind: core::primitive::u8,
    channel: core::primitive::bool,
    bytes: &[core::primitive::u8],
    tlvs: &[Tlv],
) {
    let negotiated: Vec<_> = tlvs.iter().map(|tlv| tlv.r#type.extension_type).collect();
    for bit in [true, false] {
        let mut payload = [bytes, &encoded(tlvs)].concat();
        let length = payload.len();
        let (message, found) =
            parse_message_frame_with_tlvs(header(extension, bit, kind, length), &mut payload, &negotiated)
                .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(message.message_type(), kind, "{name}");
        assert_eq!(message.extension_type(), extension, "{name}");
        assert_eq!(message.channel_bit(), channel, "{name}");
        // The text of the longest messages would take seconds.
        assert!(bytes.len() > 1_000 || named(&message, name), "{name}: {message:?}");
        assert!(found.as_deref() == Some(tlvs), "{name}");
    }
}

/// Returns whether the variant that the crates chose has this name.
fn named(message: &AnyMessage<'_>, name: &str) -> core::primitive::bool {
    // Two protocols share this name; the type has told them apart.
    let wanted = if name == "TemplateSetNewPrevHash" { "SetNewPrevHash" } else { name };
    format!("{message:?}").split('(').any(|variant| variant.split([' ', ')']).next() == Some(wanted))
}

macro_rules! messages {
    ($($name:literal, $extension:literal, $type:literal, $channel:literal,
       $crate_name:ident::$struct:ident { $($field:ident: $js:literal $kind:ident),* };)*) => {
        fn vectors(seed: core::primitive::u64) -> Value {
            let mut values = Values { state: seed, kind: Kind::Least };
            // Apart, so that other TLVs leave the messages as they are.
            let mut tlv_values = Values { state: !seed, kind: Kind::Least };
            let mut all = Map::new();
            $({
                let mut cases = Vec::new();
                for index in 0..CASES {
                    values.kind = match index {
                        0 => Kind::Least,
                        1 => Kind::Greatest,
                        _ => Kind::Random,
                    };
                    $(let $field: $kind::Kept = $kind::make(&mut values);)*
                    let message = $crate_name::$struct { $($field: $kind::wire(&$field)),* };
                    let bytes = binary_sv2::to_bytes(message).expect("a valid message");
                    // The greatest values of some lists make more than a frame can carry, and the parsers take no more.
                    if bytes.len() > 0xff_ffff - 15 {
                        continue;
                    }
                    tlv_values.kind = values.kind;
                    let tlvs = make_tlvs(&mut tlv_values, bytes.len());
                    check_dispatch($name, $extension, $type, $channel, &bytes, &tlvs);
                    let mut value = Map::new();
                    $(value.insert($js.into(), $kind::json(&$field));)*
                    cases.push(json!({ "value": value, "bytes": hex(&bytes), "tlvs": tlvs_json(&tlvs) }));
                }
                all.insert($name.into(), json!({
                    "extensionType": $extension, "messageType": $type, "channelMessage": $channel, "cases": cases,
                }));
            })*
            json!({ "seed": seed.to_string(), "messages": all })
        }
    };
}

// The specification's name, extension, type and channel bit; the crate's struct; and its fields, with their names in JavaScript.
messages! {
    "SetupConnection", 0x0000, 0x00, false, common_messages_sv2::SetupConnection { protocol: "protocol" protocol, min_version: "minVersion" u16, max_version: "maxVersion" u16, flags: "flags" u32, endpoint_host: "endpointHost" text, endpoint_port: "endpointPort" u16, vendor: "vendor" text, hardware_version: "hardwareVersion" text, firmware: "firmware" text, device_id: "deviceId" text };
    "SetupConnectionSuccess", 0x0000, 0x01, false, common_messages_sv2::SetupConnectionSuccess { used_version: "usedVersion" u16, flags: "flags" u32 };
    "SetupConnectionError", 0x0000, 0x02, false, common_messages_sv2::SetupConnectionError { flags: "flags" u32, error_code: "errorCode" text };
    "ChannelEndpointChanged", 0x0000, 0x03, true, common_messages_sv2::ChannelEndpointChanged { channel_id: "channelId" u32 };
    "Reconnect", 0x0000, 0x04, false, common_messages_sv2::Reconnect { new_host: "newHost" text, new_port: "newPort" u16 };
    "OpenStandardMiningChannel", 0x0000, 0x10, false, mining_sv2::OpenStandardMiningChannel { request_id: "requestId" u32, user_identity: "userIdentity" text, nominal_hash_rate: "nominalHashRate" f32, max_target: "maxTarget" u256 };
    "OpenStandardMiningChannelSuccess", 0x0000, 0x11, false, mining_sv2::OpenStandardMiningChannelSuccess { request_id: "requestId" u32, channel_id: "channelId" u32, target: "target" u256, extranonce_prefix: "extranoncePrefix" b0_32, group_channel_id: "groupChannelId" u32 };
    "OpenMiningChannelError", 0x0000, 0x12, false, mining_sv2::OpenMiningChannelError { request_id: "requestId" u32, error_code: "errorCode" text };
    "OpenExtendedMiningChannel", 0x0000, 0x13, false, mining_sv2::OpenExtendedMiningChannel { request_id: "requestId" u32, user_identity: "userIdentity" text, nominal_hash_rate: "nominalHashRate" f32, max_target: "maxTarget" u256, min_extranonce_size: "minExtranonceSize" u16 };
    "OpenExtendedMiningChannelSuccess", 0x0000, 0x14, false, mining_sv2::OpenExtendedMiningChannelSuccess { request_id: "requestId" u32, channel_id: "channelId" u32, target: "target" u256, extranonce_size: "extranonceSize" u16, extranonce_prefix: "extranoncePrefix" b0_32, group_channel_id: "groupChannelId" u32 };
    "NewMiningJob", 0x0000, 0x15, true, mining_sv2::NewMiningJob { channel_id: "channelId" u32, job_id: "jobId" u32, min_ntime: "minNtime" option_u32, version: "version" u32, merkle_root: "merkleRoot" u256 };
    "UpdateChannel", 0x0000, 0x16, true, mining_sv2::UpdateChannel { channel_id: "channelId" u32, nominal_hash_rate: "nominalHashRate" f32, maximum_target: "maximumTarget" u256 };
    "UpdateChannelError", 0x0000, 0x17, true, mining_sv2::UpdateChannelError { channel_id: "channelId" u32, error_code: "errorCode" text };
    "CloseChannel", 0x0000, 0x18, true, mining_sv2::CloseChannel { channel_id: "channelId" u32, reason_code: "reasonCode" text };
    "SetExtranoncePrefix", 0x0000, 0x19, true, mining_sv2::SetExtranoncePrefix { channel_id: "channelId" u32, extranonce_prefix: "extranoncePrefix" b0_32 };
    "SubmitSharesStandard", 0x0000, 0x1a, true, mining_sv2::SubmitSharesStandard { channel_id: "channelId" u32, sequence_number: "sequenceNumber" u32, job_id: "jobId" u32, nonce: "nonce" u32, ntime: "ntime" u32, version: "version" u32 };
    "SubmitSharesExtended", 0x0000, 0x1b, true, mining_sv2::SubmitSharesExtended { channel_id: "channelId" u32, sequence_number: "sequenceNumber" u32, job_id: "jobId" u32, nonce: "nonce" u32, ntime: "ntime" u32, version: "version" u32, extranonce: "extranonce" b0_32 };
    "SubmitSharesSuccess", 0x0000, 0x1c, true, mining_sv2::SubmitSharesSuccess { channel_id: "channelId" u32, last_sequence_number: "lastSequenceNumber" u32, new_submits_accepted_count: "newSubmitsAcceptedCount" u32, new_shares_sum: "newSharesSum" u64 };
    "SubmitSharesError", 0x0000, 0x1d, true, mining_sv2::SubmitSharesError { channel_id: "channelId" u32, sequence_number: "sequenceNumber" u32, error_code: "errorCode" text };
    "NewExtendedMiningJob", 0x0000, 0x1f, true, mining_sv2::NewExtendedMiningJob { channel_id: "channelId" u32, job_id: "jobId" u32, min_ntime: "minNtime" option_u32, version: "version" u32, version_rolling_allowed: "versionRollingAllowed" bool, merkle_path: "merklePath" seq0_255_u256, coinbase_tx_prefix: "coinbaseTxPrefix" b0_64k, coinbase_tx_suffix: "coinbaseTxSuffix" b0_64k };
    "SetNewPrevHash", 0x0000, 0x20, true, mining_sv2::SetNewPrevHash { channel_id: "channelId" u32, job_id: "jobId" u32, prev_hash: "prevHash" u256, min_ntime: "minNtime" u32, nbits: "nbits" u32 };
    "SetTarget", 0x0000, 0x21, true, mining_sv2::SetTarget { channel_id: "channelId" u32, maximum_target: "maximumTarget" u256 };
    "SetCustomMiningJob", 0x0000, 0x22, true, mining_sv2::SetCustomMiningJob { channel_id: "channelId" u32, request_id: "requestId" u32, token: "miningJobToken" b0_255, version: "version" u32, prev_hash: "prevHash" u256, min_ntime: "minNtime" u32, nbits: "nbits" u32, coinbase_tx_version: "coinbaseTxVersion" u32, coinbase_prefix: "coinbasePrefix" b0_255, coinbase_tx_input_n_sequence: "coinbaseTxInputNSequence" u32, coinbase_tx_outputs: "coinbaseTxOutputs" b0_64k, coinbase_tx_locktime: "coinbaseTxLocktime" u32, merkle_path: "merklePath" seq0_255_u256 };
    "SetCustomMiningJobSuccess", 0x0000, 0x23, true, mining_sv2::SetCustomMiningJobSuccess { channel_id: "channelId" u32, request_id: "requestId" u32, job_id: "jobId" u32 };
    "SetCustomMiningJobError", 0x0000, 0x24, true, mining_sv2::SetCustomMiningJobError { channel_id: "channelId" u32, request_id: "requestId" u32, error_code: "errorCode" text };
    "SetGroupChannel", 0x0000, 0x25, false, mining_sv2::SetGroupChannel { group_channel_id: "groupChannelId" u32, channel_ids: "channelIds" seq0_64k_u32 };
    "AllocateMiningJobToken", 0x0000, 0x50, false, job_declaration_sv2::AllocateMiningJobToken { user_identifier: "userIdentifier" text, request_id: "requestId" u32 };
    "AllocateMiningJobTokenSuccess", 0x0000, 0x51, false, job_declaration_sv2::AllocateMiningJobTokenSuccess { request_id: "requestId" u32, mining_job_token: "miningJobToken" b0_255, coinbase_outputs: "coinbaseTxOutputs" b0_64k };
    "ProvideMissingTransactions", 0x0000, 0x55, false, job_declaration_sv2::ProvideMissingTransactions { request_id: "requestId" u32, unknown_tx_position_list: "unknownTxPositionList" seq0_64k_u16 };
    "ProvideMissingTransactionsSuccess", 0x0000, 0x56, false, job_declaration_sv2::ProvideMissingTransactionsSuccess { request_id: "requestId" u32, transaction_list: "transactionList" seq0_64k_b0_16m };
    "DeclareMiningJob", 0x0000, 0x57, false, job_declaration_sv2::DeclareMiningJob { request_id: "requestId" u32, mining_job_token: "miningJobToken" b0_255, version: "version" u32, coinbase_tx_prefix: "coinbaseTxPrefix" b0_64k, coinbase_tx_suffix: "coinbaseTxSuffix" b0_64k, wtxid_list: "wtxidList" seq0_64k_u256, excess_data: "excessData" b0_64k };
    "DeclareMiningJobSuccess", 0x0000, 0x58, false, job_declaration_sv2::DeclareMiningJobSuccess { request_id: "requestId" u32, new_mining_job_token: "newMiningJobToken" b0_255 };
    "DeclareMiningJobError", 0x0000, 0x59, false, job_declaration_sv2::DeclareMiningJobError { request_id: "requestId" u32, error_code: "errorCode" text, error_details: "errorDetails" b0_64k };
    "PushSolution", 0x0000, 0x60, false, job_declaration_sv2::PushSolution { extranonce: "extranonce" b0_32, prev_hash: "prevHash" u256, nonce: "nonce" u32, ntime: "ntime" u32, nbits: "nbits" u32, version: "version" u32 };
    "CoinbaseOutputConstraints", 0x0000, 0x70, false, template_distribution_sv2::CoinbaseOutputConstraints { coinbase_output_max_additional_size: "coinbaseOutputMaxAdditionalSize" u32, coinbase_output_max_additional_sigops: "coinbaseOutputMaxAdditionalSigops" u16 };
    "NewTemplate", 0x0000, 0x71, false, template_distribution_sv2::NewTemplate { template_id: "templateId" u64, future_template: "futureTemplate" bool, version: "version" u32, coinbase_tx_version: "coinbaseTxVersion" u32, coinbase_prefix: "coinbasePrefix" b0_255, coinbase_tx_input_sequence: "coinbaseTxInputSequence" u32, coinbase_tx_value_remaining: "coinbaseTxValueRemaining" u64, coinbase_tx_outputs_count: "coinbaseTxOutputsCount" u32, coinbase_tx_outputs: "coinbaseTxOutputs" b0_64k, coinbase_tx_locktime: "coinbaseTxLocktime" u32, merkle_path: "merklePath" seq0_255_u256 };
    "TemplateSetNewPrevHash", 0x0000, 0x72, false, template_distribution_sv2::SetNewPrevHash { template_id: "templateId" u64, prev_hash: "prevHash" u256, header_timestamp: "headerTimestamp" u32, n_bits: "nBits" u32, target: "target" u256 };
    "RequestTransactionData", 0x0000, 0x73, false, template_distribution_sv2::RequestTransactionData { template_id: "templateId" u64 };
    "RequestTransactionDataSuccess", 0x0000, 0x74, false, template_distribution_sv2::RequestTransactionDataSuccess { template_id: "templateId" u64, excess_data: "excessData" b0_64k, transaction_list: "transactionList" seq0_64k_b0_16m };
    "RequestTransactionDataError", 0x0000, 0x75, false, template_distribution_sv2::RequestTransactionDataError { template_id: "templateId" u64, error_code: "errorCode" text };
    "SubmitSolution", 0x0000, 0x76, false, template_distribution_sv2::SubmitSolution { template_id: "templateId" u64, version: "version" u32, header_timestamp: "headerTimestamp" u32, header_nonce: "headerNonce" u32, coinbase_tx: "coinbaseTx" b0_64k };
    "RequestExtensions", 0x0001, 0x00, false, extensions_sv2::RequestExtensions { request_id: "requestId" u16, requested_extensions: "requestedExtensions" seq0_64k_u16 };
    "RequestExtensionsSuccess", 0x0001, 0x01, false, extensions_sv2::RequestExtensionsSuccess { request_id: "requestId" u16, supported_extensions: "supportedExtensions" seq0_64k_u16 };
    "RequestExtensionsError", 0x0001, 0x02, false, extensions_sv2::RequestExtensionsError { request_id: "requestId" u16, unsupported_extensions: "unsupportedExtensions" seq0_64k_u16, required_extensions: "requiredExtensions" seq0_64k_u16 };
}

#[test]
fn the_fixtures_are_what_the_published_crates_produce() {
    let produced = serde_json::to_string_pretty(&vectors(FIXED_SEED)).expect("plain JSON") + "\n";
    if std::env::var("FRAMEPOOL_WRITE_FIXTURES").is_ok_and(|value| value == "1") {
        std::fs::write(FIXTURES, &produced).expect("the fixtures can be written");
    }
    let stored = std::fs::read_to_string(FIXTURES).expect("the fixtures can be read");
    assert!(stored == produced, "{FIXTURES} differs; rewrite it with FRAMEPOOL_WRITE_FIXTURES=1");
}

#[test]
fn fresh_values_dispatch_as_well() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let seed = std::env::var("FRAMEPOOL_SEED")
        .map_or(now.as_nanos() as core::primitive::u64, |text| text.parse().expect("a u64"));
    println!("FRAMEPOOL_SEED={seed}");
    let vectors = vectors(seed);
    if let Ok(path) = std::env::var("FRAMEPOOL_VECTORS") {
        std::fs::write(path, serde_json::to_string(&vectors).expect("plain JSON")).expect("the vectors can be written");
    }
}
