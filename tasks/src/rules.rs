//! Rule sets: every constant that decides a score, as versioned data.
//!
//! A rule set is a file in `tasks/rules/`, embedded in the program and named by each task and each result, so
//! that an old tournament can be recomputed as it was judged. The loader is strict in both directions: a field
//! that is missing and a field that nobody reads are both errors.

mod attempts;
mod boss;
mod bracket;
mod emission;
mod entry;
mod environment;
mod ranges;
mod resources;
mod schedule;
mod shape;

pub use attempts::{AttemptRules, EnvironmentAttempts};
pub use boss::{BossRules, DrawRule, LineageRule, MarginRule, TaskKind, TitleRule};
pub use bracket::{
    BracketRules, EnvironmentBracket, EnvironmentGroups, FamilyTasks, GroupRules, ImageBossTasks,
    ImageBracket, ImageModels, KlTaskRules, KnockoutRules, LastKnockout, Lineage, SizeRange,
    SmallFieldRules, StartPoint, TextBossTasks, TextBracket, TextShares, ThirdPlace,
};
pub use emission::{
    BoostRules, EmissionRules, FallbackRules, RankShares, ReignDecay, Remainder, SplitShares,
    TypeRules,
};

pub use entry::{
    ChallengerReview, CommitRule, DatasetRules, DuplicateRules, EntryRules, ExtraFields, Identity,
    LicenceCheckout, LicenceRules, ObfuscationRules, ReviewRules, TokenRule, TypeEntry,
};
pub use environment::{
    Divisor, EnvironmentRules, FailedRule, FinalRule, GrpoRules, PerformanceRules, WinShareRules,
};
pub use resources::{
    ContinuousSftGpus, ContinuousSftHours, EnvironmentEvaluation, EnvironmentGpus,
    EnvironmentHours, EvaluationGpus, EvaluationPool, GpuModel, GrpoHours, HoursBand, HoursRules,
    ImageHours, KlFactor, LongerImage, OverheadBand, ParamsBand, ResourceRules, RowBin, SizeBand,
    TextHours, Throughput, TrainingGpus,
};
pub use schedule::{ScheduleRules, Weekday, WeeklyStart};

use crate::Owner;
use serde::{Deserialize, Serialize};

const EMBEDDED: [(&str, &str); 2] = [
    (
        "2025-12-12-86623e97",
        include_str!("../rules/2025-12-12-86623e97.toml"),
    ),
    (
        "2026-09-30-27931f9d",
        include_str!("../rules/2026-09-30-27931f9d.toml"),
    ),
];

/// A complete set of evaluation rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSet {
    /// `<date>-<commit>`, the file's name.
    pub id: String,
    /// Commit of the subnet's code that these rules were read from.
    pub reference_commit: String,
    /// Data files.
    pub data: DataRules,
    /// Instruct, completion and chat rows.
    pub text: TextRules,
    /// The KL term.
    pub kl: KlRules,
    /// Preference pairs.
    pub dpo: DpoRules,
    /// Train/test split.
    pub split: SplitRules,
    /// Sets that decide nothing.
    pub degenerate: DegenerateRules,
    /// Points inside a task.
    pub ranking: RankingRules,
    /// The paired comparison of two candidates.
    pub paired: PairedRules,
    /// Duels and titles.
    pub boss: BossRules,
    /// Standings and finals of environment tournaments; absent where they did not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentRules>,
    /// Rewards to scores.
    pub grpo: GrpoRules,
    /// Margins of boss rounds.
    pub performance: PerformanceRules,
    /// How a tournament is played.
    pub bracket: BracketRules,
    /// Tournaments to emissions.
    pub emission: EmissionRules,
    /// Who may enter.
    pub entry: EntryRules,
    /// When tournaments start.
    pub schedule: ScheduleRules,
    /// What a task gets.
    pub resources: ResourceRules,
    /// How often something is tried.
    pub attempts: AttemptRules,
}

/// Limits of data files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRules {
    /// Largest accepted file, bytes.
    pub file_bytes_max: u64,
    /// Largest accepted fraction of rows whose every field is empty.
    pub empty_row_fraction_max: f64,
    /// Conversations with fewer valid messages are dropped.
    pub chat_messages_min: usize,
}

