//! A runtime: its metadata, and everything encoded and decoded by that.
//!
//! Names of pallets and items are this crate's own: one that the metadata lacks, or a value that does not fit its type, is a bug of the double
//! and ends the test with a panic that names it.

use scale_decode::DecodeAsType;
use scale_encode::EncodeAsType;
use scale_value::Value;
use std::fmt::Debug;
use std::sync::OnceLock;
use subxt_metadata::{Metadata, StorageHasher};

/// Which recorded runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spec {
    /// Finney's of December 2025; metadata V16, epochs by the tempo's remainder.
    V365,
    /// Metadata V15, epochs by state.
    V439,
    /// Metadata V15, epochs by state.
    V461,
}

/// A storage item: pallet and name.
pub type Item = (&'static str, &'static str);

/// One key of a storage map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A netuid, a netuid's storage index, a uid.
    U16(u16),
    /// A block's number.
    U32(u32),
    /// An epoch, a round.
    U64(u64),
    /// A hotkey or coldkey.
    Account([u8; 32]),
}

/// Decoded metadata with the bytes it came from.
#[derive(Debug)]
pub struct Runtime {
    spec: Spec,
    bytes: &'static [u8],
    metadata: Metadata,
}

impl Spec {
    /// The version that the metadata's own constant states.
    pub fn version(self) -> u32 {
        match self {
            Self::V365 => 365,
            Self::V439 => 439,
            Self::V461 => 461,
        }
    }

    /// The runtime, decoded once in a process.
    pub fn runtime(self) -> &'static Runtime {
        static RUNTIMES: [OnceLock<Runtime>; 3] =
            [OnceLock::new(), OnceLock::new(), OnceLock::new()];
        RUNTIMES[self as usize].get_or_init(|| {
            let bytes: &'static [u8] = match self {
                Self::V365 => include_bytes!("../../golden/chain/subtensor-365.scale"),
                Self::V439 => include_bytes!("../../golden/chain/subtensor-439.scale"),
                Self::V461 => include_bytes!("../../golden/chain/subtensor-461.scale"),
            };
            let metadata = Metadata::decode_from(bytes).expect("recorded metadata decodes");
            Runtime {
                spec: self,
                bytes,
                metadata,
            }
        })
    }
}

impl Runtime {
    /// Which one it is.
    pub fn spec(&self) -> Spec {
        self.spec
    }

