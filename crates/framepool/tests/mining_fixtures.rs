//! The mining messages of the demo, as the published crates encode them.
//!
//! `__test__/fixtures/mining-messages.json` has values and their bytes, and the tests of the TypeScript encoders use
//! it. The test fails if the crates produce anything else. With `FRAMEPOOL_WRITE_FIXTURES=1` it writes the file.

use std::fmt::Write as _;

use binary_sv2::{Encodable, GetSize, Str0255, Sv2Option, U256};
use common_messages_sv2::{
    CHANNEL_BIT_SETUP_CONNECTION, CHANNEL_BIT_SETUP_CONNECTION_ERROR, CHANNEL_BIT_SETUP_CONNECTION_SUCCESS,
    MESSAGE_TYPE_SETUP_CONNECTION, MESSAGE_TYPE_SETUP_CONNECTION_ERROR, MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS,
    Protocol, SetupConnection, SetupConnectionError, SetupConnectionSuccess,
};
use mining_sv2::{
    CHANNEL_BIT_MINING_SET_NEW_PREV_HASH, CHANNEL_BIT_NEW_MINING_JOB, CHANNEL_BIT_OPEN_MINING_CHANNEL_ERROR,
    CHANNEL_BIT_OPEN_STANDARD_MINING_CHANNEL, CHANNEL_BIT_OPEN_STANDARD_MINING_CHANNEL_SUCCESS,
    CHANNEL_BIT_SUBMIT_SHARES_ERROR, CHANNEL_BIT_SUBMIT_SHARES_STANDARD, CHANNEL_BIT_SUBMIT_SHARES_SUCCESS,
    MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH, MESSAGE_TYPE_NEW_MINING_JOB, MESSAGE_TYPE_OPEN_MINING_CHANNEL_ERROR,
    MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL, MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL_SUCCESS,
    MESSAGE_TYPE_SUBMIT_SHARES_ERROR, MESSAGE_TYPE_SUBMIT_SHARES_STANDARD, MESSAGE_TYPE_SUBMIT_SHARES_SUCCESS,
    NewMiningJob, OpenMiningChannelError, OpenStandardMiningChannel, OpenStandardMiningChannelSuccess, SetNewPrevHash,
    SubmitSharesError, SubmitSharesStandard, SubmitSharesSuccess,
};
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../__test__/fixtures/mining-messages.json");

const LONGEST_STRING: &str = concat!(
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

fn bytes_of(message: impl Encodable + GetSize) -> String {
    hex(&binary_sv2::to_bytes(message).expect("a valid message"))
}

fn text(value: &str) -> Str0255<'_> {
    value.try_into().expect("at most 255 bytes")
}

/// Returns 32 different bytes, so that a swapped or shifted byte shows.
fn counting(first: u8) -> [u8; 32] {
    std::array::from_fn(|index| first.wrapping_add(index as u8))
}

fn message(message_type: u8, channel_message: bool, cases: &[Value]) -> Value {
    json!({ "messageType": message_type, "channelMessage": channel_message, "cases": cases })
}

fn case(value: &Value, bytes: &str) -> Value {
    json!({ "value": value, "bytes": bytes })
}

fn setup_connection() -> Value {
    let cases = [
        (Protocol::MiningProtocol, 2, 2, 0b1, "127.0.0.1", 34254, ["framepool", "demo", "0.1.0", "miner-1"]),
        (Protocol::JobDeclarationProtocol, 0, u16::MAX, u32::MAX, "", 0, ["", "", "", ""]),
        (
            Protocol::TemplateDistributionProtocol,
            2,
            3,
            0,
            "põol.example",
            u16::MAX,
            [LONGEST_STRING, "é", "鉱", LONGEST_STRING],
        ),
    ]
    .map(|(protocol, min_version, max_version, flags, host, port, [vendor, hardware, firmware, device])| {
        case(
            &json!({
                "protocol": protocol as u8, "minVersion": min_version, "maxVersion": max_version, "flags": flags,
                "endpointHost": host, "endpointPort": port, "vendor": vendor, "hardwareVersion": hardware,
                "firmware": firmware, "deviceId": device,
            }),
            &bytes_of(SetupConnection {
                protocol,
                min_version,
                max_version,
                flags,
                endpoint_host: text(host),
                endpoint_port: port,
                vendor: text(vendor),
                hardware_version: text(hardware),
                firmware: text(firmware),
                device_id: text(device),
            }),
        )
    });
    message(MESSAGE_TYPE_SETUP_CONNECTION, CHANNEL_BIT_SETUP_CONNECTION, &cases)
}

