//! What decides duels and titles: the section `[boss]` of a rule set.

use super::RuleSet;
use serde::{Deserialize, Serialize};

/// What a task of a tournament measures, which decides how two results of it are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Cross-entropy of answers to instructions, nats.
    Instruct,
    /// Cross-entropy of the assistant's turns, nats; continuous SFT is of this kind.
    Chat,
    /// Preference loss, nats.
    Dpo,
    /// Normalised rewards: the only kind here where more is better.
    Grpo,
    /// Denoising loss.
    Image,
}

impl TaskKind {
    /// Whether more is better.
    pub fn higher_is_better(self) -> bool {
        self == Self::Grpo
    }

    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Instruct => "instruct",
            Self::Chat => "chat",
            Self::Dpo => "dpo",
            Self::Grpo => "grpo",
            Self::Image => "image",
        }
    }
}

/// Boss rounds of text and image tournaments, and the knockout duels before them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BossRules {
    /// Kinds that are decided row by row, by `[paired]`, where both sides have rows; all others, and those without rows,
    /// by `margin`.
    pub paired: Vec<TaskKind>,
    /// Kinds whose knockout duels are decided by rows won; all others by the ranking.
    pub knockout_rows: Vec<TaskKind>,
    /// By how much a challenger's score must be better.
    pub margin: MarginRule,
    /// How many tasks take the title.
    pub title: TitleRule,
    /// What a lineage of continuous SFT demands of a challenger.
    pub lineages: LineageRule,
    /// What becomes of drawn tasks.
    pub draws: DrawRule,
    /// Which scores a record of a duel has.
    pub recorded: RecordedScores,
}

/// By how much a challenger's score must be better than the boss's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum MarginRule {
    /// By a fraction of the boss's magnitude, added or taken away: right for negative scores too.
    Additive {
        /// Of |boss|.
        fraction: f64,
    },
    /// By a fraction of the boss's score itself, which shrinks with every defence.
    Progressive {
        /// With one win of the champion.
        base: f64,
        /// With each further win, over the one before.
        decay: f64,
        /// Never below.
        floor: f64,
    },
}

/// How many tasks take the title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum TitleRule {
    /// More than half.
    Majority {},
    /// All but so many. Where tasks were drawn, so many fewer than the round was built with, but never more than were
    /// decided.
    AllBut {
        /// Tasks that a challenger may lose.
        losses: u32,
    },
}

/// What a lineage of continuous SFT demands of a challenger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineageRule {
    /// There are none.
    None,
    /// Every one has to be won or drawn.
    WonOrDrawn,
}

/// Which scores a record of a duel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedScores {
    /// Those of the ranking, whatever the duel decided.
    Ranking,
    /// Those of the duel, where both sides have a score.
    Verdicts,
}

/// What becomes of drawn tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum DrawRule {
    /// Nothing can be drawn.
    None {},
    /// They leave the count, and each is replaced by a task of its kind.
    Replaced {
        /// How often a round gets replacements; what is drawn after that only leaves the count.
        batches: u32,
        /// The kind that stands in for a drawn task of a lineage.
        lineage_as: TaskKind,
    },
}

impl RuleSet {
    /// What a challenger must be better by where the champion has won `wins` tournaments in a row, a fraction.
    pub fn boss_margin(&self, wins: u32) -> f64 {
        match self.boss.margin {
            MarginRule::Additive { fraction } => fraction,
            // The C library's pow, as the reference has it; repeated products differ in the last bit.
            MarginRule::Progressive { base, decay, floor } => {
                floor.max(base * decay.powf(f64::from(wins) - 1.0))
            }
        }
    }
}

impl BossRules {
    /// The first field whose value makes no sense: its name, the value, what is allowed.
    pub(super) fn out_of_range(&self) -> Option<(&'static str, String, &'static str)> {
        const SHARE: &str = "0 to 1";
        let fractions = match self.margin {
            MarginRule::Additive { fraction } => vec![("boss.margin.fraction", fraction)],
            MarginRule::Progressive { base, decay, floor } => vec![
                ("boss.margin.base", base),
                ("boss.margin.decay", decay),
                ("boss.margin.floor", floor),
            ],
        };
        for (field, value) in fractions {
            if !(0.0..=1.0).contains(&value) {
                return Some((field, value.to_string(), SHARE));
            }
        }
        for (field, kinds) in [
            ("boss.paired", &self.paired),
            ("boss.knockout_rows", &self.knockout_rows),
        ] {
            if let Some(kind) = kinds
                .iter()
                .find(|kind| matches!(kind, TaskKind::Grpo | TaskKind::Image))
            {
                let found = kind.name().to_owned();
                return Some((field, found, "kinds that have a loss per row"));
            }
        }
        if let TitleRule::AllBut { losses } = self.title
            && losses > 100
        {
            return Some(("boss.title.losses", losses.to_string(), "0 to 100"));
        }
        if let DrawRule::Replaced { batches, .. } = self.draws
            && batches > 100
        {
            return Some(("boss.draws.batches", batches.to_string(), "0 to 100"));
        }
        if matches!(self.draws, DrawRule::None {}) && !self.paired.is_empty() {
            return Some((
                "boss.draws.rule",
                "none".to_owned(),
                "replaced where rows are compared, since those can be drawn",
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests;
