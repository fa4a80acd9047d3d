//! Signed extrinsics: decoded by the metadata's extensions, verified over the payload that those give.

use crate::call::Call;
use crate::runtime::Runtime;
use parity_scale_codec::{Compact, Decode, Encode};
use scale_decode::visitor::{IgnoreVisitor, decode_with_visitor};
use scale_info::PortableRegistry;
use sp_crypto_hashing::blake2_256;

/// What every signature of this family of chains is bound to.
const SIGNING_CONTEXT: &[u8] = b"substrate";
/// The first byte: signed, format 4.
const SIGNED_V4: u8 = 0x84;

/// Not an extrinsic of this runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(
    /// What is wrong.
    pub String,
);

/// From which block on, and for how many, an extrinsic is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Always.
    Immortal,
    /// In a window of blocks.
    Mortal {
        /// Blocks, a power of two.
        period: u64,
        /// The birth's remainder by the period.
        phase: u64,
    },
}

impl Era {
    /// The block whose hash is signed, seen from a block.
    pub fn birth(self, current: u64) -> u64 {
        match self {
            Self::Immortal => 0,
            Self::Mortal { period, phase } => {
                (current.max(phase) - phase) / period * period + phase
            }
        }
    }

    /// The first block in which it is no longer valid, seen from a block in which it is.
    pub fn death(self, current: u64) -> u64 {
        match self {
            Self::Immortal => u64::MAX,
            Self::Mortal { period, .. } => self.birth(current) + period,
        }
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        let first = u8::decode(input).ok()?;
        if first == 0 {
            return Some(Self::Immortal);
        }
        let encoded = u64::from(first) + (u64::from(u8::decode(input).ok()?) << 8);
        let period = 2 << (encoded % 16);
        let phase = (encoded >> 4) * (period >> 12).max(1);
        (period >= 4 && phase < period).then_some(Self::Mortal { period, phase })
    }
}

/// A signed extrinsic.
#[derive(Clone, Debug)]
pub struct Extrinsic {
    /// BLAKE2b-256 of its bytes with their length.
    pub hash: [u8; 32],
    /// Its bytes with their length.
    pub bytes: Vec<u8>,
    /// Who signed.
    pub account: [u8; 32],
    /// The signature.
    pub signature: [u8; 64],
    /// When it is valid.
    pub era: Era,
    /// The account's number of it.
    pub nonce: u32,
    /// What its author pays extra.
    pub tip: u64,
    /// The call.
    pub call: Call,
    call_bytes: Vec<u8>,
    extra: Vec<u8>,
    /// Whether the metadata's hash is part of what was signed.
    hashes_metadata: bool,
}

impl Extrinsic {
    /// Reads all of `bytes`.
    ///
    /// # Errors
    /// [`Malformed`]: another format, version, address, kind of signature, or a call that the runtime lacks.
    pub fn decode(runtime: &Runtime, bytes: &[u8]) -> Result<Self, Malformed> {
        let wrong = |what: &str| Malformed(what.to_owned());
        let mut rest = bytes;
        let length = Compact::<u32>::decode(&mut rest).map_err(|_| wrong("no length"))?;
        if rest.len() != length.0 as usize {
            return Err(Malformed(format!(
                "the length says {}, {} bytes follow",
                length.0,
                rest.len()
            )));
        }
        if take::<1>(&mut rest) != Some([SIGNED_V4]) {
            return Err(wrong("not a signed extrinsic of format 4"));
        }
        if take::<1>(&mut rest) != Some([0]) {
            return Err(wrong("the address is not an account"));
        }
        let account = take::<32>(&mut rest).ok_or_else(|| wrong("no account"))?;
        if take::<1>(&mut rest) != Some([1]) {
            return Err(wrong("the signature is not sr25519"));
        }
        let signature = take::<64>(&mut rest).ok_or_else(|| wrong("no signature"))?;
        let (mut era, mut nonce, mut tip, mut hashes_metadata) = (Era::Immortal, None, 0, false);
        let extra_start = rest;
        let types = runtime.metadata().types();
        for extension in extensions(runtime) {
            let field = skip(&mut rest, extension.1, types).ok_or_else(|| {
                Malformed(format!("the extension {} does not decode", extension.0))
            })?;
            let mut input = field;
            match extension.0 {
                "CheckMortality" => {
                    era = Era::decode(&mut input).ok_or_else(|| wrong("the era is none"))?;
                }
                "CheckNonce" => nonce = Compact::<u32>::decode(&mut input).ok(),
                "ChargeTransactionPayment" => {
                    tip = Compact::<u64>::decode(&mut input).map_or(0, |tip| tip.0);
                }
                "CheckMetadataHash" => hashes_metadata = field == [1],
                _ => {}
            }
        }
        let extra = extra_start[..extra_start.len() - rest.len()].to_vec();
        let call = Call::decode(runtime, rest).map_err(Malformed)?;
        Ok(Self {
            hash: blake2_256(bytes),
            bytes: bytes.to_vec(),
            account,
            signature,
            era,
            nonce: nonce.ok_or_else(|| wrong("no nonce"))?.0,
            tip,
            call,
            call_bytes: rest.to_vec(),
            extra,
            hashes_metadata,
        })
    }

    /// The bytes that must have been signed: call, extensions, and what the chain adds. Longer than 256 bytes they are hashed.
    pub fn payload(&self, runtime: &Runtime, genesis: [u8; 32], birth_hash: [u8; 32]) -> Vec<u8> {
        let mut payload = [&self.call_bytes[..], &self.extra].concat();
        for extension in extensions(runtime) {
            match extension.0 {
                "CheckSpecVersion" => payload.extend(runtime.spec().version().to_le_bytes()),
                "CheckTxVersion" => payload.extend(runtime.transaction_version().to_le_bytes()),
                "CheckGenesis" => payload.extend(genesis),
                "CheckMortality" => payload.extend(birth_hash),
                // The hash of this double's metadata is not computed: who signs one is refused.
                "CheckMetadataHash" => match self.hashes_metadata {
                    false => payload.push(0),
                    true => payload.extend([0xff; 33]),
                },
                _ => {}
            }
        }
        match payload.len() {
            0..=256 => payload,
            _ => blake2_256(&payload).encode(),
        }
    }

    /// Whether the account signed the payload.
    pub fn verifies(&self, payload: &[u8]) -> bool {
        let (Ok(key), Ok(signature)) = (
            schnorrkel::PublicKey::from_bytes(&self.account),
            schnorrkel::Signature::from_bytes(&self.signature),
        ) else {
            return false;
        };
        key.verify_simple(SIGNING_CONTEXT, payload, &signature)
            .is_ok()
    }
}

/// Names and types of what an extrinsic carries for each extension, in the runtime's order.
fn extensions(runtime: &Runtime) -> impl Iterator<Item = (&str, u32)> {
    runtime
        .metadata()
        .extrinsic()
        .transaction_extensions_by_version(0)
        .expect("version 0 is what format 4 has")
        .map(|extension| (extension.identifier(), extension.extra_ty()))
}

fn skip<'a>(rest: &mut &'a [u8], type_id: u32, types: &PortableRegistry) -> Option<&'a [u8]> {
    let start = *rest;
    decode_with_visitor(rest, type_id, types, IgnoreVisitor::new()).ok()?;
    Some(&start[..start.len() - rest.len()])
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}
