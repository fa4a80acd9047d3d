//! drand's rounds: numbered from 1, one each period since the genesis, each with a BLS signature of its number.

use ark_serialize::CanonicalDeserialize;
use gradus_owner::Owner;
use sha2_10::{Digest, Sha256};
use timelock::engines::EngineBLS;
use timelock::engines::drand::TinyBLS381;
use timelock::ibe::fullident::Identity;

pub(super) type PublicKey = <TinyBLS381 as EngineBLS>::PublicKeyGroup;
pub(super) type Point = <TinyBLS381 as EngineBLS>::SignatureGroup;

/// A network of drand that signs round numbers alone, in G1 of BLS12-381.
#[derive(Clone, Debug)]
pub struct Beacon {
    public_key: PublicKey,
    genesis_ms: u64,
    period_ms: u64,
}

/// A round's signature, 48 bytes: a compressed point of G1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeaconSignature(pub [u8; 48]);

/// A beacon that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeaconError {
    /// Not a key.
    #[error(
        "the beacon's public key is not 96 bytes in hexadecimal that are a compressed point of G2: copy it from the network's information"
    )]
    PublicKey,
    /// No time between rounds.
    #[error("the beacon's period is 0 s: copy it from the network's information")]
    Period,
    /// Before any date that is a time.
    #[error("the beacon's genesis, {found} s, is past any date: it is in seconds since 1970")]
    Genesis {
        /// Seconds.
        found: u64,
    },
}

impl BeaconError {
    /// Whose fault: the host's, which was given the network.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl Beacon {
    /// A network by its public key in hexadecimal, the time of round 1 in seconds since 1970, and the seconds between rounds.
    ///
    /// # Errors
    /// [`BeaconError`].
    pub fn new(public_key: &str, genesis_s: u64, period_s: u32) -> Result<Self, BeaconError> {
        let bytes: [u8; 96] = crate::hex::decode(public_key).ok_or(BeaconError::PublicKey)?;
        let public_key =
            PublicKey::deserialize_compressed(&bytes[..]).map_err(|_| BeaconError::PublicKey)?;
        if period_s == 0 {
            return Err(BeaconError::Period);
        }
        let genesis_ms = genesis_s
            .checked_mul(1_000)
            .ok_or(BeaconError::Genesis { found: genesis_s })?;
        Ok(Self {
            public_key,
            genesis_ms,
            period_ms: u64::from(period_s) * 1_000,
        })
    }

    /// drand's quicknet, whose pulses the chain keeps.
    pub fn quicknet() -> Self {
        let public_key = "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a";
        Self::new(public_key, 1_692_803_367, 3).expect("a network that exists")
    }

    /// Whole periods from genesis to a time in milliseconds since 1970, at least 1: what the chain's clients lock to.
    ///
    /// This is one less than the newest round at that time, which counts from 1 at genesis: a round whose signature is out by then.
    pub fn round_before(&self, time_ms: u64) -> u64 {
        (time_ms.saturating_sub(self.genesis_ms) / self.period_ms).max(1)
    }

    /// Whether `signature` is this network's of `round`; what a node says of a pulse need not be believed.
    pub fn verifies(&self, round: u64, signature: &BeaconSignature) -> bool {
        let Some(point) = signature.point() else {
            return false;
        };
        let hashed = identity(round).public::<TinyBLS381>();
        TinyBLS381::pairing(generator(), point) == TinyBLS381::pairing(self.public_key, hashed)
    }

    pub(super) fn public_key(&self) -> PublicKey {
        self.public_key
    }
}

impl BeaconSignature {
    /// The point of the right subgroup that the bytes are, if they are one.
    pub(super) fn point(&self) -> Option<Point> {
        Point::deserialize_compressed(&self.0[..]).ok()
    }
}

/// What a round is encrypted for and what its signature signs: SHA-256 of the number, big-endian.
pub(super) fn identity(round: u64) -> Identity {
    Identity::new(b"", &Sha256::digest(round.to_be_bytes()))
}

fn generator() -> PublicKey {
    let bytes = "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8";
    let bytes: [u8; 96] = crate::hex::decode(bytes).expect("96 bytes");
    PublicKey::deserialize_compressed(&bytes[..]).expect("the standard generator of G2")
}
