//! What a runtime can do for us: its calls and storage items, looked up by name once and compared with the shapes that are known.
//!
//! Code that is generated from one runtime's metadata refuses the next, though nothing changed but a newtype's name; code that trusts names signs
//! whatever stands behind them. So shapes are compared ([`Runtime::call_shape`]). A call of another shape is never written. A storage item of
//! another shape is never read: if nothing works without it the runtime is refused, otherwise it is missing, as if the runtime lacked it.

use super::call::{CALL_SHAPES, PALLET, WeightsCall};
use super::items::{self, Item};
use super::metadata::Runtime;
use gradus_owner::Owner;
use serde::Serialize;
use sp_crypto_hashing::{blake2_128, blake2_256, twox_64, twox_128, twox_256};
use std::collections::HashMap;
use subxt_metadata::StorageHasher;

/// A runtime whose calls and items have been looked up.
pub struct Capabilities {
    runtime: Runtime,
    calls: HashMap<&'static str, Result<[u8; 2], CapabilityError>>,
    items: HashMap<(&'static str, &'static str), Place>,
    missing: Vec<Missing>,
}

/// Where an item is in storage.
#[derive(Debug)]
struct Place {
    prefix: [u8; 32],
    hashers: Vec<StorageHasher>,
    default: Option<Vec<u8>>,
}

/// Something that a runtime lacks, or has in another shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// `pallet.name`.
    pub name: String,
    /// The shape that is there instead, if there is one.
    pub found: Option<String>,
}

/// Why something is not written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityError {
    /// No such call.
    #[error(
        "spec {spec_version} has no call {PALLET}.{call}: update this program, or set weights by a call that the runtime has"
    )]
    CallMissing {
        /// The call.
        call: &'static str,
        /// The runtime.
        spec_version: u32,
    },
    /// Another call behind the name.
    #[error(
        "nothing is signed: {PALLET}.{call} of spec {spec_version} takes ({found}), this program knows ({expected}): update it"
    )]
    CallShape {
        /// The call.
        call: &'static str,
        /// What is known.
        expected: &'static str,
        /// What is there.
        found: String,
        /// The runtime.
        spec_version: u32,
    },
    /// An item without which nothing works.
    #[error(
        "spec {spec_version} has no storage {item} of a known shape: expected {expected}, found {found}: update this program"
    )]
    ItemShape {
        /// `pallet.name`.
        item: String,
        /// What is known.
        expected: String,
        /// What is there.
        found: String,
        /// The runtime.
        spec_version: u32,
    },
    /// An item that this runtime lacks.
    #[error(
        "spec {spec_version} has no storage {item} of a known shape: what needs it cannot be done on this runtime"
    )]
    ItemMissing {
        /// `pallet.name`.
        item: String,
        /// The runtime.
        spec_version: u32,
    },
}

impl CapabilityError {
    /// Whose fault: the host's, which runs a program older or newer than the chain.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl Capabilities {
    /// Looks everything up.
    ///
    /// # Errors
    /// [`CapabilityError::ItemShape`] for an item without which nothing works. Calls are refused when one is written.
    pub fn new(runtime: Runtime) -> Result<Self, CapabilityError> {
        let spec_version = runtime.version().spec_version;
        let mut missing = Vec::new();
        let mut calls = HashMap::new();
        for (call, expected) in CALL_SHAPES {
            let entry = match runtime.call_shape(PALLET, call) {
                Some(found) if found == expected => {
                    let (pallet, variant) = runtime.call(PALLET, call).expect("it has a shape");
                    Ok([pallet, variant.index])
                }
                Some(found) => {
                    missing.push(Missing {
                        name: format!("{PALLET}.{call}"),
                        found: Some(found.clone()),
                    });
                    Err(CapabilityError::CallShape {
                        call,
                        expected,
                        found,
                        spec_version,
                    })
                }
                None => {
                    missing.push(Missing {
                        name: format!("{PALLET}.{call}"),
                        found: None,
                    });
                    Err(CapabilityError::CallMissing { call, spec_version })
                }
            };
            calls.insert(call, entry);
        }
        let mut places = HashMap::new();
        for item in items::ALL {
            let name = format!("{}.{}", item.pallet, item.name);
            let found = runtime.storage_shape(item.pallet, item.name);
            if found
                .as_deref()
                .is_some_and(|found| item.shapes.contains(&found))
            {
                let place = place(&runtime, item).expect("it has a shape");
                places.insert((item.pallet, item.name), place);
            } else if item.required {
                return Err(CapabilityError::ItemShape {
                    item: name,
                    expected: item.shapes.join(" or "),
                    found: found.unwrap_or_else(|| "nothing".into()),
                    spec_version,
                });
            } else {
                missing.push(Missing { name, found });
            }
        }
        Ok(Self {
            runtime,
            calls,
            items: places,
            missing,
        })
    }

