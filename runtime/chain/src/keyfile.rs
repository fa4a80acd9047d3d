//! Keyfiles of the chain's wallets, plain and NaCl-encrypted, read with care.
//!
//! | module | is about |
//! |---|---|
//! | `file` | bytes of a file that holds a secret: who may read it, how long it is, links |
//! | `format` | which of the wallets' formats the bytes are |
//! | `sealed` | the encrypted format: Argon2i, then XSalsa20-Poly1305 |
//! | `document` | the JSON inside: every secret it holds makes the key that it names |
//!
//! Nothing here writes keyfiles, and nothing guesses: fields that contradict each other are refused, since programs differ in which of them
//! they sign with. Only a hotkey belongs on a validator's machine.

mod document;
mod file;
mod format;
mod sealed;

pub use document::DocumentError;
pub use file::{FileRules, Links, ReadFileError, read_private_file};
pub use format::{Format, FormatError};
pub use sealed::{SealedError, UNLOCK_MEMORY_BYTES};

use crate::secret::{PasswordError, PasswordSource};
use crate::{AccountId, Keypair};
use gradus_owner::Owner;
use std::path::{Path, PathBuf};

/// The longest keyfile that is read, in bytes; those of wallets have less than 1,000.
pub const KEYFILE_BYTES_MAX: usize = 16 * 1024;

/// Why a keyfile's bytes make no key. No variant carries any of the secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyfileError {
    /// Another format.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Encrypted, and no password was named.
    #[error(
        "the keyfile is encrypted and no password was named: name a file or an environment variable that holds it"
    )]
    PasswordNeeded,
    /// Encrypted, and there is no password.
    #[error("the keyfile is encrypted, and its password cannot be had")]
    Password(#[source] PasswordError),
    /// Encrypted, and it does not open.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// Its JSON is not a key's.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

/// Why a keyfile could not be read; the path, and what is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ReadKeyfileError {
    /// The file.
    #[error("the keyfile cannot be used")]
    File(#[source] ReadFileError),
    /// What is in it.
    #[error("{} makes no key", path.display())]
    Content {
        /// The keyfile.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: KeyfileError,
    },
    /// Another key than the one that was asked for.
    #[error("{} holds {found}, not {expected}: name the other keyfile, or correct the hotkey", path.display())]
    OtherAccount {
        /// The keyfile.
        path: PathBuf,
        /// The account that was asked for.
        expected: AccountId,
        /// The account whose key it holds.
        found: AccountId,
    },
}

impl ReadKeyfileError {
    /// Whose fault: the host's, which keeps the key.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl KeyfileError {
    /// Whose fault: the host's, which keeps the key.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// Reads the key pair of a keyfile.
///
/// * `password`: where it is; read only if the file is encrypted, and no earlier
/// * `expected`: the account that the key must belong to, if the caller knows it
///
/// Unlocking takes [`UNLOCK_MEMORY_BYTES`] and seconds, so do it once.
///
/// # Errors
/// [`ReadKeyfileError`].
pub fn read_keyfile(
    path: &Path,
    password: Option<&PasswordSource>,
    expected: Option<AccountId>,
    rules: &FileRules,
) -> Result<Keypair, ReadKeyfileError> {
    let bytes =
        read_private_file(path, KEYFILE_BYTES_MAX, rules).map_err(ReadKeyfileError::File)?;
    let pair =
        open_keyfile(&bytes, password, rules).map_err(|source| ReadKeyfileError::Content {
            path: path.to_owned(),
            source,
        })?;
    match expected {
        Some(expected) if expected != pair.account() => Err(ReadKeyfileError::OtherAccount {
            path: path.to_owned(),
            expected,
            found: pair.account(),
        }),
        _ => Ok(pair),
    }
}

fn open_keyfile(
    bytes: &[u8],
    password: Option<&PasswordSource>,
    rules: &FileRules,
) -> Result<Keypair, KeyfileError> {
    match Format::of(bytes)? {
        Format::Plain => Ok(document::keypair(bytes)?),
        Format::Nacl => {
            let source = password.ok_or(KeyfileError::PasswordNeeded)?;
            let password = source.read(rules).map_err(KeyfileError::Password)?;
            Ok(document::keypair(&sealed::open(bytes, &password)?)?)
        }
    }
}

/// A key pair of a plain keyfile's bytes: what a fuzzer feeds, the file's rules aside.
///
/// # Errors
/// [`KeyfileError`]; [`KeyfileError::PasswordNeeded`] if they are encrypted.
pub fn parse_plain(bytes: &[u8]) -> Result<Keypair, KeyfileError> {
    match Format::of(bytes)? {
        Format::Plain => Ok(document::keypair(bytes)?),
        Format::Nacl => Err(KeyfileError::PasswordNeeded),
    }
}

#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
mod tests;