fn setup_connection_success() -> Value {
    let cases = [(2, 0), (u16::MAX, u32::MAX), (0x0102, 0x0304_0506)].map(|(used_version, flags)| {
        case(
            &json!({ "usedVersion": used_version, "flags": flags }),
            &bytes_of(SetupConnectionSuccess { used_version, flags }),
        )
    });
    message(MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, CHANNEL_BIT_SETUP_CONNECTION_SUCCESS, &cases)
}

fn setup_connection_error() -> Value {
    let cases = [(0, "unsupported-protocol"), (u32::MAX, ""), (1, LONGEST_STRING)].map(|(flags, error_code)| {
        case(
            &json!({ "flags": flags, "errorCode": error_code }),
            &bytes_of(SetupConnectionError { flags, error_code: text(error_code) }),
        )
    });
    message(MESSAGE_TYPE_SETUP_CONNECTION_ERROR, CHANNEL_BIT_SETUP_CONNECTION_ERROR, &cases)
}

fn open_standard_mining_channel() -> Value {
    let cases = [
        (1, "miner-1", 1e13_f32, [0xff; 32]),
        (u32::MAX, "", 0.0, counting(0)),
        (0x0102_0304, LONGEST_STRING, 1.5e-3, counting(200)),
    ]
    .map(|(request_id, user_identity, nominal_hash_rate, max_target)| {
        case(
            &json!({
                "requestId": request_id, "userIdentity": user_identity, "nominalHashRate": nominal_hash_rate,
                "maxTarget": hex(&max_target),
            }),
            &bytes_of(OpenStandardMiningChannel {
                request_id,
                user_identity: text(user_identity),
                nominal_hash_rate,
                max_target: U256::from(&max_target),
            }),
        )
    });
    message(MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL, CHANNEL_BIT_OPEN_STANDARD_MINING_CHANNEL, &cases)
}

fn open_standard_mining_channel_success() -> Value {
    let longest_prefix = counting(100);
    let cases = [
        (1, 7, [0xff; 32], &[0xca, 0xfe][..], 0),
        (u32::MAX, u32::MAX, counting(0), &[][..], u32::MAX),
        (0x0102_0304, 0x0506_0708, counting(33), &longest_prefix[..], 0x090a_0b0c),
    ]
    .map(|(request_id, channel_id, target, extranonce_prefix, group_channel_id)| {
        case(
            &json!({
                "requestId": request_id, "channelId": channel_id, "target": hex(&target),
                "extranoncePrefix": hex(extranonce_prefix), "groupChannelId": group_channel_id,
            }),
            &bytes_of(OpenStandardMiningChannelSuccess {
                request_id,
                channel_id,
                target: U256::from(&target),
                extranonce_prefix: extranonce_prefix.try_into().expect("at most 32 bytes"),
                group_channel_id,
            }),
        )
    });
    message(MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL_SUCCESS, CHANNEL_BIT_OPEN_STANDARD_MINING_CHANNEL_SUCCESS, &cases)
}

fn open_mining_channel_error() -> Value {
    let cases = [(1, "unknown-user"), (u32::MAX, ""), (2, LONGEST_STRING)].map(|(request_id, error_code)| {
        case(
            &json!({ "requestId": request_id, "errorCode": error_code }),
            &bytes_of(OpenMiningChannelError { request_id, error_code: text(error_code) }),
        )
    });
    message(MESSAGE_TYPE_OPEN_MINING_CHANNEL_ERROR, CHANNEL_BIT_OPEN_MINING_CHANNEL_ERROR, &cases)
}

fn new_mining_job() -> Value {
    let cases = [
        (1, 1, None, 0x2000_0000, counting(1)),
        (u32::MAX, u32::MAX, Some(u32::MAX), u32::MAX, [0xff; 32]),
        (0x0102_0304, 0x0506_0708, Some(0), 0x090a_0b0c, counting(90)),
    ]
    .map(|(channel_id, job_id, min_ntime, version, merkle_root)| {
        case(
            &json!({
                "channelId": channel_id, "jobId": job_id, "minNtime": min_ntime, "version": version,
                "merkleRoot": hex(&merkle_root),
            }),
            &bytes_of(NewMiningJob {
                channel_id,
                job_id,
                min_ntime: Sv2Option::new(min_ntime),
                version,
                merkle_root: U256::from(&merkle_root),
            }),
        )
    });
    message(MESSAGE_TYPE_NEW_MINING_JOB, CHANNEL_BIT_NEW_MINING_JOB, &cases)
}

