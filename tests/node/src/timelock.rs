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
