//! The published record of a vector: the reference's keys, and under a key of its own what the reference leaves out.
//!
//! `tournament_audit_data` holds results, participants and pools, as every auditor of the subnet reads it. That is
//! enough to compute a vector over a metagraph, and not enough to say where the pools came from. `gradus` adds the
//! rule set's name, the pools' inputs, the metagraph and block, and both vectors; with it the whole file is
//! recomputed, and [`AuditFile::first_difference`] names the first number that does not come out again.

use super::error::EmissionError;
use super::metagraph::{Metagraph, MetagraphError};
use super::pools::{EmissionInput, pools};
use super::quantise::{Limits, QuantiseError, Rounding, quantise};
use super::results::PerType;
use crate::Owner;
use crate::rules::{RuleSet, RuleSetError};
use crate::strict;
use serde::{Deserialize, Serialize};

mod data;
mod row;

pub use data::AuditData;
pub use row::{RowVerdict, judge_row};

/// Files above this are refused, bytes.
pub const FILE_BYTES_MAX: usize = 64 << 20;

/// A whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditFile {
    /// What every auditor reads.
    pub tournament_audit_data: AuditData,
    /// What it takes to recompute all of it; files of the reference have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradus: Option<Recipe>,
}

impl Recipe {
    /// The version that is written and read.
    pub const VERSION: u32 = 2;
}

/// What is read first: a section of another version has other fields.
#[derive(Deserialize)]
struct Section {
    gradus: Option<Version>,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// What it takes to recompute a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Of this section; [`Recipe::VERSION`].
    pub version: u32,
    /// The rule set's name.
    pub rule_set: String,
    /// Which subnet.
    pub netuid: u16,
    /// The block at which the metagraph was read.
    pub block_number: u64,
    /// What the pools were computed from.
    pub input: EmissionInput,
    /// Hotkeys by uid.
    pub hotkeys: Vec<String>,
    /// Whose rule made the values.
    pub rounding: Rounding,
    /// What the subnet asked for.
    pub limits: Limits,
    /// Weights by uid.
    pub weights: Vec<f64>,
    /// Pairs of uid and value, as they went on chain.
    pub values: Vec<(u16, u16)>,
}

/// The first number that does not come out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where it is in the file, or in the row.
    pub at: String,
    /// What is there.
    pub recorded: String,
    /// What comes out.
    pub recomputed: String,
}

