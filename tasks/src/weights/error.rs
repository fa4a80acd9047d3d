//! What can be wrong between results and a vector.

use super::results::TournamentType;
use crate::Owner;

/// Why there is no vector.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EmissionError {
    /// A number that has to be finite is not, or is below what it can be.
    #[error(
        "{what} is {found}, expected {expected}\nhelp: correct the record that it was read from"
    )]
    Number {
        /// Which number.
        what: String,
        /// Its value.
        found: f64,
        /// What it can be.
        expected: &'static str,
    },
    /// Something about a type of tournament that the rule set does not have.
    #[error(
        "there is {what} of {tournament} tournaments, but the rule set has none\nhelp: use the rule set of the record's date"
    )]
    UnknownType {
        /// Which type.
        tournament: TournamentType,
        /// What there is.
        what: &'static str,
    },
    /// Nothing about a type of tournament that the rule set has.
    #[error(
        "there is no {what} of {tournament} tournaments, which the rule set has\nhelp: add it; a type without a tournament says so"
    )]
    MissingType {
        /// Which type.
        tournament: TournamentType,
        /// What is missing.
        what: &'static str,
    },
    /// A champion's reign, where the rules count days, without the present.
    #[error(
        "the rules count the days of a reign, but the input has no now_unix_us\nhelp: record when the weights were computed"
    )]
    NoPresent,
    /// A champion's reign, where the rules count days, without its beginning.
    #[error(
        "the rules count the days of a reign, but that of the {tournament} champion has no first_won_unix_us\nhelp: name the tournament in which he first won when collecting"
    )]
    NoFirstWin {
        /// Of what he is champion.
        tournament: TournamentType,
    },
    /// A final position below the first.
    #[error("{hotkey} has final position 0 in {tournament_id}, expected 1 or more")]
    Position {
        /// Whose.
        hotkey: String,
        /// Where.
        tournament_id: String,
    },
    /// So many participants that nothing is left for the tournaments.
    #[error("{participants} participants at {each} each leave nothing for the tournaments")]
    Participants {
        /// How many.
        participants: usize,
        /// Weight of each.
        each: f64,
    },
    /// A vector that does not sum to 1.
    #[error("the weights sum to {total}, not to 1 within {tolerance}: {}\nhelp: look at the metagraph; hotkeys that left lose their weight", lost_text(.lost))]
    Total {
        /// What they sum to.
        total: f64,
        /// How far from 1 that may be.
        tolerance: f64,
        /// Hotkeys whose weight reached nobody, and how much.
        lost: Vec<(String, f64)>,
    },
}

fn lost_text(lost: &[(String, f64)]) -> String {
    const SHOWN: usize = 3;
    if lost.is_empty() {
        return "no hotkey lost its weight".to_owned();
    }
    let mut text: Vec<String> = lost
        .iter()
        .take(SHOWN)
        .map(|(hotkey, weight)| format!("{hotkey} lost {weight}"))
        .collect();
    if lost.len() > SHOWN {
        text.push(format!("{} more", lost.len() - SHOWN));
    }
    text.join(", ")
}

impl EmissionError {
    /// Whose fault: records and rule sets come from the operator.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// `value` if it is finite and not negative.
pub(super) fn weight(value: f64, what: impl FnOnce() -> String) -> Result<f64, EmissionError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(value);
    }
    Err(EmissionError::Number {
        what: what(),
        found: value,
        expected: "a finite number that is not negative",
    })
}
