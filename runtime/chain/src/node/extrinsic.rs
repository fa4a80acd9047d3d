//! Signed extrinsics of version 4: what is signed, and what is sent.
//!
//! ```text
//! payload    call ‖ extensions' values ‖ extensions' context        hashed by the signer above 256 bytes
//! extrinsic  compact length ‖ 0x84 ‖ 0x00 account ‖ 0x01 signature ‖ extensions' values ‖ call
//! ```
//!
//! Extensions come from the metadata, in order. One that is not known here has to be empty, or nothing is signed.

use super::metadata::{MetadataError, Runtime};
use super::{Capabilities, CapabilityError, WeightsCall};
use crate::Hash;
use crate::signer::{SignError, SignRequest, Signer};
use crate::{AccountId, Signature};
use gradus_owner::Owner;
use parity_scale_codec::{Compact, Encode};
use serde::{Deserialize, Serialize};

/// The version that is written.
const VERSION: u8 = 4;
/// The bit that marks a signature.
const SIGNED: u8 = 0x80;

/// How long an extrinsic is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Era {
    /// For ever: until its nonce is used.
    Immortal,
    /// From the birth block for `period_blocks`, a power of two from 4 to 65,536.
    Mortal {
        /// Blocks.
        period_blocks: u64,
        /// A block in the period, whose number decides the birth block.
        current: u64,
    },
}

impl Era {
    /// A mortal era from `current` on; the period is rounded up to a power of two from 4 to 65,536.
    pub fn mortal(period_blocks: u64, current: u64) -> Self {
        Self::Mortal {
            period_blocks: period_blocks.clamp(4, 1 << 16).next_power_of_two(),
            current,
        }
    }

    /// The block whose hash is signed; 0, the genesis, for the immortal.
    pub fn birth(&self) -> u64 {
        match *self {
            Self::Immortal => 0,
            Self::Mortal {
                period_blocks,
                current,
            } => {
                let phase = self.phase(period_blocks, current);
                (current.max(phase) - phase) / period_blocks * period_blocks + phase
            }
        }
    }

    /// The first block that cannot have it any more; `None` for the immortal.
    pub fn end(&self) -> Option<u64> {
        match *self {
            Self::Immortal => None,
            Self::Mortal { period_blocks, .. } => Some(self.birth() + period_blocks),
        }
    }

    /// Above 4,096 blocks a phase is written in steps.
    fn quantum(period_blocks: u64) -> u64 {
        (period_blocks >> 12).max(1)
    }

    fn phase(&self, period_blocks: u64, current: u64) -> u64 {
        let quantum = Self::quantum(period_blocks);
        current % period_blocks / quantum * quantum
    }

    fn encode_to(&self, bytes: &mut Vec<u8>) {
        match *self {
            Self::Immortal => bytes.push(0),
            Self::Mortal {
                period_blocks,
                current,
            } => {
                let phase = self.phase(period_blocks, current) / Self::quantum(period_blocks);
                let exponent = (period_blocks.trailing_zeros() - 1).clamp(1, 15) as u16;
                (exponent | (phase as u16) << 4).encode_to(bytes);
            }
        }
    }
}

/// What an extrinsic says beside its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtrinsicContext {
    /// How many extrinsics of the account came before.
    pub nonce: u32,
    /// How long it is valid.
    pub era: Era,
    /// The hash of the era's birth block; the genesis for the immortal.
    pub birth_hash: Hash,
    /// The chain.
    pub genesis: Hash,
    /// A tip for the block's author, rao; weights are free.
    pub tip: u64,
}

/// A call with all that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    call: Vec<u8>,
    values: Vec<u8>,
    context: Vec<u8>,
}

/// An extrinsic that can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// All of it, its length in front.
    pub bytes: Vec<u8>,
    /// BLAKE2b-256 of the bytes: its name in blocks and pools.
    pub hash: Hash,
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum ExtrinsicError {
    /// The call.
    #[error("the call cannot be written")]
    Call(#[source] CapabilityError),
    /// The runtime.
    #[error("the runtime takes no extrinsics that this program writes")]
    Version(#[source] MetadataError),
    /// An extension that would be signed blindly.
    #[error(
        "nothing is signed: extension {name} of spec {spec_version} has the value {value} and the context {context}, this program does not know it: update it"
    )]
    Extension {
        /// The extension.
        name: String,
        /// The shape of what is sent.
        value: String,
        /// The shape of what is signed alone.
        context: String,
        /// The runtime.
        spec_version: u32,
    },
    /// The signer.
    #[error("the signer gave no signature")]
    Sign(#[source] SignError),
    /// A signature of something else.
    #[error(
        "the signer's signature is not {account}'s over the payload: it holds another key, or signs other bytes"
    )]
    WrongSignature {
        /// Who should have signed.
        account: AccountId,
    },
}

