//! What wallets, signers, nodes and state directories give, as bytes; the first one picks.
#![no_main]

use gradus_chain::fuzzing;
use gradus_chain::node::{Runtime, RuntimeVersion};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const METADATA: &[u8] = include_bytes!("../../tests/golden/chain/subtensor-461.scale");

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let version = RuntimeVersion {
        spec_name: "node-subtensor".into(),
        spec_version: 461,
        transaction_version: 1,
    };
    Runtime::decode(version, METADATA).expect("a node's metadata")
});

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    match which {
        b'k' => fuzzing::keyfile(bytes),
        b'a' => fuzzing::address(bytes),
        b's' => fuzzing::signer_response(bytes),
        b'c' => fuzzing::commit(bytes),
        b'p' => fuzzing::weights_payload(bytes),
        b'j' => fuzzing::journal(bytes),
        b'n' => fuzzing::node_message(bytes),
        b'w' => fuzzing::answers(&RUNTIME, bytes),
        b'm' => fuzzing::metadata(&changed(bytes)),
        _ => {}
    }
    if cfg!(feature = "canary") && *which == b's' {
        let response = gradus_chain::signer::Response::parse(bytes);
        assert!(response.is_err(), "canary");
    }
});

/// Metadata with bytes changed: each five say where, and to what. Whole ones would be too long to be found.
fn changed(bytes: &[u8]) -> Vec<u8> {
    let mut metadata = METADATA.to_vec();
    for change in bytes.chunks_exact(5) {
        let [a, b, c, d, to] = change.try_into().expect("five");
        let at = u32::from_le_bytes([a, b, c, d]) as usize % metadata.len();
        metadata[at] = to;
    }
    metadata
}
