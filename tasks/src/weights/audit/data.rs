//! What every auditor reads: results, participants, pools.

use super::AuditError;
use crate::rules::{Remainder, RuleSet};
use crate::weights::metagraph::Metagraph;
use crate::weights::pools::{Pool, Pools};
use crate::weights::results::{PerType, Results};
use crate::weights::vector::{WeightVector, weight_vector};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// What every auditor reads, in the reference's order. A field that a rule set's time did not have is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditData {
    /// The latest text tournament.
    #[serde(deserialize_with = "Option::deserialize")]
    pub text_tournament_data: Option<Results>,
    /// The latest image tournament.
    #[serde(deserialize_with = "Option::deserialize")]
    pub image_tournament_data: Option<Results>,
    /// The latest environment tournament.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub environment_tournament_data: Option<Option<Results>>,
    /// Active participants.
    pub participants: Vec<String>,
    /// What text champions' shares are a part of.
    pub text_tournament_weight: f64,
    /// What image champions' shares are a part of.
    pub image_tournament_weight: f64,
    /// What environment champions' shares are a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_tournament_weight: Option<f64>,
    /// What other text finalists' shares are a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_base_weight: Option<f64>,
    /// What other image finalists' shares are a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_base_weight: Option<f64>,
    /// What other environment finalists' shares are a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_base_weight: Option<f64>,
    /// What is burned.
    pub burn_weight: f64,
    /// Who took part lately, as the reference wrote it; nothing here is computed from it.
    pub weekly_participation: Vec<Map<String, Value>>,
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Results>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl AuditData {
    /// A record of results and pools, with the fields that the rule set's time had.
    pub fn new(
        rules: &RuleSet,
        pools: &Pools,
        results: PerType<Option<Results>>,
        participants: Vec<String>,
        weekly_participation: Vec<Map<String, Value>>,
    ) -> Self {
        let environment = rules.emission.environment.is_some();
        let bases = rules.emission.remainder == Remainder::Scaled;
        let types = &pools.types;
        Self {
            text_tournament_data: results.text,
            image_tournament_data: results.image,
            environment_tournament_data: environment.then_some(results.environment),
            participants,
            text_tournament_weight: types.text.champion,
            image_tournament_weight: types.image.champion,
            environment_tournament_weight: environment.then_some(types.environment.champion),
            text_base_weight: bases.then_some(types.text.others),
            image_base_weight: bases.then_some(types.image.others),
            environment_base_weight: (bases && environment).then_some(types.environment.others),
            burn_weight: pools.burn,
            weekly_participation,
        }
    }

    /// Results by type.
    pub fn results(&self) -> PerType<Option<&Results>> {
        PerType {
            text: self.text_tournament_data.as_ref(),
            image: self.image_tournament_data.as_ref(),
            environment: self
                .environment_tournament_data
                .as_ref()
                .and_then(Option::as_ref),
        }
    }

    /// The recorded pools; where the record has no base weights, those who are not champion are paid from the rules'.
    ///
    /// # Errors
    /// `Field` for one that the rule set's time had and the record has not, or the other way round.
    pub fn pools(&self, rules: &RuleSet) -> Result<Pools, AuditError> {
        let environment = rules.emission.environment.is_some();
        let bases = rules.emission.remainder == Remainder::Scaled;
        let fields = [
            (
                "environment_tournament_data",
                self.environment_tournament_data.is_some(),
                environment,
            ),
            (
                "environment_tournament_weight",
                self.environment_tournament_weight.is_some(),
                environment,
            ),
            ("text_base_weight", self.text_base_weight.is_some(), bases),
            ("image_base_weight", self.image_base_weight.is_some(), bases),
            (
                "environment_base_weight",
                self.environment_base_weight.is_some(),
                bases && environment,
            ),
        ];
        for (field, present, expected) in fields {
            if present != expected {
                return Err(AuditError::Field {
                    field,
                    present,
                    rule_set: rules.id.clone(),
                });
            }
        }
        let base = rules.emission.each(|rules| rules.base);
        let pool = |champion, others: Option<f64>, base| Pool {
            champion,
            others: others.unwrap_or(base),
        };
        Ok(Pools {
            types: PerType {
                text: pool(
                    self.text_tournament_weight,
                    self.text_base_weight,
                    base.text,
                ),
                image: pool(
                    self.image_tournament_weight,
                    self.image_base_weight,
                    base.image,
                ),
                environment: pool(
                    self.environment_tournament_weight.unwrap_or(0.0),
                    self.environment_base_weight,
                    base.environment,
                ),
            },
            burn: self.burn_weight,
        })
    }

    /// The vector of the record's pools over a metagraph, as every auditor computes it.
    ///
    /// # Errors
    /// `Field`, `Emission`.
    pub fn vector(
        &self,
        rules: &RuleSet,
        metagraph: &Metagraph,
    ) -> Result<WeightVector, AuditError> {
        let pools = self.pools(rules)?;
        let results = self.results();
        weight_vector(
            &rules.emission,
            &pools,
            &results,
            &self.participants,
            metagraph,
        )
        .map_err(AuditError::Emission)
    }
}
