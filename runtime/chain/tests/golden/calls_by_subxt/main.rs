//! Writes every weights call for the metadata of three specs: `spec name bytes`, and for nonce 7, immortal, `spec name message bytes`. The argument is the folder of metadata.

use subxt::config::DefaultExtrinsicParamsBuilder;
use subxt::config::substrate::{SpecVersionForRange, SubstrateConfigBuilder};
use subxt::dynamic::{self, Value};
use subxt::metadata::Metadata;
use subxt::{OfflineClient, SubstrateConfig};

fn u16s(values: &[u16]) -> Value {
    Value::unnamed_composite(values.iter().map(|v| Value::u128(u128::from(*v))))
}

fn main() {
    let dir = std::env::args().nth(1).expect("folder of metadata");
    let n = |number: u64| Value::u128(number.into());
    let hash = Value::from_bytes([7; 32]);
    let commit = Value::from_bytes(vec![9; 295]);
    let calls: Vec<(&str, Vec<Value>)> = vec![
        (
            "set_weights",
            vec![n(56), u16s(&[0, 7]), u16s(&[65_535, 1]), n(61_000)],
        ),
        (
            "set_mechanism_weights",
            vec![n(56), n(1), u16s(&[0, 7]), u16s(&[65_535, 1]), n(61_000)],
        ),
        ("commit_weights", vec![n(56), hash.clone()]),
        ("commit_mechanism_weights", vec![n(56), n(1), hash]),
        (
            "reveal_weights",
            vec![n(56), u16s(&[1]), u16s(&[2]), u16s(&[3, 4]), n(5)],
        ),
        (
            "reveal_mechanism_weights",
            vec![n(56), n(1), u16s(&[1]), u16s(&[2]), u16s(&[3, 4]), n(5)],
        ),
        (
            "commit_timelocked_weights",
            vec![n(56), commit.clone(), n(1_000), n(4)],
        ),
        (
            "commit_timelocked_mechanism_weights",
            vec![n(56), n(0), commit, n(1_000), n(4)],
        ),
    ];
    for spec_version in [365, 439, 461] {
        let bytes =
            std::fs::read(format!("{dir}/subtensor-{spec_version}.scale")).expect("metadata");
        let metadata = Metadata::decode_from(&bytes).expect("metadata");
        let versions = SpecVersionForRange {
            block_range: 0..100,
            spec_version,
            transaction_version: 1,
        };
        let config = SubstrateConfigBuilder::new()
            .set_genesis_hash([1; 32].into())
            .set_spec_version_for_block_ranges([versions])
            .set_metadata_for_spec_versions([(spec_version, metadata.arc())])
            .build();
        let client = OfflineClient::new_with_config(config);
        let at = client.at_block(50_u64).expect("in range");
        for (name, fields) in &calls {
            let call = dynamic::tx("SubtensorModule", *name, fields.clone());
            let data = at.tx().call_data(&call).expect("a call");
            let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("{spec_version} {name} 0x{hex}");
            let params = DefaultExtrinsicParamsBuilder::<SubstrateConfig>::new()
                .nonce(7)
                .build();
            let signable = at
                .tx()
                .create_v4_signable_offline(&call, params)
                .expect("a payload");
            // As it is signed: hashed above 256 bytes.
            let payload = signable.signer_payload().expect("a payload");
            let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("{spec_version} {name} message 0x{hex}");
        }
    }
}
