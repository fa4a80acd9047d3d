//! What wallets, signers, nodes and state directories give, as bytes; the first one picks.
#![no_main]

use gradus_chain::fuzzing;
use libfuzzer_sys::fuzz_target;

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
        _ => {}
    }
    if cfg!(feature = "canary") && *which == b's' {
        let response = gradus_chain::signer::Response::parse(bytes);
        assert!(response.is_err(), "canary");
    }
});
