//! Everything against what a node of spec 461 recorded, and metadata of three specs.

mod capabilities;

mod golden;
mod headers;
mod preflight;
mod words;

use super::{Capabilities, Runtime, RuntimeVersion};

/// Metadata of the three specs, by number.
pub(crate) const METADATA: [(u32, &[u8]); 3] = [
    (
        365,
        include_bytes!("../../../../tests/golden/chain/subtensor-365.scale"),
    ),
    (
        439,
        include_bytes!("../../../../tests/golden/chain/subtensor-439.scale"),
    ),
    (
        461,
        include_bytes!("../../../../tests/golden/chain/subtensor-461.scale"),
    ),
];

/// A runtime as a node has it.
pub(crate) fn runtime(spec_version: u32) -> Runtime {
    let (_, bytes) = METADATA
        .iter()
        .find(|(found, _)| *found == spec_version)
        .expect("one of three");
    let version = RuntimeVersion {
        spec_name: "node-subtensor".into(),
        spec_version,
        transaction_version: 1,
    };
    Runtime::decode(version, bytes).expect("recorded metadata")
}

/// A runtime whose calls and items are looked up.
pub(crate) fn capabilities(spec_version: u32) -> Capabilities {
    Capabilities::new(runtime(spec_version)).expect("known shapes")
}
