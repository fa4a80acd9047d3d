//! Why tournaments are no results.

use crate::Owner;
use crate::utc::utc;
use crate::weights::TournamentType;

/// Why tournaments are no results.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CollectError {
    /// The same one twice.
    #[error("tournament {tournament_id} is there twice\nhelp: name each file once")]
    Twice {
        /// Which.
        tournament_id: String,
    },
    /// A type that the rules do not have.
    #[error(
        "tournament {tournament_id} is one of {tournament_type}, which rule set {rule_set} does not have\nhelp: leave it out, or use the rule set of its time"
    )]
    UnknownType {
        /// Which.
        tournament_id: String,
        /// Of what.
        tournament_type: TournamentType,
        /// By which rules.
        rule_set: String,
    },
    /// One that began with another champion than the one before it left.
    #[error(
        "tournament {tournament_id} began with {} as champion, but {before}, which ended before it, left {}: the last event of {tournament_id} is of {}, that of {before} of {}\nhelp: name those between the two as well; if there are none, one of the files is wrong, or the clock that one of these times is by",
        who(.began_with), who(.left), time(*.last_unix_us), time(*.before_unix_us)
    )]
    Champion {
        /// Which.
        tournament_id: String,
        /// With whom it began.
        began_with: Option<String>,
        /// When its last event was, microseconds since 1970.
        last_unix_us: i64,
        /// The one that ended before it.
        before: String,
        /// When that ended, microseconds since 1970.
        before_unix_us: i64,
        /// Whom that left.
        left: Option<String>,
    },
    /// One that says something else of its champion than the one before it left.
    #[error(
        "tournament {tournament_id} began with {} as champion and {what} {found}, but {before}, which ended before it, left {what} {left}\nhelp: name those between the two as well; if there are none, the setup of {tournament_id}, its first line, is wrong: `gradus tournament new --after` takes over what the earlier one left",
        who(.began_with)
    )]
    Contradicted {
        /// Which.
        tournament_id: String,
        /// With whom it began.
        began_with: Option<String>,
        /// What of him: `consecutive_wins` or `stored_difference`.
        what: &'static str,
        /// What it says.
        found: Box<str>,
        /// The one that ended before it.
        before: String,
        /// What that left.
        left: Box<str>,
    },
    /// Nobody says since when a champion reigns, and the rules ask.
    #[error(
        "the {tournament_type} champion {hotkey} has defended, and no tournament that is given says when he first won\nhelp: rule set {rule_set} counts his days; name the file of that tournament too"
    )]
    FirstWin {
        /// Of what.
        tournament_type: TournamentType,
        /// Who.
        hotkey: String,
        /// By which rules.
        rule_set: String,
    },
}

fn who(champion: &Option<String>) -> &str {
    champion.as_deref().unwrap_or("nobody")
}

fn time(unix_us: i64) -> String {
    utc(unix_us.div_euclid(1_000_000))
}

impl CollectError {
    /// Whose fault: the operator names the files.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}