    /// The runtime.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What is known and was not found.
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Whether an item can be read.
    pub fn has(&self, item: &Item) -> bool {
        self.items.contains_key(&(item.pallet, item.name))
    }

    /// Whether the runtime has a call, by its name, as it is known.
    ///
    /// # Errors
    /// [`CapabilityError::CallMissing`], [`CapabilityError::CallShape`].
    pub fn check_call(&self, call: &'static str) -> Result<(), CapabilityError> {
        let spec_version = self.runtime.version().spec_version;
        match self.calls.get(call) {
            Some(found) => found.clone().map(drop),
            None => Err(CapabilityError::CallMissing { call, spec_version }),
        }
    }

    /// A call's bytes: pallet, index, arguments.
    ///
    /// # Errors
    /// [`CapabilityError::CallMissing`], [`CapabilityError::CallShape`].
    pub fn call_data(&self, call: &WeightsCall) -> Result<Vec<u8>, CapabilityError> {
        let index = self.calls[call.name()].clone()?;
        let mut bytes = index.to_vec();
        bytes.extend(call.encode_arguments());
        Ok(bytes)
    }

    /// Where storage has an item for `keys`, each in SCALE; fewer keys give the prefix of all that start with them.
    ///
    /// # Errors
    /// [`CapabilityError::ItemMissing`].
    pub fn storage_key(&self, item: &Item, keys: &[&[u8]]) -> Result<Vec<u8>, CapabilityError> {
        let place = self.place(item)?;
        let mut bytes = place.prefix.to_vec();
        for (hasher, key) in place.hashers.iter().zip(keys) {
            hash_key(*hasher, key, &mut bytes);
        }
        Ok(bytes)
    }

    /// What an item has where nothing is stored; `None` if there is nothing then.
    ///
    /// # Errors
    /// [`CapabilityError::ItemMissing`].
    pub(super) fn default_bytes(&self, item: &Item) -> Result<Option<&[u8]>, CapabilityError> {
        Ok(self.place(item)?.default.as_deref())
    }

    fn place(&self, item: &Item) -> Result<&Place, CapabilityError> {
        self.items
            .get(&(item.pallet, item.name))
            .ok_or_else(|| CapabilityError::ItemMissing {
                item: format!("{}.{}", item.pallet, item.name),
                spec_version: self.runtime.version().spec_version,
            })
    }
}

fn place(runtime: &Runtime, item: &Item) -> Option<Place> {
    let pallet = runtime.metadata().pallet_by_name(item.pallet)?;
    let storage = pallet.storage()?;
    let entry = storage.entry_by_name(item.name)?;
    Some(Place {
        prefix: storage_prefix(storage.prefix(), item.name),
        hashers: entry.keys().map(|key| key.hasher).collect(),
        default: entry.default_value().map(<[u8]>::to_vec),
    })
}

/// Where an item's entries begin: two hashes of 16 bytes.
pub(super) fn storage_prefix(pallet: &str, item: &str) -> [u8; 32] {
    let mut prefix = [0; 32];
    prefix[..16].copy_from_slice(&twox_128(pallet.as_bytes()));
    prefix[16..].copy_from_slice(&twox_128(item.as_bytes()));
    prefix
}

/// Appends one key as its hasher has it.
pub(super) fn hash_key(hasher: StorageHasher, key: &[u8], bytes: &mut Vec<u8>) {
    match hasher {
        StorageHasher::Identity => bytes.extend(key),
        StorageHasher::Blake2_128 => bytes.extend(blake2_128(key)),
        StorageHasher::Blake2_256 => bytes.extend(blake2_256(key)),
        StorageHasher::Blake2_128Concat => {
            bytes.extend(blake2_128(key));
            bytes.extend(key);
        }
        StorageHasher::Twox128 => bytes.extend(twox_128(key)),
        StorageHasher::Twox256 => bytes.extend(twox_256(key)),
        StorageHasher::Twox64Concat => {
            bytes.extend(twox_64(key));
            bytes.extend(key);
        }
    }
}