/// How text rows become samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRules {
    /// L, the longest kept sample, tokens.
    pub sequence_len: u64,
    /// If the candidate's max_position P is below this many L, L becomes ceil(P / 2).
    pub halve_below_multiple: u64,
    /// Samples with fewer tokens are dropped.
    pub sample_len_min: usize,
    /// Whether L doubles, up to the cap, when no sample is left.
    pub double_when_empty: bool,
    /// P in the cap when the candidate's config names none.
    pub max_position_default: u64,
    /// A tokenizer's model_max_length counts for the cap only below this.
    pub tokenizer_max_length_ceiling: u64,
    /// Completion text is cut at this many L.
    pub completion_chunks_max: u64,
    /// `YYYY-MM-DD`: the day that `strftime_now` reports inside a chat template.
    pub template_date: String,
}

/// Which positions the KL term covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KlMask {
    /// Logits at the index of the label: one position after those that the cross-entropy scores.
    Unshifted,
    /// Logits that predict the label.
    Shifted,
}

/// The KL term.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KlRules {
    /// Which positions count.
    pub mask: KlMask,
}

/// Preference pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpoRules {
    /// Weight inside the sigmoid.
    pub beta: f64,
    /// Whether max_length is the candidate's max_position_embeddings.
    pub max_length_from_candidate: bool,
    /// max_length otherwise, tokens.
    pub max_length_default: u64,
    /// Whether completions get the EOS text if they lack it.
    pub append_eos: bool,
}

/// Train/test split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRules {
    /// Fraction of rows that are held out.
    pub test_fraction: f64,
    /// At most this many rows are held out.
    pub test_rows_max: usize,
    /// Seed of the shuffle.
    pub seed: u64,
}

/// Bounds outside which a set's best loss says that the set decides nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DegenerateRules {
    /// Best loss below this, instruct and chat.
    pub best_loss_min: f64,
    /// Best loss below this, DPO.
    pub best_loss_min_dpo: f64,
    /// Best loss above this, instruct.
    pub best_loss_max_instruct: f64,
    /// Best DPO loss from here ...
    pub dpo_no_learning_min: f64,
    /// ... to here is ln 2: nobody learned anything.
    pub dpo_no_learning_max: f64,
}

/// Points inside a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingRules {
    /// Points of the best.
    pub points_first: f64,
    /// Points of the last ones.
    pub points_last: f64,
    /// Points of an invalid entry, if any is valid.
    pub points_invalid: f64,
    /// Fraction of entrants that count as last.
    pub last_fraction: f64,
    /// Nobody is last unless more valid entrants than this exist.
    pub last_applies_above: usize,
}

/// The paired comparison of two candidates over one set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairedRules {
    /// Differences up to this many nats decide nothing.
    pub dead_zone: f64,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Seed of the bootstrap's generator.
    pub seed: u64,
    /// One-sided confidence of the bounds.
    pub confidence: f64,
    /// Least lower bound of the win rate.
    pub win_rate_min: f64,
    /// Least lower bound of the mean gap, nats ...
    pub gap_min_abs: f64,
    /// ... and as a fraction of the boss's mean loss.
    pub gap_min_rel: f64,
    /// Elements drawn at a time: part of the bootstrap's definition, since it fixes the order of draws.
    pub chunk_elements: usize,
}

/// Why a rule set could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum RuleSetError {
    /// No embedded set has this name.
    #[error("no rule set is called {name}\nhelp: known are {}", .known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The file does not fit the schema.
    #[error("rule set {name}: {message}")]
    Malformed {
        /// Which set.
        name: String,
        /// Where and why.
        message: String,
    },
    /// A value is out of its range.
    #[error("rule set {name}: {field} is {found}, expected {expected}")]
    OutOfRange {
        /// Which set.
        name: String,
        /// Which field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A value that nobody has for this set.
    #[error(
        "rule set {name} does not say {field}: its value at that time is not known\nhelp: use a set that says it, or add it with its source"
    )]
    NotKnown {
        /// Which set.
        name: String,
        /// Which field.
        field: &'static str,
    },
}

