//! The chain's storage after one block: keys and values as the runtime's metadata encodes them.
//!
//! A copy shares all items with its original until one of them changes, so every block keeps its own.

use crate::drand::Drand;
use crate::runtime::{Item, Key, Runtime};
use scale_decode::DecodeAsType;
use scale_encode::EncodeAsType;
use sp_crypto_hashing::blake2_256;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

/// Where the beacon's pulses are.
pub(crate) const PULSES: Item = ("Drand", "Pulses");

/// A stored value.
#[derive(Clone, Debug)]
enum Stored {
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A pulse of the beacon, which is signed when it is read: signing every round would take most of a test's time.
    Pulse(u64),
}

/// All items after a block, and the runtime that they are encoded for.
#[derive(Clone, Debug)]
pub struct Storage {
    runtime: &'static Runtime,
    drand: Arc<Drand>,
    items: BTreeMap<[u8; 32], Arc<BTreeMap<Vec<u8>, Stored>>>,
    root: [u8; 32],
}

impl Storage {
    /// Nothing.
    pub fn new(runtime: &'static Runtime, drand: Arc<Drand>) -> Self {
        Self {
            runtime,
            drand,
            items: BTreeMap::new(),
            root: [0; 32],
        }
    }

    /// The runtime at the end of the block.
    pub fn runtime(&self) -> &'static Runtime {
        self.runtime
    }

    /// Another runtime over the same items.
    pub fn upgrade(&mut self, runtime: &'static Runtime) {
        self.runtime = runtime;
    }

    /// A hash that differs where the history of writes does. It is no Merkle root: there are no proofs.
    pub fn root(&self) -> [u8; 32] {
        self.root
    }

    /// Whether the runtime has the item at all.
    pub fn has(&self, item: Item) -> bool {
        self.runtime.has(item)
    }

    /// The stored value, or none.
    pub fn find<V: DecodeAsType>(&self, item: Item, keys: &[Key]) -> Option<V> {
        let bytes = self.raw(&self.runtime.key(item, keys))?;
        Some(self.runtime.decode(item, &bytes))
    }

    /// The stored value, or the item's default.
    pub fn get<V: DecodeAsType>(&self, item: Item, keys: &[Key]) -> V {
        let stored = self.raw(&self.runtime.key(item, keys));
        let default = self.runtime.default_bytes(item);
        let bytes = stored.as_deref().or(default);
        self.runtime.decode(
            item,
            bytes.unwrap_or_else(|| panic!("{item:?} has no default")),
        )
    }

    /// Stores a value.
    pub fn put(&mut self, item: Item, keys: &[Key], value: impl EncodeAsType + Debug) {
        let bytes = self.runtime.encode(item, &value);
        self.put_raw(self.runtime.key(item, keys), bytes);
    }

    /// Stores a value if the runtime has the item.
    pub fn put_if_known(&mut self, item: Item, keys: &[Key], value: impl EncodeAsType + Debug) {
        if self.has(item) {
            self.put(item, keys, value);
        }
    }

    /// Stores the beacon's pulse of a round.
    pub fn put_pulse(&mut self, round: u64) {
        let key = self.runtime.key(PULSES, &[Key::U64(round)]);
        self.insert(key, Stored::Pulse(round));
    }

    /// The signature of a stored pulse.
    pub fn pulse_signature(&self, round: u64) -> Option<[u8; 48]> {
        let key = self.runtime.key(PULSES, &[Key::U64(round)]);
        let (prefix, suffix) = split(&key);
        match self.items.get(&prefix)?.get(suffix)? {
            Stored::Pulse(round) => Some(self.drand.pulse(*round).1),
            Stored::Bytes(_) => None,
        }
    }

    /// Removes a value.
    pub fn remove(&mut self, item: Item, keys: &[Key]) {
        self.remove_raw(&self.runtime.key(item, keys));
    }

    /// Stores bytes under a key.
    pub fn put_raw(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.insert(key, Stored::Bytes(value.into()));
    }

    fn insert(&mut self, key: Vec<u8>, value: Stored) {
        let written = match &value {
            Stored::Bytes(bytes) => bytes.to_vec(),
            Stored::Pulse(round) => round.to_le_bytes().to_vec(),
        };
        self.root = blake2_256(&[&self.root, &key[..], &written].concat());
        let (prefix, suffix) = split(&key);
        Arc::make_mut(self.items.entry(prefix).or_default()).insert(suffix.to_vec(), value);
    }

    /// Removes what is stored under a key.
    pub fn remove_raw(&mut self, key: &[u8]) {
        let (prefix, suffix) = split(key);
        if let Some(item) = self.items.get_mut(&prefix) {
            Arc::make_mut(item).remove(suffix);
            self.root = blake2_256(&[&self.root, key].concat());
        }
    }

    /// What is stored under a key; keys shorter than a prefix hold nothing.
    pub fn raw(&self, key: &[u8]) -> Option<Vec<u8>> {
        if key.len() < 32 {
            return None;
        }
        let (prefix, suffix) = split(key);
        match self.items.get(&prefix)?.get(suffix)? {
            Stored::Bytes(bytes) => Some(bytes.to_vec()),
            Stored::Pulse(round) => {
                let (randomness, signature) = self.drand.pulse(*round);
                let value = scale_value::Value::named_composite([
                    ("round", scale_value::Value::u128(u128::from(*round))),
                    ("randomness", scale_value::Value::from_bytes(randomness)),
                    ("signature", scale_value::Value::from_bytes(signature)),
                ]);
                Some(self.runtime.encode(PULSES, &value))
            }
        }
    }

    /// Keys that begin with `prefix` and come after `after`, `count` at most, in order.
    pub fn keys(&self, prefix: &[u8], after: Option<&[u8]>, count: usize) -> Vec<Vec<u8>> {
        // A prefix of an item's length or more names the item: others are not looked at.
        let first = prefix.first_chunk::<32>();
        let items = self
            .items
            .iter()
            .filter(|(start, _)| first.is_none_or(|first| first == *start));
        let keys = items.flat_map(|(start, item)| {
            item.keys()
                .map(move |suffix| [&start[..], &suffix[..]].concat())
        });
        keys.filter(|key| key.starts_with(prefix))
            .filter(|key| after.is_none_or(|after| &key[..] > after))
            .take(count)
            .collect()
    }
}

fn split(key: &[u8]) -> ([u8; 32], &[u8]) {
    let (prefix, suffix) = key
        .split_at_checked(32)
        .expect("keys of storage have a prefix of 32 bytes");
    (prefix.try_into().expect("32 bytes"), suffix)
}
