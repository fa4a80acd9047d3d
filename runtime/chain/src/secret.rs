//! Secrets: bytes that are overwritten when dropped and never shown, and passwords from where an operator keeps them.

use crate::keyfile::{FileRules, ReadFileError, read_private_file};
use gradus_owner::Owner;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The longest password, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 4_096;

/// Bytes that are overwritten when dropped; `Debug` shows nothing of them, not even how many.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes; earlier copies are the caller's.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for what has to compute with them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Where a password is. There is no variant for a password in an argument: arguments can be read by every process of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordSource {
    /// A file that only its owner reads; one line end at its end is not part of the password.
    File(PathBuf),
    /// An environment variable, by its name; all of its bytes are the password.
    Env(String),
}

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Not set.
    #[error(
        "the environment variable {name} is not set: set it to the keyfile's password, or name a file that holds it"
    )]
    EnvMissing {
        /// Its name.
        name: String,
    },
    /// Not a name that a variable can have.
    #[error(
        "{name:?} cannot be an environment variable's name: write letters, digits and underscores"
    )]
    EnvName {
        /// As it was given.
        name: String,
    },
    /// The file cannot be used.
    #[error("the password file cannot be used")]
    File(#[source] ReadFileError),
    /// Nothing there.
    #[error("the password of {place} is empty: write the keyfile's password there")]
    Empty {
        /// The file or the variable.
        place: String,
    },
    /// Too long.
    #[error(
        "the password of {place} has {found} bytes, the most is {PASSWORD_BYTES_MAX}: is it another file?"
    )]
    TooLong {
        /// The file or the variable.
        place: String,
        /// Bytes found.
        found: usize,
    },
}

impl PasswordError {
    /// Whose fault: the host's, which was to hold the password.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl fmt::Display for PasswordSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "variable {name}"),
        }
    }
}

impl PasswordSource {
    /// Reads the password, now.
    ///
    /// # Errors
    /// [`PasswordError`]; none carries any of the password.
    pub fn read(&self, rules: &FileRules) -> Result<Secret, PasswordError> {
        let bytes = match self {
            Self::File(path) => {
                let mut bytes = read_private_file(path, PASSWORD_BYTES_MAX + 2, rules)
                    .map_err(PasswordError::File)?;
                if bytes.last() == Some(&b'\n') {
                    bytes.pop();
                    if bytes.last() == Some(&b'\r') {
                        bytes.pop();
                    }
                }
                bytes
            }
            Self::Env(name) => {
                let usable =
                    |character: char| character.is_ascii_alphanumeric() || character == '_';
                if name.is_empty() || !name.chars().all(usable) {
                    return Err(PasswordError::EnvName { name: name.clone() });
                }
                let value = std::env::var_os(name)
                    .ok_or_else(|| PasswordError::EnvMissing { name: name.clone() })?;
                Zeroizing::new(value.into_vec())
            }
        };
        if bytes.is_empty() {
            return Err(PasswordError::Empty {
                place: self.to_string(),
            });
        }
        if bytes.len() > PASSWORD_BYTES_MAX {
            return Err(PasswordError::TooLong {
                place: self.to_string(),
                found: bytes.len(),
            });
        }
        Ok(Secret(bytes))
    }
}
