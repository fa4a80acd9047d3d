//! A runtime: its version, and metadata that say how its calls, storage and events are written.
//!
//! Metadata come from a node and are hostile until read: their size is capped, and what is looked up in them is bounded in depth.

use crate::Hash;
use gradus_owner::Owner;
use parity_scale_codec::Decode;
use scale_info::{PortableRegistry, form::PortableForm};
use serde::Serialize;

/// The longest metadata that are read, in bytes; those of the chain have 400,000.
pub const METADATA_BYTES_MAX: usize = 16 << 20;
/// What every metadata start with: `meta`.
const MAGIC: &[u8] = b"meta";

/// Which runtime a node executes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct RuntimeVersion {
    /// The chain's software: `node-subtensor`.
    pub spec_name: String,
    /// Rises with every upgrade.
    pub spec_version: u32,
    /// Rises when extrinsics are written in another way.
    pub transaction_version: u32,
}

/// Metadata of one spec version.
pub struct Runtime {
    version: RuntimeVersion,
    digest: Hash,
    metadata: subxt_metadata::Metadata,
}

/// Metadata that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Far too long.
    #[error("the metadata have {found} bytes, the most is {METADATA_BYTES_MAX}: ask another node")]
    TooLong {
        /// Their length.
        found: usize,
    },
    /// Something else.
    #[error("the metadata are not SCALE of version 14, 15 or 16 ({found}): ask another node")]
    Malformed {
        /// What was found.
        found: String,
    },
    /// Not what this program needs to write an extrinsic.
    #[error(
        "spec {spec_version} takes extrinsics of versions {found:?}, this program writes version 4: update it before it signs anything"
    )]
    ExtrinsicVersion {
        /// The runtime.
        spec_version: u32,
        /// Versions that it takes.
        found: Vec<u8>,
    },
}

impl MetadataError {
    /// Whose fault: the host's, whose node answered.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl Runtime {
    /// Reads metadata as a node stores them: `meta`, the version's byte, and what that version has.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub fn decode(version: RuntimeVersion, bytes: &[u8]) -> Result<Self, MetadataError> {
        use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
        if bytes.len() > METADATA_BYTES_MAX {
            return Err(MetadataError::TooLong { found: bytes.len() });
        }
        let malformed = |found: String| MetadataError::Malformed { found };
        // Without these two tests the decoders would be asked about bytes on which they do not end.
        if bytes.get(..MAGIC.len()) != Some(MAGIC) {
            return Err(malformed("no magic number".into()));
        }
        match bytes.get(MAGIC.len()) {
            Some(14..=16) => (),
            other => return Err(malformed(format!("version {other:?}"))),
        }
        let decoded = RuntimeMetadataPrefixed::decode(&mut &*bytes)
            .map_err(|error| malformed(error.to_string()))?;
        let metadata = match decoded.1 {
            RuntimeMetadata::V14(metadata) => {
                types_are_sound(&metadata.types).map_err(malformed)?;
                metadata.try_into()
            }
            RuntimeMetadata::V15(metadata) => {
                types_are_sound(&metadata.types).map_err(malformed)?;
                metadata.try_into()
            }
            RuntimeMetadata::V16(metadata) => {
                types_are_sound(&metadata.types).map_err(malformed)?;
                metadata.try_into()
            }
            _ => return Err(malformed("another version".into())),
        };
        let metadata: subxt_metadata::Metadata =
            metadata.map_err(|error: subxt_metadata::TryFromError| malformed(error.to_string()))?;
        let digest = Hash::of(bytes);
        Ok(Self {
            version,
            digest,
            metadata,
        })
    }

    /// Whose metadata these are.
    pub fn version(&self) -> &RuntimeVersion {
        &self.version
    }

    /// BLAKE2b-256 of the metadata: nodes that agree on it agree on what a call's bytes mean.
    pub fn digest(&self) -> Hash {
        self.digest
    }

    /// The registry that type numbers point into.
    pub(super) fn types(&self) -> &PortableRegistry {
        self.metadata.types()
    }

    /// All of it.
    pub(super) fn metadata(&self) -> &subxt_metadata::Metadata {
        &self.metadata
    }

    /// A call of a pallet: the pallet's index, and the variant with index and fields.
    pub(super) fn call(
        &self,
        pallet: &str,
        name: &str,
    ) -> Option<(u8, &scale_info::Variant<PortableForm>)> {
        let pallet = self.metadata.pallet_by_name(pallet)?;
        Some((pallet.call_index(), pallet.call_variant_by_name(name)?))
    }

    /// The SCALE bytes of a pallet's constant, and their type.
    pub fn constant(&self, pallet: &str, name: &str) -> Option<(&[u8], u32)> {
        let constant = self
            .metadata
            .pallet_by_name(pallet)?
            .constant_by_name(name)?;
        Some((constant.value(), constant.ty()))
    }

    /// The type of what a runtime API returns, if the runtime has it.
    pub fn api_output(&self, api: &str, method: &str) -> Option<u32> {
        let methods = self.metadata.runtime_api_trait_by_name(api)?;
        Some(methods.method_by_name(method)?.output_ty())
    }

    /// The name of a pallet's error.
    pub fn error_name(&self, pallet: u8, error: u8) -> Option<(String, String)> {
        let pallet = self.metadata.pallet_by_error_index(pallet)?;
        let variant = pallet.error_variant_by_index(error)?;
        Some((pallet.name().to_owned(), variant.name.clone()))
    }
}

/// Whether every type number that a type names exists, and is its own.
fn types_are_sound(types: &PortableRegistry) -> Result<(), String> {
    use scale_info::TypeDef;
    let exists = |id: u32| (id as usize) < types.types.len();
    for (position, entry) in types.types.iter().enumerate() {
        if entry.id as usize != position {
            return Err(format!("type {position} has the number {}", entry.id));
        }
        let sound = match &entry.ty.type_def {
            TypeDef::Composite(composite) => composite.fields.iter().all(|f| exists(f.ty.id)),
            TypeDef::Variant(variant) => variant
                .variants
                .iter()
                .flat_map(|variant| &variant.fields)
                .all(|field| exists(field.ty.id)),
            TypeDef::Sequence(sequence) => exists(sequence.type_param.id),
            TypeDef::Array(array) => exists(array.type_param.id),
            TypeDef::Tuple(tuple) => tuple.fields.iter().all(|field| exists(field.id)),
            TypeDef::Primitive(_) => true,
            TypeDef::Compact(compact) => exists(compact.type_param.id),
            TypeDef::BitSequence(bits) => {
                exists(bits.bit_store_type.id) && exists(bits.bit_order_type.id)
            }
        };
        if !sound {
            return Err(format!("type {position} names a type that is not there"));
        }
    }
    Ok(())
}
