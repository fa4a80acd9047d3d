//! sr25519 key pairs: from a mnemonic, a seed or a secret key, to signatures as the chain checks them.
//!
//! A mnemonic becomes a seed as this chain's family of wallets does it: PBKDF2-HMAC-SHA512 with 2,048 rounds over the mnemonic's *entropy*,
//! not over its text as BIP-39 has it, and the first 32 bytes of that. Secrets are overwritten when dropped and never shown.

use crate::AccountId;
use gradus_owner::Owner;
use schnorrkel::{ExpansionMode, MiniSecretKey, PublicKey, SecretKey};
use sha2_10::Sha512;
use std::fmt;
use zeroize::Zeroizing;

/// What every signature of this family of chains is bound to.
const SIGNING_CONTEXT: &[u8] = b"substrate";
/// Rounds of PBKDF2 from entropy to seed.
const ENTROPY_ROUNDS: u32 = 2_048;

/// An sr25519 signature, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::hex::encode(&self.0))
    }
}

/// A key pair that can sign; its secret is overwritten when dropped, and `Debug` shows the address alone.
pub struct Keypair(schnorrkel::Keypair);

/// A secret that makes no key. No variant carries any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not 12 to 24 words of the English list with a valid checksum.
    #[error(
        "the mnemonic is not 12, 15, 18, 21 or 24 words of the English list with a valid checksum: look for a misspelt or swapped word"
    )]
    Mnemonic,
    /// Not a secret key.
    #[error(
        "the secret key is not a scalar of the curve and a nonce, 64 bytes: it belongs to another kind of key, or was changed"
    )]
    SecretKey,
}

impl SecretError {
    /// Whose fault: the host's, which holds the secret.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl Keypair {
    /// From a seed of 32 bytes, by the expansion that this family of chains uses.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let mini = MiniSecretKey::from_bytes(seed).expect("any 32 bytes are a seed");
        Self(mini.expand_to_keypair(ExpansionMode::Ed25519))
    }

    /// From a secret key of 64 bytes, scalar and nonce, as a keyfile's `privateKey` has it: in canonical form, not multiplied by the cofactor.
    ///
    /// # Errors
    /// [`SecretError::SecretKey`].
    pub fn from_secret_key(secret_key: &[u8; 64]) -> Result<Self, SecretError> {
        let secret = SecretKey::from_bytes(secret_key).map_err(|_| SecretError::SecretKey)?;
        Ok(Self(secret.to_keypair()))
    }

    /// From an English mnemonic without a passphrase or derivation path.
    ///
    /// # Errors
    /// [`SecretError::Mnemonic`].
    pub fn from_mnemonic(phrase: &str) -> Result<Self, SecretError> {
        let mnemonic = bip39::Mnemonic::parse_in_normalized(bip39::Language::English, phrase)
            .map_err(|_| SecretError::Mnemonic)?;
        let (entropy, length) = mnemonic.to_entropy_array();
        let entropy = Zeroizing::new(entropy);
        let mut seed = Zeroizing::new([0; 32]);
        pbkdf2::pbkdf2_hmac::<Sha512>(
            &entropy[..length],
            b"mnemonic",
            ENTROPY_ROUNDS,
            seed.as_mut(),
        );
        Ok(Self::from_seed(&seed))
    }

    /// The account that signatures of this pair belong to.
    pub fn account(&self) -> AccountId {
        AccountId(self.0.public.to_bytes())
    }

    /// Signs the exact bytes. Two signatures of the same bytes differ, each has its own nonce.
    pub fn sign(&self, message: &[u8]) -> Signature {
        let transcript = schnorrkel::signing_context(SIGNING_CONTEXT).bytes(message);
        Signature(self.0.sign(transcript).to_bytes())
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keypair({}, secret redacted)", self.account())
    }
}

impl AccountId {
    /// Whether `signature` is this account's over exactly `message`; `false` as well if the account's bytes are no public key.
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        let (Ok(key), Ok(signature)) = (
            PublicKey::from_bytes(&self.0),
            schnorrkel::Signature::from_bytes(&signature.0),
        ) else {
            return false;
        };
        key.verify_simple(SIGNING_CONTEXT, message, &signature)
            .is_ok()
    }
}

#[cfg(test)]
mod tests;