impl RuleSetError {
    /// Whose fault: rule sets come from the operator.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl RuleSet {
    /// Names of the embedded sets, oldest first.
    pub fn names() -> Vec<&'static str> {
        EMBEDDED.iter().map(|(name, _)| *name).collect()
    }

    /// The name of the newest embedded set.
    pub fn newest_name() -> &'static str {
        EMBEDDED[EMBEDDED.len() - 1].0
    }

    /// The newest embedded set.
    pub fn newest() -> Self {
        Self::named(Self::newest_name()).expect("the test suite loads every embedded set")
    }

    /// An embedded set by its name.
    ///
    /// # Errors
    /// `Unknown` if there is none.
    pub fn named(name: &str) -> Result<Self, RuleSetError> {
        let Some((name, text)) = EMBEDDED.iter().find(|(known, _)| *known == name) else {
            return Err(RuleSetError::Unknown {
                name: name.to_owned(),
                known: Self::names().into_iter().map(str::to_owned).collect(),
            });
        };
        Self::from_toml(name, text)
    }

    /// A set from a file's text; `name` is what errors call it and what `id` must say.
    ///
    /// # Errors
    /// `Malformed` for a missing, extra or ill-typed field, `OutOfRange` for a value that makes no sense.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, RuleSetError> {
        let malformed = |error: toml::de::Error| RuleSetError::Malformed {
            name: name.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        };
        let table: toml::Table = text.parse().map_err(malformed)?;
        if let Some((field, found, expected)) = ranges::out_of_range(&table) {
            return Err(RuleSetError::OutOfRange {
                name: name.to_owned(),
                field,
                found,
                expected,
            });
        }
        // From the text once more: what was parsed into a table has lost its lines.
        let rules: Self = toml::from_str(text).map_err(malformed)?;
        rules.check(name)?;
        Ok(rules)
    }

    fn check(&self, name: &str) -> Result<(), RuleSetError> {
        let refuse = |field, found: String, expected| {
            Err(RuleSetError::OutOfRange {
                name: name.to_owned(),
                field,
                found,
                expected,
            })
        };
        if self.id != name {
            return refuse("id", self.id.clone(), "the file's name");
        }
        if crate::chat::TemplateDate::parse(&self.text.template_date).is_none() {
            return refuse(
                "text.template_date",
                self.text.template_date.clone(),
                "YYYY-MM-DD",
            );
        }
        let ranges = self
            .emission
            .out_of_range()
            .or_else(|| self.boss.out_of_range())
            .or_else(|| self.results_out_of_range())
            .or_else(|| self.bracket.out_of_range());
        if let Some((field, found, expected)) = ranges {
            return refuse(field, found, expected);
        }
        let broken = (self.entry.broken())
            .or_else(|| self.schedule.broken())
            .or_else(|| self.resources.broken());
        if let Some((field, found, expected)) = broken {
            return refuse(field, found, expected);
        }
        Ok(())
    }
}

#[cfg(test)]
mod strictness;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_set_loads_and_carries_its_own_name() {
        for name in RuleSet::names() {
            assert_eq!(RuleSet::named(name).unwrap().id, name);
        }
        assert_eq!(RuleSet::newest().text.sequence_len, 4096);
        assert_eq!(
            RuleSet::named("2025-12-12-86623e97")
                .unwrap()
                .split
                .test_rows_max,
            400
        );
    }

    #[test]
    fn a_missing_and_an_extra_field_are_named() {
        let text = EMBEDDED[1].1;
        let missing = text.replace("beta = 0.1\n", "");
        let error = RuleSet::from_toml(EMBEDDED[1].0, &missing)
            .unwrap_err()
            .to_string();
        assert!(error.contains("beta"), "{error}");
        let extra = text.replace("beta = 0.1\n", "beta = 0.1\nbetta = 0.2\n");
        let error = RuleSet::from_toml(EMBEDDED[1].0, &extra)
            .unwrap_err()
            .to_string();
        assert!(error.contains("betta"), "{error}");
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        let text = EMBEDDED[1].1.replace("beta = 0.1", "beta = nan");
        let error = RuleSet::from_toml(EMBEDDED[1].0, &text).unwrap_err();
        assert!(
            matches!(
                error,
                RuleSetError::OutOfRange {
                    field: "dpo.beta",
                    ..
                }
            ),
            "{error}"
        );
        assert!(
            RuleSet::named("2019")
                .unwrap_err()
                .to_string()
                .contains("2026-09-30-27931f9d")
        );
    }
}
