//! What a tournament begins with.

use super::limits;
use crate::Owner;
use crate::rules::{EnvironmentBracket, RuleSet};
use crate::weights::TournamentType;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Everything that is fixed before the first event. Draws follow from it, so two who have it draw alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// Version of this schema: 1.
    pub version: u32,
    /// Which tournament; 1 to 100 characters of `A-Za-z0-9_-`.
    pub tournament_id: String,
    /// What is competed in.
    pub tournament_type: TournamentType,
    /// The rule set's name.
    pub rules: String,
    /// Seed of every draw.
    pub seed: u64,
    /// Hotkeys of those who were admitted, in the order of admission; 1 to 1,000. The order decides where numbers tie.
    pub entrants: Vec<String>,
    /// Who defends, if anybody does. The rule set's burn hotkey plays for him, and for nobody if there is none. Where it has
    /// kept the title for nobody before, it is named here itself, with how often in a row.
    #[serde(deserialize_with = "Option::deserialize")]
    pub champion: Option<Champion>,
}

/// Who defends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Champion {
    /// His own hotkey, or the burn hotkey where nobody has the title.
    pub hotkey: String,
    /// Tournaments that he has won in a row, 1 or more. Margins that shrink with wins count those of the burn hotkey too.
    pub consecutive_wins: u32,
    /// The margin that was stored when he became champion; it counts again if he defends. Nobody has none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub stored_difference: Option<f64>,
}

/// Why there is no tournament.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SetupError {
    /// A schema that this program does not read.
    #[error(
        "the setup has version {found}, expected {expected}\nhelp: use the program that wrote it"
    )]
    Version {
        /// Its version.
        found: u32,
        /// What is read.
        expected: u32,
    },
    /// The rule set that was handed over is another.
    #[error(
        "the setup asks for the rules {asked}, but {given} were given\nhelp: load the set that it names"
    )]
    Rules {
        /// What the setup says.
        asked: String,
        /// What was given.
        given: String,
    },
    /// A tournament of a type that the rules do not have.
    #[error(
        "the rules {rules} have no {tournament_type} tournaments\nhelp: use the rule set of the tournament's date"
    )]
    NoSuchType {
        /// Which rules.
        rules: String,
        /// Which type.
        tournament_type: TournamentType,
    },
    /// A name that is none.
    #[error("{what} is {found:?}, expected 1 to 100 characters of A-Z a-z 0-9 _ -")]
    Name {
        /// What it names.
        what: &'static str,
        /// How it is written.
        found: String,
    },
    /// Nobody, or too many.
    #[error(
        "there are {found} entrants, expected 1 to {max}\nhelp: without an entrant there is no tournament, and the champion stays"
    )]
    Field {
        /// How many.
        found: usize,
        /// How many there can be.
        max: usize,
    },
    /// A hotkey that is there twice.
    #[error("{hotkey} entered twice\nhelp: one entry for each hotkey")]
    Twice {
        /// Whose.
        hotkey: String,
    },
    /// The burn hotkey, which plays for the champion.
    #[error("the burn hotkey {hotkey} cannot enter: it plays for the champion")]
    BurnHotkey {
        /// Which.
        hotkey: String,
    },
    /// A champion without a win, with a margin that is no number, or nobody with a margin.
    #[error("the champion has {what} {found}, expected {expected}")]
    Champion {
        /// What of him.
        what: &'static str,
        /// Its value.
        found: String,
        /// What is allowed.
        expected: &'static str,
    },
}

impl SetupError {
    /// Whose fault: the operator writes setups.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl Setup {
    /// The version that is written and read.
    pub const VERSION: u32 = 1;

    pub(super) fn check(&self, rules: &RuleSet) -> Result<(), SetupError> {
        if self.version != Self::VERSION {
            return Err(SetupError::Version {
                found: self.version,
                expected: Self::VERSION,
            });
        }
        if self.rules != rules.id {
            return Err(SetupError::Rules {
                asked: self.rules.clone(),
                given: rules.id.clone(),
            });
        }
        let none = EnvironmentBracket::None {};
        if self.tournament_type == TournamentType::Environment && rules.bracket.environment == none
        {
            return Err(SetupError::NoSuchType {
                rules: self.rules.clone(),
                tournament_type: self.tournament_type,
            });
        }
        name("tournament_id", &self.tournament_id)?;
        if !(1..=limits::ENTRANTS).contains(&self.entrants.len()) {
            return Err(SetupError::Field {
                found: self.entrants.len(),
                max: limits::ENTRANTS,
            });
        }
        let burn = &rules.emission.burn_hotkey;
        let mut seen = HashSet::new();
        for hotkey in &self.entrants {
            name("an entrant's hotkey", hotkey)?;
            if hotkey == burn {
                return Err(SetupError::BurnHotkey {
                    hotkey: hotkey.clone(),
                });
            }
            if !seen.insert(hotkey) {
                return Err(SetupError::Twice {
                    hotkey: hotkey.clone(),
                });
            }
        }
        let Some(champion) = &self.champion else {
            return Ok(());
        };
        name("the champion's hotkey", &champion.hotkey)?;
        if !(1..=limits::WINS).contains(&champion.consecutive_wins) {
            return Err(SetupError::Champion {
                what: "consecutive_wins",
                found: champion.consecutive_wins.to_string(),
                expected: "1 to 100000",
            });
        }
        match champion.stored_difference {
            Some(difference) if champion.hotkey == *burn => Err(SetupError::Champion {
                what: "stored_difference",
                found: difference.to_string(),
                expected: "none: the burn hotkey keeps the title for nobody",
            }),
            Some(difference) if !difference.is_finite() => Err(SetupError::Champion {
                what: "stored_difference",
                found: difference.to_string(),
                expected: "a finite number",
            }),
            _ => Ok(()),
        }
    }
}

fn name(what: &'static str, found: &str) -> Result<(), SetupError> {
    if limits::is_name(found) {
        return Ok(());
    }
    let mut found = found.to_owned();
    found.truncate(
        found
            .char_indices()
            .nth(120)
            .map_or(found.len(), |(at, _)| at),
    );
    Err(SetupError::Name { what, found })
}
