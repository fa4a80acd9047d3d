//! Weights on chain: nodes that have to agree, keys that sign, commits that a beacon opens, and submissions that are proven to have landed.
//!
//! | module | is about |
//! |---|---|
//! | [`node`] | calls, extrinsics, storage and events, through nodes that have to agree |
//! | [`keyfile`] | wallets' keyfiles, plain and NaCl-encrypted, to a [`Keypair`] |
//! | [`land`] | a submission's chain: nodes that agree, and a signer; every rule before anything is written down |
//! | [`plain_file`] | files that are opened only if they are plain: a pipe is not waited for |
//! | [`secret`] | bytes that are overwritten and never shown; where passwords come from |
//! | [`signer`] | who signs: a key pair in this process, or a command that holds it |
//! | [`submission`] | weights that provably land: from an intent on disk to a verdict that a finalized block proves |
//! | [`timelock`] | weights that are encrypted until a beacon's round: payload, ciphertext, schedule |
//! | [`fuzzing`] | one function of bytes for each hostile input |
//!
//! [`AccountId`] and its addresses, [`Hash`](struct@Hash) and [`BlockRef`], [`Keypair`] and [`Signature`] are what the others share.
//!
//! ```no_run
//! use gradus_chain::keyfile::{FileRules, read_keyfile};
//! use gradus_chain::secret::PasswordSource;
//! use gradus_chain::signer::{SignRequest, Signer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let password = PasswordSource::Env("HOTKEY_PASSWORD".into());
//! let pair = read_keyfile("hotkey".as_ref(), Some(&password), None, &FileRules::default())?;
//! println!("{}", pair.account()); // 5DfhGyQd…
//! let signature = pair.sign_request(&SignRequest::new(pair.account(), b"payload".to_vec())?)?;
//! assert!(pair.account().verifies(b"payload", &signature));
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod account;
pub mod fuzzing;
mod hash;
mod hex;
pub mod keyfile;
pub mod land;
pub mod node;
mod pair;
pub mod plain_file;
pub mod secret;
pub mod signer;
mod stored;
pub mod submission;
pub mod timelock;

pub use account::{AccountId, ParseAddressError, SS58_PREFIX};
pub use gradus_owner::Owner;
pub use hash::{BlockRef, Hash, ParseHashError};
pub use pair::{Keypair, SecretError, Signature};
pub use stored::stored_values;