/// Why a file cannot be recomputed.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Too large to be one.
    #[error("the audit file has {found} bytes, at most {FILE_BYTES_MAX} are read")]
    TooLarge {
        /// How many.
        found: usize,
    },
    /// Not of this form. Python writes NaN and Infinity, which JSON does not have and which no weight is.
    #[error("the audit file does not fit: {0}")]
    Malformed(String),
    /// The file has no recipe.
    #[error(
        "the audit file has no \"gradus\" section: only its vector can be recomputed, over a metagraph of its time"
    )]
    NoRecipe,
    /// A recipe of another version.
    #[error(
        "the audit file's \"gradus\" section is of version {found}, expected {}\nhelp: use the program that wrote it",
        Recipe::VERSION
    )]
    Version {
        /// Which.
        found: u32,
    },
    /// A field that the rule set's time had, or had not.
    #[error("tournament_audit_data.{field} is {}, but rule set {rule_set} says otherwise\nhelp: use the rule set of the file's date", if *.present { "there" } else { "missing" })]
    Field {
        /// Which.
        field: &'static str,
        /// Whether the file has it.
        present: bool,
        /// By which rules.
        rule_set: String,
    },
    /// A row that says two things of one uid.
    #[error("the row has uid {uid} twice: no chain stores such a row, read it again")]
    UidTwice {
        /// Which.
        uid: u16,
    },
    /// The rule set is not there.
    #[error("the rules of the audit file are not there")]
    Rules(#[source] RuleSetError),
    /// The metagraph is none.
    #[error("the metagraph of the audit file cannot be used")]
    Metagraph(#[source] MetagraphError),
    /// The weights cannot be computed.
    #[error("the weights of the audit file cannot be computed")]
    Emission(#[source] EmissionError),
    /// The values cannot be computed.
    #[error("the values of the audit file cannot be computed")]
    Quantise(#[source] QuantiseError),
}

impl AuditError {
    /// Whose fault: the file is the operator's.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl AuditFile {
    /// Reads a file.
    ///
    /// # Errors
    /// `TooLarge`; `Malformed` for a missing, unknown or ill-typed field, a hotkey with two positions, and numbers
    /// that JSON does not have; `Version`.
    pub fn parse(bytes: &[u8]) -> Result<Self, AuditError> {
        if bytes.len() > FILE_BYTES_MAX {
            let found = bytes.len();
            return Err(AuditError::TooLarge { found });
        }
        let malformed = |misfit: strict::Misfit| AuditError::Malformed(misfit.to_string());
        let section: Section = strict::json_part(bytes).map_err(malformed)?;
        match section.gradus.map(|version| version.version) {
            Some(found) if found != Recipe::VERSION => Err(AuditError::Version { found }),
            _ => strict::json(bytes).map_err(malformed),
        }
    }

    /// The file's text, two spaces deep as the reference writes it.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers are finite and keys are strings")
    }

    /// Recomputes everything from the recipe's inputs and compares it in the file's order, bit for bit: the pools, the
    /// weights by uid, the values. `None` if all of it comes out again.
    ///
    /// # Errors
    /// `NoRecipe`, `Rules`, `Metagraph`, `Field`, `Emission`, `Quantise`.
    pub fn first_difference(&self) -> Result<Option<Difference>, AuditError> {
        let recipe = self.gradus.as_ref().ok_or(AuditError::NoRecipe)?;
        let rules = RuleSet::named(&recipe.rule_set).map_err(AuditError::Rules)?;
        let metagraph = Metagraph::new(recipe.hotkeys.clone()).map_err(AuditError::Metagraph)?;
        let data = &self.tournament_audit_data;
        data.pools(&rules)?;
        let pools = pools(&rules.emission, &recipe.input).map_err(AuditError::Emission)?;
        let empty = PerType::default();
        let again = AuditData::new(&rules, &pools, empty, Vec::new(), Vec::new());
        let numbers = |data: &AuditData| {
            [
                ("text_tournament_weight", Some(data.text_tournament_weight)),
                (
                    "image_tournament_weight",
                    Some(data.image_tournament_weight),
                ),
                (
                    "environment_tournament_weight",
                    data.environment_tournament_weight,
                ),
                ("text_base_weight", data.text_base_weight),
                ("image_base_weight", data.image_base_weight),
                ("environment_base_weight", data.environment_base_weight),
                ("burn_weight", Some(data.burn_weight)),
            ]
        };
        for ((field, recorded), (_, recomputed)) in numbers(data).into_iter().zip(numbers(&again)) {
            if recorded != recomputed {
                let text = |number: Option<f64>| {
                    number.map_or_else(|| "missing".to_owned(), |number| number.to_string())
                };
                return Ok(Some(Difference {
                    at: format!("tournament_audit_data.{field}"),
                    recorded: text(recorded),
                    recomputed: text(recomputed),
                }));
            }
        }
        let vector = data.vector(&rules, &metagraph)?;
        let at = |uid: usize| format!("gradus.weights[{uid}]");
        if let Some(difference) = first_of(&recipe.weights, &vector.weights, at) {
            return Ok(Some(difference));
        }
        let uids: Vec<u16> = (0u16..).take(vector.weights.len()).collect();
        let values = quantise(recipe.rounding, &uids, &vector.weights, &recipe.limits)
            .map_err(AuditError::Quantise)?;
        let at = |place: usize| format!("gradus.values[{place}]");
        let [recorded, recomputed] = [&recipe.values, &values].map(|values| {
            let pairs = values.iter().map(|(uid, value)| format!("{uid}: {value}"));
            pairs.collect::<Vec<_>>()
        });
        Ok(first_of(&recorded, &recomputed, at))
    }
}

/// The first place where two lists differ, one of them perhaps being over.
fn first_of<T: PartialEq + ToString>(
    recorded: &[T],
    recomputed: &[T],
    at: impl Fn(usize) -> String,
) -> Option<Difference> {
    let text = |item: Option<&T>| item.map_or_else(|| "missing".to_owned(), T::to_string);
    (0..recorded.len().max(recomputed.len()))
        .find(|place| recorded.get(*place) != recomputed.get(*place))
        .map(|place| Difference {
            at: at(place),
            recorded: text(recorded.get(place)),
            recomputed: text(recomputed.get(place)),
        })
}

#[cfg(test)]
mod tests;
