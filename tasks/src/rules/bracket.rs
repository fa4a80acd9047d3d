//! How a tournament is played: the section `[bracket]` of a rule set.
//!
//! Who meets whom, over how many tasks of which kind, and who goes on. What a task's numbers decide is not here: the
//! sections `ranking`, `paired`, `boss` and `environment` say that.

mod check;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// How a tournament is played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BracketRules {
    /// A tournament that has played so many rounds without coming to its boss round ends, and the champion stays. The
    /// reference has no such bound: environments' ties advance together, so nothing else ends a tournament of equals.
    pub rounds_max: u32,
    /// A task of which a larger fraction of trainings failed waits for somebody to look at it.
    pub failed_trainings_review_above: f64,
    /// Who is third.
    pub third_place: ThirdPlace,
    /// Rounds of pairs.
    pub knockout: KnockoutRules,
    /// Rounds of groups, text and image.
    pub groups: GroupRules,
    /// The first round of a small field, text and image.
    pub small_field: SmallFieldRules,
    /// Text tasks with a KL term.
    pub kl_tasks: KlTaskRules,
    /// Tasks of text tournaments.
    pub text: TextBracket,
    /// Tasks of image tournaments.
    pub image: ImageBracket,
    /// Environment tournaments.
    pub environment: EnvironmentBracket,
}

/// Who is third.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThirdPlace {
    /// Nobody.
    None,
    /// Who lost the round before the boss round, where that is one contestant.
    BeforeBoss,
}

/// Rounds of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnockoutRules {
    /// So many contestants and fewer play in pairs, more in groups.
    pub contestants_max: usize,
}

/// Rounds of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRules {
    /// Contestants of a group, about: their number over this, rounded up, is the number of groups ...
    pub size_expected: usize,
    /// ... and one less if groups would be smaller than this.
    pub size_min: usize,
    /// Tasks of each group.
    pub tasks: usize,
    /// So many of each group go on.
    pub advance: usize,
}

/// The first round of a small field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum SmallFieldRules {
    /// It is a round like any other.
    None {},
    /// It is one group.
    OneGroup {
        /// Fewer entrants play in pairs.
        entrants_min: usize,
        /// More entrants play as fields do that are not small.
        entrants_max: usize,
        /// Tasks of the group.
        tasks: usize,
        /// So many go on.
        advance: usize,
    },
}

/// Text tasks with a KL term.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum KlTaskRules {
    /// There are none.
    None {},
    /// Instruct tasks of pairs have one by chance; the last knockout never has.
    Drawn {
        /// From this round on.
        round_min: u32,
        /// How likely.
        probability: f64,
        /// Its coefficient is drawn from here ...
        coef_min: f64,
        /// ... to here.
        coef_max: f64,
    },
}

/// Parameters of models that a task's may have, billions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizeRange {
    /// At least.
    pub params_b_min: f64,
    /// At most.
    pub params_b_max: f64,
}

/// Tasks of text tournaments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextBracket {
    /// Models of groups' tasks.
    pub group_models: SizeRange,
    /// Models of other tasks.
    pub models: SizeRange,
    /// Models of a boss round's large tasks.
    pub large_models: SizeRange,
    /// How likely a boss round's task is large.
    pub large_probability: f64,
    /// Which task a pair gets; these are shares of their sum.
    pub pair_tasks: TextShares,
    /// The last knockout before the boss round.
    pub last_knockout: LastKnockout,
    /// Tasks of a boss round.
    pub boss_tasks: TextBossTasks,
}

/// Shares of task types.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextShares {
    /// Instruct tasks.
    pub instruct: f64,
    /// Preference tasks.
    pub dpo: f64,
    /// Reward tasks.
    pub grpo: f64,
}

/// The last knockout before the boss round: the one that is a single pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum LastKnockout {
    /// It is a knockout like any other.
    LikeOthers {},
    /// An instruct task on one model.
    Instruct {
        /// Which.
        model: String,
    },
}

/// Tasks of a text tournament's boss round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextBossTasks {
    /// Instruct tasks.
    pub instruct: usize,
    /// Preference tasks.
    pub dpo: usize,
    /// Reward tasks.
    pub grpo: usize,
    /// Continuous fine-tuning: a task for each lineage.
    pub continuous_sft: Vec<Lineage>,
}

/// A lineage of continuous fine-tuning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    /// Its name.
    pub lineage: String,
    /// The model that it began with.
    pub seed: String,
}

/// Tasks of image tournaments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageBracket {
    /// Models of the first round.
    pub round_one: ImageModels,
    /// Models of a boss round: so many tasks of each family.
    pub boss_tasks: ImageBossTasks,
}

/// Models of image tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum ImageModels {
    /// Any of the pool.
    Any {},
    /// One family for the whole round, drawn.
    OneFamily {
        /// Of these.
        families: Vec<String>,
    },
}

/// Tasks of an image tournament's boss round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum ImageBossTasks {
    /// So many of any model of the pool.
    Any {
        /// How many.
        tasks: usize,
    },
    /// So many of each family.
    Families {
        /// By family.
        families: Vec<FamilyTasks>,
    },
}

/// Tasks on models of one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyTasks {
    /// Which.
    pub family: String,
    /// How many.
    pub tasks: usize,
}

/// Environment tournaments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum EnvironmentBracket {
    /// There are none.
    None {},
    /// Rounds of groups, in one of which the boss plays.
    Groups(EnvironmentGroups),
}

/// Rounds of an environment tournament.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentGroups {
    /// Contestants of a group at least.
    pub size_min: usize,
    /// Contestants of a group at most, the boss included.
    pub size_max: usize,
    /// First rounds of so many entrants and fewer have smaller groups ...
    pub small_entrants_max: usize,
    /// ... of so many at most.
    pub small_size_max: usize,
    /// Environments of the first round's tasks; each round has as many more, until all are there.
    pub environments_per_round: usize,
    /// All environments.
    pub environments: Vec<String>,
    /// Tasks of the final, by where training starts.
    pub final_tasks: Vec<StartPoint>,
}

/// What training of an environment task starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartPoint {
    /// The task's model.
    Default,
    /// What the contestant trained in the round before.
    Continuation,
    /// A fresh model.
    FromScratch,
    /// The previous tournament's winner.
    PreviousWinner,
}
