//! Weights to the chain's u16, by the three rules that are in use.
//!
//! | rule | scale | zeros after rounding | too few weights | largest share |
//! |---|---|---|---|---|
//! | reference | `round(w * (65535 / max))` | kept, with value 0 | as they are | as it is |
//! | SDK 10 | in f32 to a sum of 1, then `round(w / max * 65535)` | dropped | everyone gets 1e-5 more | clipped |
//! | SDK 11 | `round((w / max) * 65535)` | dropped | refused | clipped |
//!
//! All round halves to the even neighbour. They differ in real cases: 0.1 of 0.6 is 10922 or 10923. [`quantise`]
//! refuses what no vector should hold, whatever the tools do with it; the modules hold the tools' arithmetic, equal
//! to them number for number.

pub mod reference;
pub mod sdk10;
pub mod sdk11;

use crate::Owner;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The largest value that the chain takes.
pub const U16_MAX: f64 = u16::MAX as f64;

/// Whose rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// The reference validator's, through fiber.
    Reference,
    /// The official SDK's up to 10.
    Sdk10,
    /// The official SDK's from 11 on.
    Sdk11,
}

/// What the subnet asks of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest share of one uid, of 65535, which is none.
    pub max_weight: u16,
    /// Fewest uids with weight.
    pub weights_min: u16,
    /// Uids of the subnet.
    pub num_neurons: u16,
    /// The validator's own uid, if known: a vector of it alone is exempt from both limits.
    #[serde(deserialize_with = "Option::deserialize")]
    pub own_uid: Option<u16>,
}

/// Why a vector cannot go on chain.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QuantiseError {
    /// Not one weight for each uid.
    #[error("{uids} uids and {weights} weights, expected as many of one as of the other")]
    Lengths {
        /// How many uids.
        uids: usize,
        /// How many weights.
        weights: usize,
    },
    /// NaN, infinite or negative.
    #[error("the weight of uid {uid} is {found}, expected a finite number that is not negative")]
    NotAWeight {
        /// Whose.
        uid: u16,
        /// The weight.
        found: f64,
    },
    /// A uid that the subnet does not have.
    #[error(
        "uid {uid} is not on the subnet, which has {num_neurons} uids\nhelp: read the metagraph again"
    )]
    NotThere {
        /// Which.
        uid: u16,
        /// How many there are.
        num_neurons: u16,
    },
    /// A uid twice, which the chain refuses.
    #[error("uid {uid} has two weights")]
    Twice {
        /// Which.
        uid: u16,
    },
    /// No weight, or none above 0.
    #[error(
        "no uid has a weight above 0: there is nothing to set\nhelp: an equal vector is a decision, so make it explicitly"
    )]
    Nothing,
    /// Weights so small that their scale is infinite.
    #[error("the largest weight is {largest}: what it is scaled by is infinite")]
    TooSmall {
        /// The largest weight.
        largest: f64,
    },
    /// Fewer than the subnet asks for.
    #[error(
        "{found} uids have weight after rounding, the subnet asks for {weights_min}\nhelp: the chain would refuse this vector"
    )]
    TooFew {
        /// How many have weight.
        found: usize,
        /// How many are asked for.
        weights_min: u16,
    },
}

impl QuantiseError {
    /// Whose fault: the vector's maker.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// Pairs of uid and value by a rule, in the order of the uids given; for SDK 10 with too few weights, all uids.
///
/// # Errors
/// `Lengths`, `NotAWeight`, `NotThere`, `Twice`, `Nothing` and `TooSmall` for any rule; `TooFew` for SDK 11, and for
/// SDK 10 where it would pay others than it was told to.
pub fn quantise(
    rounding: Rounding,
    uids: &[u16],
    weights: &[f64],
    limits: &Limits,
) -> Result<Vec<(u16, u16)>, QuantiseError> {
    same_length(uids, weights)?;
    let mut seen = HashSet::with_capacity(uids.len());
    for (uid, weight) in uids.iter().zip(weights) {
        not_negative(*uid, *weight)?;
        if *uid >= limits.num_neurons {
            return Err(QuantiseError::NotThere {
                uid: *uid,
                num_neurons: limits.num_neurons,
            });
        }
        if !seen.insert(*uid) {
            return Err(QuantiseError::Twice { uid: *uid });
        }
    }
    if !weights.iter().any(|weight| *weight > 0.0) {
        return Err(QuantiseError::Nothing);
    }
    let alone = limits.own_uid.is_some_and(|own| uids == [own]);
    let pairs = match rounding {
        Rounding::Reference => reference::pairs(uids, weights)?,
        Rounding::Sdk10 => {
            sdk10::check(uids, weights, limits)?;
            let (uids, weights) = sdk10::process(uids, weights, limits)?;
            sdk10::emit(&uids, &weights)?
        }
        Rounding::Sdk11 => {
            let clipped = if alone {
                weights.to_vec()
            } else {
                sdk11::clip(weights, limits.max_weight)?
            };
            let pairs = sdk11::pairs(uids, &clipped)?;
            if !alone && pairs.len() < usize::from(limits.weights_min) {
                return Err(QuantiseError::TooFew {
                    found: pairs.len(),
                    weights_min: limits.weights_min,
                });
            }
            pairs
        }
    };
    if pairs.is_empty() {
        return Err(QuantiseError::Nothing);
    }
    Ok(pairs)
}

fn same_length(uids: &[u16], weights: &[f64]) -> Result<(), QuantiseError> {
    if uids.len() == weights.len() {
        return Ok(());
    }
    Err(QuantiseError::Lengths {
        uids: uids.len(),
        weights: weights.len(),
    })
}

fn not_negative(uid: u16, weight: f64) -> Result<(), QuantiseError> {
    if weight.is_finite() && weight >= 0.0 {
        return Ok(());
    }
    Err(QuantiseError::NotAWeight { uid, found: weight })
}

/// Rounded to an integer, halves to even, if the chain can hold it.
fn to_u16(value: f64) -> Option<u16> {
    let rounded = value.round_ties_even();
    // The cast is exact: the range is checked, and NaN is in no range.
    (0.0..=U16_MAX).contains(&rounded).then_some(rounded as u16)
}

#[cfg(test)]
mod tests;
