//! Rule sets: every constant that decides a score, as versioned data.
//!
//! A rule set is a file in `tasks/rules/`, embedded in the program and named by each task and each result, so
//! that an old tournament can be recomputed as it was judged. The loader is strict in both directions: a field
//! that is missing and a field that nobody reads are both errors.
//!
//! | module | tables |
//! |---|---|
//! | `data` | `[data]`, `[split]` |
//! | `text` | `[text]`, `[kl]`, `[dpo]` |
//! | `ranking` | `[degenerate]`, `[ranking]`, `[paired]` |
//! | `boss` | `[boss]` |
//! | `environment` | `[environment]`, `[grpo]`, `[performance]` |
//! | `bracket` | `[bracket]` |
//! | `emission` | `[emission]` |
//! | `entry` | `[entry]` |
//! | `schedule` | `[schedule]` |
//! | `resources` | `[resources]` |
//! | `attempts` | `[attempts]` |

mod attempts;
mod boss;
mod bracket;
mod data;
mod emission;
mod entry;
mod environment;
mod error;
mod ranges;
mod ranking;
mod resources;
mod schedule;
mod shape;
mod text;

pub use attempts::{AttemptRules, EnvironmentAttempts};
pub use boss::{BossRules, DrawRule, LineageRule, MarginRule, RecordedScores, TaskKind, TitleRule};
pub use bracket::{
    BracketRules, EnvironmentBracket, EnvironmentGroups, FamilyTasks, GroupRules, ImageBossTasks,
    ImageBracket, ImageModels, KlTaskRules, KnockoutRules, LastKnockout, Lineage, SizeRange,
    SmallFieldRules, StartPoint, TextBossTasks, TextBracket, TextShares, ThirdPlace,
};
pub use data::{DataRules, SplitRules};
pub use emission::{
    BoostRules, EmissionRules, FallbackRules, RankShares, ReignDecay, Remainder, SplitShares,
    TypeRules,
};
pub use entry::{
    ChallengerReview, CommitRule, DatasetRules, DuplicateRules, EntryRules, ExtraFields, Identity,
    LicenceCheckout, LicenceRules, ObfuscationRules, ReviewRules, TokenRule, TypeEntry,
};
pub use environment::{
    Divisor, EnvironmentRules, FailedRule, FinalRule, GrpoRules, PerformanceRules, ShareRule,
    WinShareRules,
};
pub use error::RuleSetError;
pub use ranking::{DegenerateRules, EqualScores, PairedRules, RankingRules};
pub use resources::{
    ContinuousSftGpus, ContinuousSftHours, EnvironmentEvaluation, EnvironmentGpus,
    EnvironmentHours, EvaluationGpus, EvaluationPool, GpuModel, GrpoHours, HoursBand, HoursRules,
    ImageHours, KlFactor, LongerImage, OverheadBand, ParamsBand, ResourceRules, RowBin, SizeBand,
    TextHours, Throughput, TrainingGpus,
};
pub use schedule::{ScheduleRules, Weekday, WeeklyStart};
pub use text::{DpoRules, KlMask, KlRules, TextRules};

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
mod tests;
