//! A subnet's neurons.
//!
//! One runtime function gives all of it with stakes. Its answer grows with the chain, so fields are picked by name. Where a runtime has
//! no such function, storage has everything but stakes.

use super::Snapshot;
use crate::AccountId;
use crate::node::client::ReadError;
use crate::node::items;
use crate::node::value::Value;
use crate::{BlockRef, Hash};
use parity_scale_codec::Encode;
use serde::Serialize;

/// The most neurons that are read: what a subnet can have is 256 today.
pub const NEURONS_MAX: usize = 4_096;

/// A subnet's neurons at one block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Metagraph {
    /// The subnet.
    pub netuid: u16,
    /// The block.
    pub block: BlockRef,
    /// Where it was read from.
    pub source: MetagraphSource,
    /// One for each uid, in order.
    pub neurons: Vec<Neuron>,
}

/// Where a metagraph was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetagraphSource {
    /// A runtime function.
    RuntimeApi,
    /// Storage, which has no stakes.
    Storage,
}

/// One neuron.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Neuron {
    /// Its place in the subnet; another hotkey may have it tomorrow.
    pub uid: u16,
    /// Who it is.
    pub hotkey: AccountId,
    /// Who owns it.
    pub coldkey: AccountId,
    /// Its stake with all that counts for weights, rao; `None` from storage.
    pub total_stake_rao: Option<u64>,
    /// Whether it may set weights.
    pub validator_permit: bool,
    /// Whether it set weights lately.
    pub active: bool,
    /// The block at which it set or committed weights last; 0 if never.
    pub last_update: u64,
    /// Its share of miners' emission, of 65,535.
    pub incentive: u16,
    /// Its share of validators' emission, of 65,535.
    pub dividends: u16,
    /// Its emission of the last epoch, rao.
    pub emission_rao: u64,
}

/// `get_selective_metagraph`'s names of what we want, and their numbers.
const COLUMNS: [(&str, u16); 9] = [
    ("hotkeys", 52),
    ("coldkeys", 53),
    ("active", 56),
    ("validator_permit", 57),
    ("last_update", 59),
    ("emission", 60),
    ("dividends", 61),
    ("incentives", 62),
    ("total_stake", 69),
];

impl Metagraph {
    /// The neuron of a hotkey.
    pub fn neuron(&self, hotkey: AccountId) -> Option<&Neuron> {
        self.neurons.iter().find(|neuron| neuron.hotkey == hotkey)
    }

    /// Who has which uid, in one hash: nodes that agree on it agree on what a vector means.
    pub fn digest(&self) -> Hash {
        let mut bytes = self.netuid.encode();
        for neuron in &self.neurons {
            bytes.extend(neuron.uid.to_le_bytes());
            bytes.extend(neuron.hotkey.0);
            bytes.extend(neuron.coldkey.0);
            bytes.push(u8::from(neuron.validator_permit));
            bytes.extend(neuron.last_update.to_le_bytes());
        }
        Hash::of(&bytes)
    }
}

