//! From one file of results to everything that goes on chain and into the audit record.

use super::audit::{AuditData, AuditFile, Recipe};
use super::error::EmissionError;
use super::pools::{EmissionInput, Pools, pools};
use super::quantise::{QuantiseError, Rounding, quantise};
use super::results::{PerType, Results};
use super::vector::{WeightVector, weight_vector};
use crate::Owner;
use crate::rules::{RuleSet, RuleSetError};
use crate::strict;
use crate::subnet::{Snapshot, SnapshotError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Files above this are refused, bytes.
pub const FILE_BYTES_MAX: usize = 64 << 20;

/// What weights are computed from: finished tournaments, and what the rules ask besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultsFile {
    /// Of this form; [`ResultsFile::VERSION`].
    pub version: u32,
    /// By which rules.
    pub rule_set: String,
    /// What the pools are computed from.
    pub input: EmissionInput,
    /// The latest tournament of each type.
    pub results: PerType<Option<Results>>,
    /// Active participants.
    pub participants: Vec<String>,
    /// Who took part lately, as it is published; nothing is computed from it.
    pub weekly_participation: Vec<Map<String, Value>>,
}

/// What goes on chain, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// By which rules.
    pub rules: RuleSet,
    /// What each type gives.
    pub pools: Pools,
    /// Weights by uid, and what reached nobody.
    pub vector: WeightVector,
    /// Pairs of uid and value, as they go on chain.
    pub values: Vec<(u16, u16)>,
    /// The record to publish.
    pub audit: AuditFile,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Too large to be one.
    #[error("the results file has {found} bytes, at most {FILE_BYTES_MAX} are read")]
    TooLarge {
        /// How many.
        found: usize,
    },
    /// Not of this form.
    #[error("the results file does not fit: {0}")]
    Malformed(String),
    /// Of another version.
    #[error(
        "the results file is of version {found}, expected {}\nhelp: collect it anew from the tournaments' files",
        ResultsFile::VERSION
    )]
    Version {
        /// Which.
        found: u32,
    },
    /// One participant twice, who would be paid twice.
    #[error("participant {hotkey} is in the results file twice\nhelp: name each one once")]
    ParticipantTwice {
        /// Whose.
        hotkey: String,
    },
    /// The rule set is not there.
    #[error("the rules of the results file are not there")]
    Rules(#[source] RuleSetError),
    /// The snapshot cannot be used.
    #[error("the subnet's snapshot cannot be used")]
    Snapshot(#[source] SnapshotError),
    /// The weights cannot be computed.
    #[error("the weights cannot be computed")]
    Emission(#[source] EmissionError),
    /// The values cannot be computed.
    #[error("the weights cannot go on chain")]
    Quantise(#[source] QuantiseError),
}

impl PlanError {
    /// Whose fault: files are the operator's.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl ResultsFile {
    /// The version that is written and read.
    pub const VERSION: u32 = 2;

    /// Reads a file.
    ///
    /// # Errors
    /// `TooLarge`, `Malformed` for a missing, unknown or ill-typed field, `Version`.
    pub fn parse(bytes: &[u8]) -> Result<Self, PlanError> {
        if bytes.len() > FILE_BYTES_MAX {
            let found = bytes.len();
            return Err(PlanError::TooLarge { found });
        }
        let malformed = |misfit: strict::Misfit| PlanError::Malformed(misfit.to_string());
        match strict::json_version(bytes).map_err(malformed)? {
            Self::VERSION => strict::json(bytes).map_err(malformed),
            found => Err(PlanError::Version { found }),
        }
    }

    /// Computes pools, weights, values and the audit record over a subnet; `own` is the uid that sets them, if known.
    ///
    /// A vector that does not sum to 1 within the rules' tolerance is refused.
    ///
    /// # Errors
    /// `Rules`, `Snapshot`, `Emission`, `Quantise`.
    pub fn plan(
        &self,
        subnet: &Snapshot,
        rounding: Rounding,
        own: Option<u16>,
    ) -> Result<Plan, PlanError> {
        let rules = RuleSet::named(&self.rule_set).map_err(PlanError::Rules)?;
        subnet.check().map_err(PlanError::Snapshot)?;
        let mut seen = HashSet::new();
        if let Some(hotkey) = self
            .participants
            .iter()
            .find(|hotkey| !seen.insert(*hotkey))
        {
            let hotkey = hotkey.clone();
            return Err(PlanError::ParticipantTwice { hotkey });
        }
        let metagraph = subnet.metagraph().map_err(SnapshotError::from);
        let metagraph = metagraph.map_err(PlanError::Snapshot)?;
        let pools = pools(&rules.emission, &self.input).map_err(PlanError::Emission)?;
        let of = |results: &Option<Results>| Ok::<_, EmissionError>(results.clone());
        let results = self.results.try_map(|_, results| of(results));
        let results = results.map_err(PlanError::Emission)?;
        let latest = PerType {
            text: results.text.as_ref(),
            image: results.image.as_ref(),
            environment: results.environment.as_ref(),
        };
        let vector = weight_vector(
            &rules.emission,
            &pools,
            &latest,
            &self.participants,
            &metagraph,
        )
        .map_err(PlanError::Emission)?;
        vector
            .check_total(&rules.emission)
            .map_err(PlanError::Emission)?;
        let limits = subnet.limits(own);
        let uids: Vec<u16> = (0u16..).take(vector.weights.len()).collect();
        let values =
            quantise(rounding, &uids, &vector.weights, &limits).map_err(PlanError::Quantise)?;
        let audit = AuditFile {
            tournament_audit_data: AuditData::new(
                &rules,
                &pools,
                results,
                self.participants.clone(),
                self.weekly_participation.clone(),
            ),
            gradus: Some(Recipe {
                version: Recipe::VERSION,
                rule_set: rules.id.clone(),
                netuid: subnet.netuid,
                block_number: subnet.block,
                input: self.input.clone(),
                hotkeys: metagraph.hotkeys().to_vec(),
                rounding,
                limits,
                weights: vector.weights.clone(),
                values: values.clone(),
            }),
        };
        Ok(Plan {
            rules,
            pools,
            vector,
            values,
            audit,
        })
    }
}