    /// Metadata as it was recorded: `meta`, a version, and the rest.
    pub fn bytes(&self) -> &'static [u8] {
        self.bytes
    }

    /// The metadata's version: 15 or 16.
    pub fn metadata_version(&self) -> u32 {
        u32::from(self.bytes[4])
    }

    /// The decoded metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The runtime's version as its constant has it: a SCALE `RuntimeVersion`.
    pub fn version_bytes(&self) -> &[u8] {
        self.constant("System", "Version").0
    }

    /// The runtime's version, decoded.
    pub fn version(&self) -> Value<u32> {
        let (mut bytes, id) = self.constant("System", "Version");
        scale_value::scale::decode_as_type(&mut bytes, id, self.metadata.types())
            .expect("a constant of the metadata decodes")
    }

    /// The version of what is signed.
    pub fn transaction_version(&self) -> u32 {
        use scale_value::At;
        let version = self.version();
        let found = version.at("transaction_version").and_then(|v| v.as_u128());
        found.expect("a runtime's version has it") as u32
    }

    fn constant(&self, pallet: &str, name: &str) -> (&[u8], u32) {
        let constant = self
            .metadata
            .pallet_by_name(pallet)
            .and_then(|pallet| pallet.constant_by_name(name))
            .unwrap_or_else(|| panic!("the metadata has no constant {pallet}.{name}"));
        (constant.value(), constant.ty())
    }

    /// Whether this runtime has the storage item.
    pub fn has(&self, item: Item) -> bool {
        self.metadata
            .pallet_by_name(item.0)
            .and_then(|pallet| pallet.storage())
            .is_some_and(|storage| storage.entry_by_name(item.1).is_some())
    }

    fn entry(&self, item: Item) -> &subxt_metadata::StorageEntryMetadata {
        self.metadata
            .pallet_by_name(item.0)
            .and_then(|pallet| pallet.storage())
            .and_then(|storage| storage.entry_by_name(item.1))
            .unwrap_or_else(|| panic!("{:?} has no storage {}.{}", self.spec, item.0, item.1))
    }

    /// The 32 bytes that all keys of an item begin with.
    pub fn prefix(&self, item: Item) -> [u8; 32] {
        let pallet = self
            .metadata
            .pallet_by_name(item.0)
            .and_then(|pallet| pallet.storage())
            .unwrap_or_else(|| panic!("{:?} has no pallet {}", self.spec, item.0));
        let mut prefix = [0; 32];
        prefix[..16].copy_from_slice(&sp_crypto_hashing::twox_128(pallet.prefix().as_bytes()));
        prefix[16..].copy_from_slice(&sp_crypto_hashing::twox_128(item.1.as_bytes()));
        prefix
    }

    /// An item's key; fewer `keys` than the map has give the prefix of all that follow.
    pub fn key(&self, item: Item, keys: &[Key]) -> Vec<u8> {
        let mut out = self.prefix(item).to_vec();
        for (info, key) in self.entry(item).keys().zip(keys) {
            let mut bytes = Vec::new();
            let types = self.metadata.types();
            let encoded = match key {
                Key::U16(key) => key.encode_as_type_to(info.key_id, types, &mut bytes),
                Key::U32(key) => key.encode_as_type_to(info.key_id, types, &mut bytes),
                Key::U64(key) => key.encode_as_type_to(info.key_id, types, &mut bytes),
                Key::Account(key) => key.encode_as_type_to(info.key_id, types, &mut bytes),
            };
            encoded.unwrap_or_else(|error| panic!("{item:?} does not take {key:?}: {error}"));
            hash_key(info.hasher, &bytes, &mut out);
        }
        out
    }

    /// A value of an item as bytes.
    pub fn encode(&self, item: Item, value: &(impl EncodeAsType + Debug)) -> Vec<u8> {
        let mut bytes = Vec::new();
        value
            .encode_as_type_to(
                self.entry(item).value_ty(),
                self.metadata.types(),
                &mut bytes,
            )
            .unwrap_or_else(|error| panic!("{item:?} does not take {value:?}: {error}"));
        bytes
    }

    /// An item's bytes as a value.
    pub fn decode<V: DecodeAsType>(&self, item: Item, mut bytes: &[u8]) -> V {
        V::decode_as_type(
            &mut bytes,
            self.entry(item).value_ty(),
            self.metadata.types(),
        )
        .unwrap_or_else(|error| panic!("{item:?} does not decode: {error}"))
    }

    /// An item's bytes as a dynamic value.
    pub fn decode_value(&self, item: Item, mut bytes: &[u8]) -> Value<u32> {
        let id = self.entry(item).value_ty();
        scale_value::scale::decode_as_type(&mut bytes, id, self.metadata.types())
            .unwrap_or_else(|error| panic!("{item:?} does not decode: {error}"))
    }

    /// What an item is where nothing was stored; `None` if it is optional.
    pub fn default_bytes(&self, item: Item) -> Option<&[u8]> {
        self.entry(item).default_value()
    }

    /// A dynamic value as bytes of a type.
    pub fn encode_value(&self, value: &Value<()>, type_id: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        scale_value::scale::encode_as_type(value, type_id, self.metadata.types(), &mut bytes)
            .unwrap_or_else(|error| panic!("{value} is not of type {type_id}: {error}"));
        bytes
    }

    /// The index of one of the pallet's errors, and the pallet's own.
    pub fn error_index(&self, pallet: &str, error: &str) -> (u8, u8) {
        let pallet = self
            .metadata
            .pallet_by_name(pallet)
            .unwrap_or_else(|| panic!("{:?} has no pallet {pallet}", self.spec));
        let variant = pallet
            .error_variants()
            .and_then(|variants| variants.iter().find(|variant| variant.name == error))
            .unwrap_or_else(|| panic!("{:?} has no error {error}", self.spec));
        (pallet.error_index(), variant.index)
    }
}

fn hash_key(hasher: StorageHasher, bytes: &[u8], out: &mut Vec<u8>) {
    use sp_crypto_hashing::{blake2_128, blake2_256, twox_64, twox_128, twox_256};
    match hasher {
        StorageHasher::Identity => {}
        StorageHasher::Blake2_128 => return out.extend(blake2_128(bytes)),
        StorageHasher::Blake2_256 => return out.extend(blake2_256(bytes)),
        StorageHasher::Twox128 => return out.extend(twox_128(bytes)),
        StorageHasher::Twox256 => return out.extend(twox_256(bytes)),
        StorageHasher::Blake2_128Concat => out.extend(blake2_128(bytes)),
        StorageHasher::Twox64Concat => out.extend(twox_64(bytes)),
    }
    out.extend(bytes);
}
