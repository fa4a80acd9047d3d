//! Commits opened with a pulse, as the runtime does it: the ciphertext's bytes, the payload, and the older payload without a hotkey.

use ark_serialize::CanonicalDeserialize;
use parity_scale_codec::Decode;
use timelock::block_ciphers::{AESGCMBlockCipherProvider, AESOutput, BlockCipherProvider};
use timelock::engines::EngineBLS;
use timelock::engines::drand::TinyBLS381;
use timelock::ibe::fullident::{Ciphertext, IBESecret};

/// The cipher's name at the end of a commit.
const SUITE: &[u8] = b"AES_GCM_";

/// Opens a commit; `None` if it is not one, or is locked to another round.
pub(crate) fn unlock(commit: &[u8], signature: &[u8; 48]) -> Option<Vec<u8>> {
    let mut rest = commit;
    let (u, after) = rest.split_at_checked(96)?;
    rest = after;
    let v = part(&mut rest)?.try_into().ok()?;
    let w = part(&mut rest)?.try_into().ok()?;
    let mut body = part(&mut rest)?;
    if part(&mut rest)? != SUITE {
        return None;
    }
    let sealed = part(&mut body)?;
    let nonce = part(&mut body)?;
    let u = <TinyBLS381 as EngineBLS>::PublicKeyGroup::deserialize_compressed(u).ok()?;
    let point = <TinyBLS381 as EngineBLS>::SignatureGroup::deserialize_compressed(&signature[..]);
    let key = IBESecret::<TinyBLS381>(point.ok()?)
        .decrypt(&Ciphertext { u, v, w })
        .ok()?;
    let sealed = AESOutput {
        ciphertext: sealed.to_vec(),
        nonce: nonce.to_vec(),
    };
    AESGCMBlockCipherProvider::decrypt(sealed, key).ok()
}

/// Bytes with their length in front, 8 bytes, little-endian.
fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (part, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(part)
}

/// What a commit hides.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) uids: Vec<u16>,
    pub(crate) values: Vec<u16>,
    pub(crate) version_key: u64,
}

impl Payload {
    /// Reads a payload of `who`; bytes that follow are not looked at, as on the chain. `None` if it is another hotkey's, or neither form.
    pub(crate) fn decode(plain: &[u8], who: [u8; 32]) -> Option<Self> {
        type New = (Vec<u8>, Vec<u16>, Vec<u16>, u64);
        type Legacy = (Vec<u16>, Vec<u16>, u64);
        if let Ok((hotkey, uids, values, version_key)) = New::decode(&mut &plain[..])
            && let Some(hotkey) = hotkey.first_chunk::<32>()
        {
            return (*hotkey == who).then_some(Self {
                uids,
                values,
                version_key,
            });
        }
        let (uids, values, version_key) = Legacy::decode(&mut &plain[..]).ok()?;
        Some(Self {
            uids,
            values,
            version_key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;
    use serde_json::Value as Json;

    /// Made by the official wheel, for a round of the real beacon whose signature is beside them.
    fn golden() -> Json {
        let text = include_str!("../../../runtime/chain/tests/golden/timelock-vectors.json");
        serde_json::from_str(text).expect("JSON")
    }

    fn bytes(value: &Json) -> Vec<u8> {
        hex::decode(value.as_str().expect("a text")).expect("hexadecimal")
    }

    #[test]
    fn commits_of_the_official_wheel_open_with_the_real_beacons_signature() {
        let golden = golden();
        let signature = bytes(&golden["drand"]["round_1000_signature"]);
        let signature: [u8; 48] = signature.try_into().expect("48 bytes");
        let cases = golden["commits_round_1000"]["cases"].as_array();
        let cases = cases.expect("a list");
        assert_eq!(cases.len(), 3);
        for case in cases {
            let commit = bytes(&case["commit"]);
            let plain = unlock(&commit, &signature).expect("it opens");
            assert_eq!(plain, bytes(&case["payload_scale_hex"]));
            let hotkey = bytes(&case["hotkey"]).try_into().expect("32 bytes");
            let payload = Payload::decode(&plain, hotkey).expect("a payload");
            assert_eq!(serde_json::json!(payload.uids), case["uids"]);
            assert_eq!(serde_json::json!(payload.values), case["values"]);
            assert_eq!(Payload::decode(&plain, [1; 32]), None);
            for cut in 0..commit.len() {
                assert_eq!(unlock(&commit[..cut], &signature), None, "{cut} bytes");
            }
        }
    }

    #[test]
    fn payloads_without_a_hotkey_are_read_as_well() {
        use parity_scale_codec::Encode;
        let plain = (vec![1_u16, 2], vec![3_u16, 4], 5_u64).encode();
        let payload = Payload::decode(&plain, [1; 32]).expect("the older form");
        assert_eq!((payload.uids, payload.version_key), (vec![1, 2], 5));
    }
}
