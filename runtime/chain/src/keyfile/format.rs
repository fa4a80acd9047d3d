//! Which of the wallets' formats a keyfile's bytes are.

use super::sealed;

/// Formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Plain,
    /// `$NACL`: JSON under XSalsa20-Poly1305, its key from Argon2i.
    Nacl,
}

/// A format that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Nothing in it.
    #[error("the keyfile is empty: restore it from a backup, or make it again from its mnemonic")]
    Empty,
    /// Encrypted by an older wallet.
    #[error(
        "the keyfile is encrypted as {name}, which wallets wrote before they used NaCl: encrypt it anew with a current wallet"
    )]
    Outdated {
        /// What the format is called.
        name: &'static str,
    },
    /// Something else.
    #[error(
        "the keyfile is neither JSON nor encrypted by NaCl: is it another file, or another chain's wallet?"
    )]
    Foreign,
}

impl Format {
    /// Decides by the first bytes.
    ///
    /// # Errors
    /// [`FormatError`], which names the formats that other wallets wrote.
    pub fn of(bytes: &[u8]) -> Result<Self, FormatError> {
        let text = bytes.trim_ascii_start();
        if text.is_empty() {
            Err(FormatError::Empty)
        } else if bytes.starts_with(sealed::MAGIC) {
            Ok(Self::Nacl)
        } else if bytes.starts_with(b"$ANSIBLE_VAULT") {
            Err(FormatError::Outdated {
                name: "an Ansible vault",
            })
        } else if bytes.starts_with(b"gAAAAA") {
            Err(FormatError::Outdated { name: "Fernet" })
        } else if text[0] == b'{' {
            Ok(Self::Plain)
        } else {
            Err(FormatError::Foreign)
        }
    }
}
