//! Encrypting for a round, decrypting with its signature: identity-based encryption of a key, and AES-256-GCM under it.

use super::beacon::{Beacon, BeaconSignature, PublicKey, identity};
use super::wire::{Ciphertext, WireError};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use gradus_owner::Owner;
use rand_core::{CryptoRng, RngCore};
use timelock::block_ciphers::{AESGCMBlockCipherProvider, AESOutput, BlockCipherProvider};
use timelock::engines::drand::TinyBLS381;
use timelock::ibe::fullident::{Ciphertext as Header, IBESecret, Input};
use zeroize::{Zeroize, Zeroizing};

/// Why nothing was encrypted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Longer than the chain takes.
    #[error("the payload does not fit into a commit")]
    Wire(#[source] WireError),
    /// The cipher refuses.
    #[error(
        "the cipher refuses {found} bytes, the chain's limit is far below its own: report this"
    )]
    Cipher {
        /// Bytes of the payload.
        found: usize,
    },
}

impl LockError {
    /// Whose fault: this program's, which made the payload.
    pub fn owner(&self) -> Owner {
        Owner::Bug
    }
}

/// Why a commit did not open; the chain drops it silently then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// Not a signature.
    #[error(
        "the pulse's signature is not a point of G1: the node that gave it is wrong, ask another"
    )]
    Signature,
    /// Not a ciphertext.
    #[error("the commit's U is not a point of G2: these are not the bytes that were committed")]
    Point,
    /// Another round, or other bytes.
    #[error(
        "the signature does not open the commit: it is another round's, or these are not the bytes that were committed"
    )]
    OtherRoundOrChanged,
    /// The payload's tag.
    #[error(
        "the commit's key opens, its payload does not: these are not the bytes that were committed"
    )]
    PayloadChanged,
}

impl UnlockError {
    /// Whose fault: the host's, whose node gave the pulse and the commit.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// Encrypts a payload for a round of a beacon. The same randomness gives the same bytes.
///
/// # Errors
/// [`LockError::Wire`] if the commit would be longer than the chain takes.
pub fn lock(
    beacon: &Beacon,
    round: u64,
    payload: &[u8],
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<Ciphertext, LockError> {
    let mut key = Zeroizing::new([0; 32]);
    rng.fill_bytes(key.as_mut());
    let input = Input::new(*key).expect("any 32 bytes are a key");
    let header: Header<TinyBLS381> =
        identity(round).encrypt(&input, beacon.public_key(), &mut *rng);
    let sealed =
        AESGCMBlockCipherProvider::encrypt(payload, *key, rng).map_err(|_| LockError::Cipher {
            found: payload.len(),
        })?;
    let mut u = [0; 96];
    header
        .u
        .serialize_compressed(&mut u[..])
        .expect("a point of G2 has 96 bytes");
    let nonce = sealed
        .nonce
        .try_into()
        .expect("AES-GCM's nonce has 12 bytes");
    let ciphertext = Ciphertext {
        u,
        v: header.v,
        w: header.w,
        sealed: sealed.ciphertext,
        nonce,
    };
    ciphertext.to_wire().map_err(LockError::Wire)?;
    Ok(ciphertext)
}

/// Decrypts with the signature of the round that the payload was encrypted for.
///
/// The tag says that the bytes are whole, not who made them, and for which round is the signature's to prove: see [`Beacon::verifies`].
///
/// # Errors
/// [`UnlockError`].
pub fn unlock(
    ciphertext: &Ciphertext,
    signature: &BeaconSignature,
) -> Result<Vec<u8>, UnlockError> {
    let point = signature.point().ok_or(UnlockError::Signature)?;
    let u = PublicKey::deserialize_compressed(&ciphertext.u[..]).map_err(|_| UnlockError::Point)?;
    let header = Header::<TinyBLS381> {
        u,
        v: ciphertext.v,
        w: ciphertext.w,
    };
    let mut key = IBESecret::<TinyBLS381>(point)
        .decrypt(&header)
        .map_err(|_| UnlockError::OtherRoundOrChanged)?;
    let sealed = AESOutput {
        ciphertext: ciphertext.sealed.clone(),
        nonce: ciphertext.nonce.to_vec(),
    };
    let payload = AESGCMBlockCipherProvider::decrypt(sealed, key);
    key.zeroize();
    payload.map_err(|_| UnlockError::PayloadChanged)
}