impl ExtrinsicError {
    /// Whose fault.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Call(error) => error.owner(),
            Self::Version(error) => error.owner(),
            Self::Extension { .. } | Self::WrongSignature { .. } => Owner::Host,
            Self::Sign(error) => error.owner(),
        }
    }
}

impl Unsigned {
    /// A weights call with its context, for the runtime of `capabilities`.
    ///
    /// # Errors
    /// `Call`, `Version`, `Extension`.
    pub fn new(
        capabilities: &Capabilities,
        call: &WeightsCall,
        context: &ExtrinsicContext,
    ) -> Result<Self, ExtrinsicError> {
        let call = capabilities.call_data(call).map_err(ExtrinsicError::Call)?;
        Self::from_call_data(capabilities.runtime(), call, context)
    }

    /// The bytes of any call with its context.
    pub(super) fn from_call_data(
        runtime: &Runtime,
        call: Vec<u8>,
        context: &ExtrinsicContext,
    ) -> Result<Self, ExtrinsicError> {
        let version = runtime.version();
        let spec_version = version.spec_version;
        let extrinsic = runtime.metadata().extrinsic();
        let unsupported = || {
            ExtrinsicError::Version(MetadataError::ExtrinsicVersion {
                spec_version,
                found: extrinsic.supported_versions().to_vec(),
            })
        };
        if !extrinsic.supported_versions().contains(&VERSION) {
            return Err(unsupported());
        }
        let extensions = extrinsic
            .transaction_extensions_by_version(0)
            .ok_or_else(unsupported)?;
        let (mut values, mut signed) = (Vec::new(), Vec::new());
        for extension in extensions {
            let value = runtime.shape(extension.extra_ty());
            let also = runtime.shape(extension.additional_ty());
            match (extension.identifier(), value.as_str(), also.as_str()) {
                ("CheckSpecVersion", "()", "u32") => spec_version.encode_to(&mut signed),
                ("CheckTxVersion", "()", "u32") => {
                    version.transaction_version.encode_to(&mut signed);
                }
                ("CheckGenesis", "()", "[u8;32]") => signed.extend(context.genesis.0),
                ("CheckMortality", "Era", "[u8;32]") => {
                    context.era.encode_to(&mut values);
                    signed.extend(context.birth_hash.0);
                }
                ("CheckNonce", "Compact<u32>", "()") => {
                    Compact(context.nonce).encode_to(&mut values);
                }
                ("ChargeTransactionPayment", "Compact<u64>", "()") => {
                    Compact(context.tip).encode_to(&mut values);
                }
                // No digest of the metadata: the chain takes both.
                ("CheckMetadataHash", "enum{Disabled=0()|Enabled=1()}", "Option<[u8;32]>") => {
                    values.push(0);
                    signed.push(0);
                }
                (_, "()", "()") => (),
                (name, _, _) => {
                    return Err(ExtrinsicError::Extension {
                        name: name.to_owned(),
                        value,
                        context: also,
                        spec_version,
                    });
                }
            }
        }
        Ok(Self {
            call,
            values,
            context: signed,
        })
    }

    /// What a signer is shown, whole.
    pub fn payload(&self) -> Vec<u8> {
        [&self.call[..], &self.values, &self.context].concat()
    }

    /// The call's bytes.
    pub fn call_data(&self) -> &[u8] {
        &self.call
    }

    /// Shows the payload to `signer`, and believes its signature once it verifies.
    ///
    /// # Errors
    /// `Sign`, `WrongSignature`.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Signed, ExtrinsicError> {
        let account = signer.account();
        let request = SignRequest::new(account, self.payload()).map_err(ExtrinsicError::Sign)?;
        let signature = signer
            .sign_request(&request)
            .map_err(ExtrinsicError::Sign)?;
        if !account.verifies(&request.message(), &signature) {
            return Err(ExtrinsicError::WrongSignature { account });
        }
        Ok(self.with_signature(account, &signature))
    }

    /// The extrinsic with a signature that was made elsewhere.
    pub(super) fn with_signature(&self, account: AccountId, signature: &Signature) -> Signed {
        let mut body = vec![SIGNED | VERSION, 0];
        body.extend(account.0);
        body.push(1);
        body.extend(signature.0);
        body.extend(&self.values);
        body.extend(&self.call);
        let bytes = body.encode();
        let hash = Hash::of(&bytes);
        Signed { bytes, hash }
    }
}
