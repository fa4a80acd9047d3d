//! One function of bytes for each hostile input, for fuzzers: whatever the bytes are, each returns, and holds what it promises.

use crate::AccountId;
use crate::keyfile::parse_plain;
use crate::node::rpc::{Incoming, parse_message};
use crate::node::{Capabilities, Progress, Runtime, RuntimeVersion, WeightsCall};
use crate::signer::Response;
use crate::submission::{IntentStatus, Machine, Record, read_journal};
use crate::timelock::{BeaconSignature, Ciphertext, WeightsPayload, unlock};

/// A point of the curve that is no round's signature: the one at infinity.
const SIGNATURE: BeaconSignature = {
    let mut bytes = [0; 48];
    bytes[0] = 0xc0;
    BeaconSignature(bytes)
};

/// A keyfile's bytes: what opens signs as the account that it names.
pub fn keyfile(bytes: &[u8]) {
    if let Ok(pair) = parse_plain(bytes) {
        assert!(
            pair.account().verifies(bytes, &pair.sign(bytes)),
            "a pair signs as its account"
        );
    }
}

/// An address: what is read is written the same.
pub fn address(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(account) = text.parse::<AccountId>()
    {
        assert_eq!(account.to_ss58(), text, "base58 has one form");
    }
}

/// What a signer's command answers.
pub fn signer_response(bytes: &[u8]) {
    let _ = Response::parse(bytes);
}

/// A timelocked commit as a node gives it: what is read is written the same, and decrypting it ends.
pub fn commit(bytes: &[u8]) {
    if let Ok(ciphertext) = Ciphertext::from_wire(bytes) {
        assert_eq!(
            ciphertext.to_wire().as_deref(),
            Ok(bytes),
            "a commit has one form"
        );
        let _ = unlock(&ciphertext, &SIGNATURE);
    }
}

/// What a commit hides: what is read is written the same.
pub fn weights_payload(bytes: &[u8]) {
    if let Ok(payload) = WeightsPayload::decode(bytes) {
        assert_eq!(
            payload.encode().as_deref(),
            Ok(bytes),
            "a payload has one form"
        );
    }
}

/// Metadata as a node gives them: what is read can be asked for everything.
pub fn metadata(bytes: &[u8]) {
    let version = RuntimeVersion {
        spec_name: "node-subtensor".into(),
        spec_version: 461,
        transaction_version: 1,
    };
    if let Ok(runtime) = Runtime::decode(version, bytes)
        && let Ok(capabilities) = Capabilities::new(runtime)
    {
        let call = WeightsCall::Set {
            netuid: 1,
            mechanism: None,
            uids: vec![0],
            values: vec![1],
            version_key: 0,
        };
        let _ = capabilities.call_data(&call);
        let _ = capabilities.runtime().decode_events(bytes);
    }
}

/// Events and a metagraph as a node gives them, by the types of `runtime`.
pub fn answers(runtime: &Runtime, bytes: &[u8]) {
    let _ = runtime.decode_events(bytes);
    for (api, method) in [
        ("SubnetInfoRuntimeApi", "get_selective_metagraph"),
        ("SubnetInfoRuntimeApi", "get_metagraph"),
    ] {
        if let Some(output) = runtime.api_output(api, method) {
            let _ = runtime.decode_value(output, bytes);
        }
    }
}

/// A message of a node: what is read of an extrinsic's progress is one.
pub fn node_message(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(Incoming::Notification { result, .. }) = parse_message(text)
    {
        let _ = Progress::parse(&result);
    }
}

/// A submission's journal: what is read as records in order has a state, a next step and a status; what is not is an error.
///
/// Bytes that are no journal are taken for its records alone, a line each, since no change of a line survives its checksum.
pub fn journal(bytes: &[u8]) {
    let records = match read_journal(bytes) {
        Ok((records, _)) => records,
        Err(_) => bytes
            .split(|byte| *byte == b'\n')
            .map_while(|line| serde_json::from_slice(line).ok())
            .collect::<Vec<Record>>(),
    };
    if let Ok(machine) = Machine::resume(&records) {
        let _ = machine.next();
        let status = IntentStatus::of(machine.state());
        assert_eq!(
            status.history.len(),
            records.len(),
            "a line for each record"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seeds of a fuzzer: real inputs, each cut off everywhere and with each byte changed.
    #[test]
    fn no_neighbour_of_a_real_input_panics() {
        let plain = crate::keyfile::golden::plain().as_bytes();
        let response = br#"{"version":1,"refused":"not a weights call"}"#;
        let address_text = b"5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";
        let (hidden, payload) = crate::timelock::golden_commit();
        type Target<'a> = (fn(&[u8]), &'a [u8]);
        let note = br#"{"jsonrpc":"2.0","method":"author_extrinsicUpdate","params":{"subscription":"a","result":{"broadcast":[]}}}"#;
        let (whole, lines) = crate::submission::sample_journal();
        let targets: [Target<'_>; 8] = [
            (node_message, note),
            (keyfile, plain),
            (signer_response, response),
            (address, address_text),
            (commit, &hidden),
            (weights_payload, &payload),
            (journal, &whole),
            (journal, &lines),
        ];
        for (target, seed) in targets {
            target(seed);
            for at in 0..seed.len() {
                target(&seed[..at]);
                for flip in [0x01, 0x80] {
                    let mut changed = seed.to_vec();
                    changed[at] ^= flip;
                    target(&changed);
                }
            }
        }
    }
}