impl Snapshot<'_> {
    /// A subnet's neurons.
    ///
    /// # Errors
    /// [`ReadError`]; `NoSubnet` if it does not exist.
    pub fn metagraph(&self, netuid: u16) -> Result<Metagraph, ReadError> {
        let key = netuid.encode();
        let of: &[&[u8]] = &[&key];
        let answers = self.fetch(&[(items::NETWORKS_ADDED, of), (items::SUBNETWORK_N, of)])?;
        let block = self.block();
        if !answers.required::<bool>(items::NETWORKS_ADDED)? {
            return Err(ReadError::NoSubnet { netuid, block });
        }
        let num_uids = usize::from(answers.required::<u16>(items::SUBNETWORK_N)?);
        if num_uids > NEURONS_MAX {
            return Err(ReadError::TooMany {
                url: self.node().url().to_owned(),
                what: "neurons",
                found: num_uids,
                limit: NEURONS_MAX,
            });
        }
        let (source, neurons) = match self.metagraph_value(netuid)? {
            Some(value) => (
                MetagraphSource::RuntimeApi,
                self.neurons_of(&value, num_uids)?,
            ),
            None => (
                MetagraphSource::Storage,
                self.stored_neurons(netuid, num_uids)?,
            ),
        };
        Ok(Metagraph {
            netuid,
            block,
            source,
            neurons,
        })
    }

    /// The answer of the first runtime function that the runtime has; what refuses for another reason is an error.
    fn metagraph_value(&self, netuid: u16) -> Result<Option<Value>, ReadError> {
        let api = "SubnetInfoRuntimeApi";
        let columns: Vec<u16> = COLUMNS.iter().map(|(_, number)| *number).collect();
        let selective = (netuid, columns).encode();
        for (method, arguments) in [
            ("get_selective_metagraph", selective),
            ("get_metagraph", netuid.encode()),
        ] {
            match self.runtime_call(api, method, &arguments) {
                Ok(Some(value)) => {
                    if let Some(Some(found)) = value.option()
                        && COLUMNS
                            .iter()
                            .all(|(name, _)| column(found, name).is_some())
                    {
                        return Ok(Some(found.clone()));
                    }
                }
                Ok(None) => (),
                Err(error) if error.is_of_no_function() => (),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn neurons_of(&self, value: &Value, num_uids: usize) -> Result<Vec<Neuron>, ReadError> {
        let malformed = |name: &str, found: String| {
            let expected = format!("{num_uids} {name}");
            self.node().malformed("the metagraph", &expected, found)
        };
        let mut columns = Vec::new();
        for (name, _) in COLUMNS {
            let values = column(value, name).unwrap_or_default();
            if values.len() != num_uids {
                return Err(malformed(name, values.len().to_string()));
            }
            columns.push(values);
        }
        let account = |at: usize, uid: usize| -> Option<AccountId> {
            let bytes = columns[at][uid].bytes()?;
            Some(AccountId(bytes.try_into().ok()?))
        };
        let number = |at: usize, uid: usize| columns[at][uid].unsigned();
        let neuron = |uid: usize| {
            Some(Neuron {
                uid: u16::try_from(uid).ok()?,
                hotkey: account(0, uid)?,
                coldkey: account(1, uid)?,
                active: columns[2][uid].boolean()?,
                validator_permit: columns[3][uid].boolean()?,
                last_update: u64::try_from(number(4, uid)?).ok()?,
                emission_rao: u64::try_from(number(5, uid)?).ok()?,
                dividends: u16::try_from(number(6, uid)?).ok()?,
                incentive: u16::try_from(number(7, uid)?).ok()?,
                total_stake_rao: Some(u64::try_from(number(8, uid)?).ok()?),
            })
        };
        (0..num_uids)
            .map(|uid| neuron(uid).ok_or_else(|| malformed("neurons", format!("another {uid}"))))
            .collect()
    }

    fn stored_neurons(&self, netuid: u16, num_uids: usize) -> Result<Vec<Neuron>, ReadError> {
        let key = netuid.encode();
        let of: &[&[u8]] = &[&key];
        let answers = self.fetch(&[
            (items::ACTIVE, of),
            (items::VALIDATOR_PERMIT, of),
            (items::LAST_UPDATE, of),
            (items::EMISSION, of),
            (items::DIVIDENDS, of),
            (items::INCENTIVE, of),
        ])?;
        let active: Vec<bool> = answers.required(items::ACTIVE)?;
        let permits: Vec<bool> = answers.required(items::VALIDATOR_PERMIT)?;
        let last_update: Vec<u64> = answers.required(items::LAST_UPDATE)?;
        let emission: Vec<u64> = answers.required(items::EMISSION)?;
        let dividends: Vec<u16> = answers.required(items::DIVIDENDS)?;
        let incentive: Vec<u16> = answers.required(items::INCENTIVE)?;
        let uids: Vec<[u8; 2]> = (0..num_uids as u32)
            .map(|uid| (uid as u16).to_le_bytes())
            .collect();
        let keys: Vec<Vec<&[u8]>> = uids.iter().map(|uid| vec![&key[..], &uid[..]]).collect();
        let hotkeys: Vec<[u8; 32]> = self.all(items::KEYS, &keys)?;
        let keys: Vec<Vec<&[u8]>> = hotkeys.iter().map(|hotkey| vec![&hotkey[..]]).collect();
        let coldkeys: Vec<[u8; 32]> = self.all(items::OWNER, &keys)?;
        // Vectors may be shorter than the subnet until its next epoch; the chain reads what is missing as nothing.
        Ok((0..num_uids)
            .map(|uid| Neuron {
                uid: uid as u16,
                hotkey: AccountId(hotkeys[uid]),
                coldkey: AccountId(coldkeys[uid]),
                total_stake_rao: None,
                validator_permit: permits.get(uid).copied().unwrap_or_default(),
                active: active.get(uid).copied().unwrap_or_default(),
                last_update: last_update.get(uid).copied().unwrap_or_default(),
                incentive: incentive.get(uid).copied().unwrap_or_default(),
                dividends: dividends.get(uid).copied().unwrap_or_default(),
                emission_rao: emission.get(uid).copied().unwrap_or_default(),
            })
            .collect())
    }

    /// One item for several keys, each of which has a value or a default.
    fn all<T: parity_scale_codec::Decode + Default>(
        &self,
        item: &'static items::Item,
        keys: &[Vec<&[u8]>],
    ) -> Result<Vec<T>, ReadError> {
        let found = self.each::<T>(item, keys)?;
        Ok(found.into_iter().map(Option::unwrap_or_default).collect())
    }
}

/// A column's values, whether or not it is an option.
fn column<'a>(metagraph: &'a Value, name: &str) -> Option<&'a [Value]> {
    let value = metagraph.field(name)?;
    match value.option() {
        Some(some) => some?.list(),
        None => value.list(),
    }
}
