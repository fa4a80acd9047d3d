//! Writes every weights call for the metadata of three specs: `spec name bytes`, one a line. The argument is the folder of metadata.

use subxt::dynamic::{self, Value};
use subxt::metadata::Metadata;
use subxt::transactions::Payload;

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
        (
            "batch_set_weights",
            vec![
                u16s(&[56]),
                Value::unnamed_composite([Value::unnamed_composite([
                    Value::unnamed_composite([n(0), n(1)]),
                    Value::unnamed_composite([n(7), n(65_535)]),
                ])]),
                Value::unnamed_composite([n(61_000)]),
            ],
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
    for file in ["365", "439", "461"] {
        let bytes = std::fs::read(format!("{dir}/subtensor-{file}.scale")).expect("metadata");
        let metadata = Metadata::decode_from(&bytes).expect("metadata");
        for (name, fields) in &calls {
            let data = dynamic::tx("SubtensorModule", *name, fields.clone())
                .encode_call_data(&metadata)
                .expect("a call");
            let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("{file} {name} 0x{hex}");
        }
    }
}
