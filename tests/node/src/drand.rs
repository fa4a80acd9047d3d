//! A beacon of one's own, with the scheme of drand's quicknet: a known secret, so that every round can be signed at once.

use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use sha2_10::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Mutex;
use timelock::engines::EngineBLS;
use timelock::engines::drand::TinyBLS381;
use timelock::ibe::fullident::Identity;

type Scalar = <TinyBLS381 as EngineBLS>::Scalar;
type PublicKey = <TinyBLS381 as EngineBLS>::PublicKeyGroup;

/// The standard generator of G2, compressed.
const GENERATOR: &str = "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8";

/// A beacon that signs the numbers of its rounds.
pub struct Drand {
    secret: Scalar,
    genesis_s: u64,
    period_s: u32,
    signed: Mutex<BTreeMap<u64, [u8; 48]>>,
}

impl std::fmt::Debug for Drand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Drand({})", self.public_key())
    }
}

impl Drand {
    /// A beacon with the key that a number gives, the time of round 1 in seconds since 1970, and the seconds between rounds.
    pub fn new(seed: u64, genesis_s: u64, period_s: u32) -> Self {
        let mut bytes = [0; 32];
        bytes[..31].copy_from_slice(&Sha256::digest(seed.to_le_bytes())[..31]);
        // 31 bytes are below the group's order.
        let secret = Scalar::deserialize_compressed(&bytes[..]).expect("below the order");
        assert!(period_s > 0, "a beacon has time between rounds");
        Self {
            secret,
            genesis_s,
            period_s,
            signed: Mutex::default(),
        }
    }

    /// The public key: a compressed point of G2 in hexadecimal.
    pub fn public_key(&self) -> String {
        let generator = crate::hex::decode(GENERATOR).expect("hexadecimal");
        let mut key = PublicKey::deserialize_compressed(&generator[..]).expect("a generator");
        key *= self.secret;
        let mut bytes = Vec::new();
        key.serialize_compressed(&mut bytes)
            .expect("a point fits into memory");
        crate::hex::encode(&bytes)[2..].to_owned()
    }

    /// The time of round 1, seconds since 1970.
    pub fn genesis_s(&self) -> u64 {
        self.genesis_s
    }

    /// Seconds between rounds.
    pub fn period_s(&self) -> u32 {
        self.period_s
    }

    /// The newest round that is out at a time in milliseconds since 1970; 0 if none is.
    pub fn newest_round(&self, time_ms: u64) -> u64 {
        match time_ms.checked_sub(self.genesis_s * 1_000) {
            Some(since) => since / (u64::from(self.period_s) * 1_000) + 1,
            None => 0,
        }
    }

    /// A round's randomness, 32 bytes, and its signature, 48.
    pub fn pulse(&self, round: u64) -> ([u8; 32], [u8; 48]) {
        let mut signed = self.signed.lock().expect("no thread panicked");
        let signature = *signed.entry(round).or_insert_with(|| self.sign(round));
        (Sha256::digest(signature).into(), signature)
    }

    fn sign(&self, round: u64) -> [u8; 48] {
        let identity = Identity::new(b"", &Sha256::digest(round.to_be_bytes()));
        let mut signature = [0; 48];
        identity
            .extract::<TinyBLS381>(self.secret)
            .0
            .serialize_compressed(&mut signature[..])
            .expect("a point of G1 has 48 bytes");
        signature
    }
}
