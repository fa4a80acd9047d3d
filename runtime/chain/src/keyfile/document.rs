//! A keyfile's JSON: up to three forms of one secret, and the public key that each must make.
//!
//! Texts are borrowed from the buffer that is overwritten, never copied, so none may contain an escape; wallets write none. The parser's own
//! messages quote what they met, which may be a secret, so only their place is kept.

use crate::pair::SecretError;
use crate::{AccountId, Keypair, hex};
use serde::Deserialize;
use zeroize::Zeroizing;

/// The number that keyfiles have for sr25519.
const SR25519: u64 = 1;

/// What wallets write. Files of older ones lack `cryptoType`; the public key decides then, which another kind of key would not make.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Document<'a> {
    #[serde(borrow)]
    public_key: &'a str,
    #[serde(borrow, default)]
    private_key: Option<&'a str>,
    #[serde(borrow, default)]
    secret_phrase: Option<&'a str>,
    #[serde(borrow, default)]
    secret_seed: Option<&'a str>,
    #[serde(borrow, default)]
    ss58_address: Option<&'a str>,
    #[serde(borrow, default)]
    account_id: Option<&'a str>,
    #[serde(default)]
    crypto_type: Option<u64>,
}

/// Why a keyfile's JSON makes no key. No variant carries any of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON, or not these fields.
    #[error(
        "the keyfile's JSON is malformed, or not what a wallet writes, at line {line}, column {column}: restore it from a backup"
    )]
    Malformed {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A field that should be hexadecimal.
    #[error("the keyfile's {field} is not {bytes} bytes in hexadecimal: restore it from a backup")]
    Hex {
        /// Its name.
        field: &'static str,
        /// Bytes it should have.
        bytes: usize,
    },
    /// Another kind of key.
    #[error(
        "the keyfile's cryptoType is {found}, only sr25519 ({SR25519}) can be a hotkey's here: make the hotkey as sr25519"
    )]
    CryptoType {
        /// The number found.
        found: u64,
    },
    /// A public key alone.
    #[error(
        "the keyfile holds no secret, only {account}: name the hotkey's file, not the one ending in pub.txt"
    )]
    PublicOnly {
        /// Whose it is.
        account: AccountId,
    },
    /// A secret that makes no key.
    #[error("the keyfile's {field} makes no key")]
    Secret {
        /// Its name.
        field: &'static str,
        /// Why.
        #[source]
        source: SecretError,
    },
    /// Two fields that belong to two keys.
    #[error(
        "the keyfile's {field} belongs to another key than its publicKey, {account}: programs would differ in which they sign with, make the file again"
    )]
    Contradiction {
        /// The field that disagrees.
        field: &'static str,
        /// What `publicKey` names.
        account: AccountId,
    },
}

/// The key pair of a keyfile's JSON, after every field was checked against the public key.
pub(super) fn keypair(json: &[u8]) -> Result<Keypair, DocumentError> {
    let document: Document<'_> =
        serde_json::from_slice(json).map_err(|error| DocumentError::Malformed {
            line: error.line(),
            column: error.column(),
        })?;
    if let Some(found) = document.crypto_type.filter(|found| *found != SR25519) {
        return Err(DocumentError::CryptoType { found });
    }
    let account = AccountId(bytes("publicKey", document.public_key)?);
    let contradiction = |field| DocumentError::Contradiction { field, account };
    if let Some(id) = document.account_id
        && bytes::<32>("accountId", id)? != account.0
    {
        return Err(contradiction("accountId"));
    }
    if document
        .ss58_address
        .is_some_and(|address| address.parse() != Ok(account))
    {
        return Err(contradiction("ss58Address"));
    }
    let mut pair = None;
    for (field, made) in secrets(&document) {
        let made = made?;
        if made.account() != account {
            return Err(contradiction(field));
        }
        pair = Some(made);
    }
    pair.ok_or(DocumentError::PublicOnly { account })
}

/// A key pair of each secret that the document has.
fn secrets<'a>(
    document: &Document<'a>,
) -> impl Iterator<Item = (&'static str, Result<Keypair, DocumentError>)> {
    let named = |field, made: Result<Keypair, SecretError>| {
        made.map_err(|source| DocumentError::Secret { field, source })
    };
    let phrase = document.secret_phrase.map(|phrase| {
        (
            "secretPhrase",
            named("secretPhrase", Keypair::from_mnemonic(phrase)),
        )
    });
    let seed = document.secret_seed.map(|text| {
        let seed = bytes("secretSeed", text).map(Zeroizing::new);
        ("secretSeed", seed.map(|seed| Keypair::from_seed(&seed)))
    });
    let secret_key = document.private_key.map(|text| {
        let key = bytes("privateKey", text).map(Zeroizing::new);
        let made = key.and_then(|key| named("privateKey", Keypair::from_secret_key(&key)));
        ("privateKey", made)
    });
    [phrase, seed, secret_key].into_iter().flatten()
}

fn bytes<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], DocumentError> {
    hex::decode(text).ok_or(DocumentError::Hex { field, bytes: N })
}
