//! Accounts' addresses: base58 of a prefix, the key, and two bytes of a checksum.

use sp_crypto_hashing::blake2_512;

/// The chain's prefix.
const PREFIX: u8 = 42;

/// The account that an address is of, if it is one of this chain.
pub fn decode(text: &str) -> Option<[u8; 32]> {
    let bytes: [u8; 35] = bs58::decode(text).into_vec().ok()?.try_into().ok()?;
    let (body, sum) = bytes.split_at(33);
    let known = body[0] == PREFIX && sum == checksum(body);
    known.then(|| body[1..].try_into().expect("32 bytes"))
}

/// An account's address.
pub fn encode(account: &[u8; 32]) -> String {
    let mut bytes = vec![PREFIX];
    bytes.extend(account);
    let sum = checksum(&bytes);
    bytes.extend(sum);
    bs58::encode(bytes).into_string()
}

fn checksum(body: &[u8]) -> [u8; 2] {
    let hash = blake2_512(&[b"SS58PRE", body].concat());
    [hash[0], hash[1]]
}