fn set_new_prev_hash() -> Value {
    let cases = [
        (1, 1, counting(7), 1_700_000_000, 0x1d00_ffff),
        (u32::MAX, u32::MAX, [0xff; 32], u32::MAX, u32::MAX),
        (0, 0, [0; 32], 0, 0),
    ]
    .map(|(channel_id, job_id, prev_hash, min_ntime, nbits)| {
        case(
            &json!({
                "channelId": channel_id, "jobId": job_id, "prevHash": hex(&prev_hash), "minNtime": min_ntime,
                "nbits": nbits,
            }),
            &bytes_of(SetNewPrevHash { channel_id, job_id, prev_hash: U256::from(&prev_hash), min_ntime, nbits }),
        )
    });
    message(MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH, CHANNEL_BIT_MINING_SET_NEW_PREV_HASH, &cases)
}

fn submit_shares_standard() -> Value {
    let cases = [
        [1, 1, 1, 0xdead_beef, 1_700_000_001, 0x2000_0000],
        [u32::MAX; 6],
        [0x0102_0304, 0x0506_0708, 0x090a_0b0c, 0x0d0e_0f10, 0x1112_1314, 0x1516_1718],
    ]
    .map(|[channel_id, sequence_number, job_id, nonce, ntime, version]| {
        case(
            &json!({
                "channelId": channel_id, "sequenceNumber": sequence_number, "jobId": job_id, "nonce": nonce,
                "ntime": ntime, "version": version,
            }),
            &bytes_of(SubmitSharesStandard { channel_id, sequence_number, job_id, nonce, ntime, version }),
        )
    });
    message(MESSAGE_TYPE_SUBMIT_SHARES_STANDARD, CHANNEL_BIT_SUBMIT_SHARES_STANDARD, &cases)
}

fn submit_shares_success() -> Value {
    let cases = [
        (1, 1, 1, 1),
        (u32::MAX, u32::MAX, u32::MAX, u64::MAX),
        (0x0102_0304, 0x0506_0708, 0x090a_0b0c, 0x0d0e_0f10_1112_1314),
    ]
    .map(|(channel_id, last_sequence_number, new_submits_accepted_count, new_shares_sum)| {
        case(
            &json!({
                "channelId": channel_id, "lastSequenceNumber": last_sequence_number,
                // A JSON number of this size would lose its last digits in JavaScript.
                "newSubmitsAcceptedCount": new_submits_accepted_count, "newSharesSum": new_shares_sum.to_string(),
            }),
            &bytes_of(SubmitSharesSuccess {
                channel_id,
                last_sequence_number,
                new_submits_accepted_count,
                new_shares_sum,
            }),
        )
    });
    message(MESSAGE_TYPE_SUBMIT_SHARES_SUCCESS, CHANNEL_BIT_SUBMIT_SHARES_SUCCESS, &cases)
}

fn submit_shares_error() -> Value {
    let cases = [(1, 9, "stale-share"), (u32::MAX, u32::MAX, ""), (2, 3, LONGEST_STRING)].map(
        |(channel_id, sequence_number, error_code)| {
            case(
                &json!({ "channelId": channel_id, "sequenceNumber": sequence_number, "errorCode": error_code }),
                &bytes_of(SubmitSharesError { channel_id, sequence_number, error_code: text(error_code) }),
            )
        },
    );
    message(MESSAGE_TYPE_SUBMIT_SHARES_ERROR, CHANNEL_BIT_SUBMIT_SHARES_ERROR, &cases)
}

#[test]
fn the_fixtures_are_what_the_published_crates_produce() {
    let fixtures = json!({
        "SetupConnection": setup_connection(),
        "SetupConnectionSuccess": setup_connection_success(),
        "SetupConnectionError": setup_connection_error(),
        "OpenStandardMiningChannel": open_standard_mining_channel(),
        "OpenStandardMiningChannelSuccess": open_standard_mining_channel_success(),
        "OpenMiningChannelError": open_mining_channel_error(),
        "NewMiningJob": new_mining_job(),
        "SetNewPrevHash": set_new_prev_hash(),
        "SubmitSharesStandard": submit_shares_standard(),
        "SubmitSharesSuccess": submit_shares_success(),
        "SubmitSharesError": submit_shares_error(),
    });
    let produced = serde_json::to_string_pretty(&fixtures).expect("plain JSON") + "\n";

    if std::env::var("FRAMEPOOL_WRITE_FIXTURES").is_ok_and(|value| value == "1") {
        std::fs::write(FIXTURES, &produced).expect("the fixtures can be written");
    }
    let stored = std::fs::read_to_string(FIXTURES).expect("the fixtures can be read");
    assert!(stored == produced, "{FIXTURES} differs; rewrite it with FRAMEPOOL_WRITE_FIXTURES=1");
}
