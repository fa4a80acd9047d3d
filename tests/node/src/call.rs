//! Calls that set weights, decoded by the metadata.

use crate::runtime::Runtime;
use scale_decode::DecodeAsType;
use scale_decode::visitor::{IgnoreVisitor, decode_with_visitor};

/// The bound of a timelocked commit, bytes.
const COMMIT_BYTES_MAX: usize = 5_000;

/// A call with its arguments. `mecid` is 0 for the variants without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `set_weights`, `set_mechanism_weights`.
    Set {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mecid: u8,
        /// Uids.
        uids: Vec<u16>,
        /// Values.
        values: Vec<u16>,
        /// The validator's version.
        version_key: u64,
    },
    /// `commit_weights`, `commit_mechanism_weights`.
    Commit {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mecid: u8,
        /// The hash.
        hash: [u8; 32],
    },
    /// `reveal_weights`, `reveal_mechanism_weights`.
    Reveal {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mecid: u8,
        /// Uids.
        uids: Vec<u16>,
        /// Values.
        values: Vec<u16>,
        /// The salt.
        salt: Vec<u16>,
        /// The validator's version.
        version_key: u64,
    },
    /// `commit_timelocked_weights`, `commit_timelocked_mechanism_weights`, `commit_crv3_mechanism_weights`.
    CommitTimelocked {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mecid: u8,
        /// The ciphertext.
        commit: Vec<u8>,
        /// The beacon's round that opens it.
        round: u64,
        /// Version of the scheme.
        version: u16,
    },
    /// Any other call of the runtime.
    Other {
        /// The pallet.
        pallet: String,
        /// Its name.
        name: String,
    },
}

impl Call {
    /// The call's name without a mechanism's, for a log.
    pub fn name(&self) -> &str {
        match self {
            Self::Set { .. } => "set_weights",
            Self::Commit { .. } => "commit_weights",
            Self::Reveal { .. } => "reveal_weights",
            Self::CommitTimelocked { .. } => "commit_timelocked_weights",
            Self::Other { name, .. } => name,
        }
    }

    /// Reads all of `bytes`.
    pub(crate) fn decode(runtime: &Runtime, bytes: &[u8]) -> Result<Self, String> {
        let [pallet, index, rest @ ..] = bytes else {
            return Err("no call".into());
        };
        let pallet = runtime
            .metadata()
            .pallet_by_call_index(*pallet)
            .ok_or_else(|| format!("no pallet has the index {pallet}"))?;
        let variant = pallet
            .call_variant_by_index(*index)
            .ok_or_else(|| format!("{} has no call {index}", pallet.name()))?;
        let mut fields = Fields {
            runtime,
            rest,
            left: variant
                .fields
                .iter()
                .map(|field| (field.name.as_deref().unwrap_or(""), field.ty.id)),
        };
        let call = match (pallet.name(), variant.name.as_str()) {
            ("SubtensorModule", name @ ("set_weights" | "set_mechanism_weights")) => Self::Set {
                netuid: fields.next("netuid")?,
                mecid: fields.mecid(name)?,
                uids: fields.next("dests")?,
                values: fields.next("weights")?,
                version_key: fields.next("version_key")?,
            },
            ("SubtensorModule", name @ ("commit_weights" | "commit_mechanism_weights")) => {
                Self::Commit {
                    netuid: fields.next("netuid")?,
                    mecid: fields.mecid(name)?,
                    hash: fields.next("commit_hash")?,
                }
            }
            ("SubtensorModule", name @ ("reveal_weights" | "reveal_mechanism_weights")) => {
                Self::Reveal {
                    netuid: fields.next("netuid")?,
                    mecid: fields.mecid(name)?,
                    uids: fields.next("uids")?,
                    values: fields.next("values")?,
                    salt: fields.next("salt")?,
                    version_key: fields.next("version_key")?,
                }
            }
            (
                "SubtensorModule",
                name @ ("commit_timelocked_weights"
                | "commit_timelocked_mechanism_weights"
                | "commit_crv3_mechanism_weights"),
            ) => Self::CommitTimelocked {
                netuid: fields.next("netuid")?,
                mecid: fields.mecid(name)?,
                commit: fields.commit()?,
                round: fields.next("reveal_round")?,
                version: match name {
                    "commit_crv3_mechanism_weights" => 4,
                    _ => fields.next("commit_reveal_version")?,
                },
            },
            (pallet, name) => {
                let (pallet, name) = (pallet.to_owned(), name.to_owned());
                fields.skip_all()?;
                Self::Other { pallet, name }
            }
        };
        match fields.rest.len() {
            0 => Ok(call),
            found => Err(format!("{found} bytes follow the call")),
        }
    }
}

/// A call's fields, read one after the other.
struct Fields<'a, I> {
    runtime: &'a Runtime,
    rest: &'a [u8],
    left: I,
}

impl<'a, I: Iterator<Item = (&'a str, u32)>> Fields<'a, I> {
    fn next<V: DecodeAsType>(&mut self, expected: &str) -> Result<V, String> {
        match self.left.next() {
            Some((name, id)) if name == expected => {
                V::decode_as_type(&mut self.rest, id, self.runtime.metadata().types())
                    .map_err(|error| format!("{name}: {error}"))
            }
            found => Err(format!("expected the field {expected}, found {found:?}")),
        }
    }

    fn mecid(&mut self, call: &str) -> Result<u8, String> {
        match call.contains("mechanism") {
            true => self.next("mecid"),
            false => Ok(0),
        }
    }

    /// Longer than the chain's bound is not decoded there either.
    fn commit(&mut self) -> Result<Vec<u8>, String> {
        let commit: Vec<u8> = self.next("commit")?;
        match commit.len() {
            0..=COMMIT_BYTES_MAX => Ok(commit),
            found => Err(format!(
                "the commit has {found} bytes, {COMMIT_BYTES_MAX} are allowed"
            )),
        }
    }

    fn skip_all(&mut self) -> Result<(), String> {
        for (name, id) in self.left.by_ref() {
            let types = self.runtime.metadata().types();
            decode_with_visitor(&mut self.rest, id, types, IgnoreVisitor::new())
                .map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(())
    }
}
