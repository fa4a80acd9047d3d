//! Who signs: a key pair in this process, or a command that holds it, so that the key can live where this program cannot reach it.

mod command;

pub use command::{CommandError, CommandSigner, RESPONSE_BYTES_MAX, Response};

use crate::{AccountId, Keypair, Signature};
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use gradus_owner::Owner;
use std::borrow::Cow;
use std::time::Duration;

/// The longest payload, in bytes: a timelocked commit may have 5,000, a vector for 4,096 uids has 16,384.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// Payloads above this many bytes are signed by their hash: the chain's rule for extrinsics.
const SIGNED_WHOLE_BYTES_MAX: usize = 256;

/// What is to be signed, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignRequest {
    account: AccountId,
    payload: Vec<u8>,
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Too long.
    #[error(
        "the payload has {found} bytes, the most is {PAYLOAD_BYTES_MAX}: no weights call is that long"
    )]
    PayloadTooLong {
        /// Its length.
        found: usize,
    },
    /// Another account's.
    #[error(
        "the signer holds {found}, the payload is {expected}'s: configure one hotkey in both places"
    )]
    OtherAccount {
        /// Who should sign.
        expected: AccountId,
        /// Whose key there is.
        found: AccountId,
    },
    /// The command.
    #[error("the signer's command {program} gave no signature")]
    Command {
        /// Its first word.
        program: String,
        /// Why.
        #[source]
        source: CommandError,
    },
}

impl SignError {
    /// Whose fault: the host's, or this program's if it made a payload that no call has.
    pub fn owner(&self) -> Owner {
        match self {
            Self::PayloadTooLong { .. } => Owner::Bug,
            Self::OtherAccount { .. } | Self::Command { .. } => Owner::Host,
        }
    }
}

impl SignRequest {
    /// A request to sign an extrinsic's payload: its call, its extensions and what they add, not hashed.
    ///
    /// # Errors
    /// [`SignError::PayloadTooLong`].
    pub fn new(account: AccountId, payload: Vec<u8>) -> Result<Self, SignError> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(SignError::PayloadTooLong {
                found: payload.len(),
            });
        }
        Ok(Self { account, payload })
    }

    /// Who should sign.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// All of it, so that a signer can see which call it allows.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The exact bytes that the signature is over: the payload, or BLAKE2b-256 of it above 256 bytes.
    pub fn message(&self) -> Cow<'_, [u8]> {
        if self.payload.len() > SIGNED_WHOLE_BYTES_MAX {
            Cow::Owned(Blake2b::<U32>::digest(&self.payload).to_vec())
        } else {
            Cow::Borrowed(&self.payload)
        }
    }
}

/// Something that signs for one account.
pub trait Signer {
    /// Whose signatures it gives.
    fn account(&self) -> AccountId;

    /// How long a signature may take: an extrinsic is made to be valid for longer. None to speak of where the key is in this process.
    fn time_limit(&self) -> Duration {
        Duration::ZERO
    }

    /// A signature that the account's key verifies over [`SignRequest::message`].
    ///
    /// # Errors
    /// [`SignError`].
    fn sign_request(&self, request: &SignRequest) -> Result<Signature, SignError>;
}

impl Signer for Keypair {
    fn account(&self) -> AccountId {
        Keypair::account(self)
    }

    fn sign_request(&self, request: &SignRequest) -> Result<Signature, SignError> {
        same_account(request, Keypair::account(self))?;
        Ok(self.sign(&request.message()))
    }
}

/// Refuses a request that is another account's.
fn same_account(request: &SignRequest, found: AccountId) -> Result<(), SignError> {
    if request.account != found {
        return Err(SignError::OtherAccount {
            expected: request.account,
            found,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
