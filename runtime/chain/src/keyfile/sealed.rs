//! The encrypted keyfile: `$NACL ‖ nonce (24 bytes) ‖ XSalsa20-Poly1305 box`, its key Argon2i of the password.
//!
//! The salt is the same in every wallet of the world, so only the password tells keyfiles apart: cost makes up for it, 512 MiB and eight passes.

use crate::secret::Secret;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use crypto_secretbox::aead::{Aead, KeyInit};
use crypto_secretbox::{Key, Nonce, XSalsa20Poly1305};
use zeroize::{Zeroize, Zeroizing};

/// The first bytes of the format.
pub(super) const MAGIC: &[u8] = b"$NACL";
/// Bytes of the nonce.
const NONCE_BYTES: usize = 24;
/// Bytes of the authentication tag.
const TAG_BYTES: usize = 16;
/// Memory that unlocking takes, in bytes, given back at once: what a small pod must have free.
pub const UNLOCK_MEMORY_BYTES: usize = 512 * 1024 * 1024;
/// Passes over that memory.
const PASSES: u32 = 8;
/// The salt of all wallets.
const SALT: [u8; 16] = [
    0x13, 0x71, 0x83, 0xdf, 0xf1, 0x5a, 0x09, 0xbc, 0x9c, 0x90, 0xb5, 0x51, 0x87, 0x39, 0xe9, 0xb1,
];

/// Why an encrypted keyfile did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// Cut off.
    #[error("the encrypted keyfile has {found} bytes, its header and tag alone are {}: it was cut off, restore it from a backup", MAGIC.len() + NONCE_BYTES + TAG_BYTES)]
    Short {
        /// Bytes found.
        found: usize,
    },
    /// The tag is another. The format does not tell the two causes apart.
    #[error(
        "the password is wrong, or the encrypted keyfile was changed: check the password first, for line ends too"
    )]
    WrongPasswordOrChanged,
    /// No memory.
    #[error("unlocking the keyfile takes {} MiB of memory for some seconds, and this machine does not give it: free some, or raise the pod's limit", UNLOCK_MEMORY_BYTES >> 20)]
    Memory,
}

/// The plain keyfile inside.
pub(super) fn open(bytes: &[u8], password: &Secret) -> Result<Zeroizing<Vec<u8>>, SealedError> {
    let rest = bytes.strip_prefix(MAGIC).unwrap_or_default();
    if rest.len() < NONCE_BYTES + TAG_BYTES {
        return Err(SealedError::Short { found: bytes.len() });
    }
    unseal(rest, &*key_of(password)?)
}

/// What lies under a nonce and a tag, if the key is right; `rest` is at least as long as both.
pub(super) fn unseal(rest: &[u8], key: &[u8; 32]) -> Result<Zeroizing<Vec<u8>>, SealedError> {
    let (nonce, sealed) = rest.split_at(NONCE_BYTES);
    XSalsa20Poly1305::new(Key::from_slice(key))
        .decrypt(Nonce::from_slice(nonce), sealed)
        .map(Zeroizing::new)
        .map_err(|_| SealedError::WrongPasswordOrChanged)
}

/// 32 bytes of key. The memory they come from is overwritten, since its last block alone gives the key.
pub(super) fn key_of(password: &Secret) -> Result<Zeroizing<[u8; 32]>, SealedError> {
    let kib = (UNLOCK_MEMORY_BYTES / Block::SIZE) as u32;
    let params = Params::new(kib, PASSES, 1, Some(32)).expect("within Argon2's limits");
    let mut blocks: Vec<Block> = Vec::new();
    blocks
        .try_reserve_exact(params.block_count())
        .map_err(|_| SealedError::Memory)?;
    blocks.resize(params.block_count(), Block::default());
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2i, Version::V0x13, params)
        .hash_password_into_with_memory(password.expose(), &SALT, key.as_mut(), &mut blocks)
        .expect("a password's length, the salt's and the key's are within Argon2's limits");
    blocks.iter_mut().for_each(Zeroize::zeroize);
    Ok(key)
}
