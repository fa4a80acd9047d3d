//! The golden keyfile, for tests.

use serde::Deserialize;
use std::sync::LazyLock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Golden {
    #[serde(rename = "_origin")]
    _origin: String,
    pub(crate) mnemonic: String,
    pub(crate) password: String,
    pub(crate) plain_keyfile: String,
    encrypted_keyfile_hex: String,
    pub(crate) ss58: String,
    pub(crate) public_key: String,
}

pub(crate) static GOLDEN: LazyLock<Golden> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../tests/golden/keyfile-vectors.json")).expect("golden")
});

/// The plain keyfile.
pub(crate) fn plain() -> &'static str {
    &GOLDEN.plain_keyfile
}

/// The encrypted keyfile.
pub(crate) fn encrypted() -> Vec<u8> {
    bytes(&GOLDEN.encrypted_keyfile_hex)
}

/// Bytes of any length.
pub(crate) fn bytes(digits: &str) -> Vec<u8> {
    let digits = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).expect("ascii"));
    digits
        .map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal"))
        .collect()
}
