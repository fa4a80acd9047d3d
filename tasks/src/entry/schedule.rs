//! When the next tournament of a type starts.

use super::review::{ChallengerState, Holds};
use crate::Owner;
use crate::rules::{RuleSet, ScheduleRules, TypeEntry};
use crate::weights::TournamentType;
use serde::{Deserialize, Serialize};

const WEEK_S: i64 = 7 * 86_400;
/// 1970-01-05, a Monday, at midnight UTC.
const FIRST_MONDAY_S: i64 = 4 * 86_400;
/// The years 1970 to 9999: beyond them nothing is computed.
const UNIX_S_MAX: i64 = 253_402_300_799;

/// When the next tournament starts, seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStart {
    /// At once.
    Now,
    /// Later.
    At(i64),
}

/// Why there is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The rule set has no such tournaments.
    #[error(
        "rule set {rules} has no {tournament} tournaments\nhelp: use the rule set of the tournament's date"
    )]
    NoSuchType {
        /// Which set.
        rules: String,
        /// Which type.
        tournament: TournamentType,
    },
    /// A time that is none.
    #[error("{what} is {found} s after 1970, expected a time from then to the year 9999")]
    Time {
        /// Which time.
        what: &'static str,
        /// Its value.
        found: i64,
    },
}

impl ScheduleError {
    /// Whose fault: clocks are the host's.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// When the next tournament of a type starts, if none is pending or active.
///
/// * `now_unix_s`: the present
/// * `last_completed_unix_s`: when the last one completed; the first one ever starts at once
///
/// A weekly start that was missed is the next week's, unless its window is still open.
///
/// # Errors
/// `NoSuchType`, `Time`.
pub fn next_start(
    rules: &RuleSet,
    tournament: TournamentType,
    now_unix_s: i64,
    last_completed_unix_s: Option<i64>,
) -> Result<NextStart, ScheduleError> {
    if matches!(rules.entry.of(tournament), TypeEntry::None {}) {
        return Err(ScheduleError::NoSuchType {
            rules: rules.id.clone(),
            tournament,
        });
    }
    let times = [
        ("the present", Some(now_unix_s)),
        ("the last completion", last_completed_unix_s),
    ];
    for (what, time) in times {
        if let Some(found) = time.filter(|time| !(0..=UNIX_S_MAX).contains(time)) {
            return Err(ScheduleError::Time { what, found });
        }
    }
    let Some(last) = last_completed_unix_s else {
        return Ok(NextStart::Now);
    };
    let (start, window_s) = match (&rules.schedule, rules.schedule.weekly(tournament)) {
        (ScheduleRules::Interval { hours }, _) => {
            let at = last + i64::from(*hours) * 3600;
            return Ok(if now_unix_s >= at {
                NextStart::Now
            } else {
                NextStart::At(at)
            });
        }
        (_, Some((weekly, minutes))) => (
            weekly.second_of_week().expect("the loader checked it"),
            i64::from(minutes) * 60,
        ),
        (_, None) => unreachable!("a schedule is one of the two"),
    };
    // A completion in the future: a clock that was set back. The start is after both.
    let reference = now_unix_s.max(last);
    let into_week = (reference - FIRST_MONDAY_S - start).rem_euclid(WEEK_S);
    if into_week < window_s {
        let opened = reference - into_week;
        return Ok(if now_unix_s >= opened {
            NextStart::Now
        } else {
            NextStart::At(opened)
        });
    }
    Ok(NextStart::At(reference - into_week + WEEK_S))
}

/// How the last tournament of a type stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum Previous {
    /// There was none.
    None {},
    /// It waits for its field, or is played.
    Running {},
    /// Its boss round is over, and its challenger is being reviewed.
    UnderReview {
        /// Who.
        challenger: String,
        /// What the review said so far.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        review: Option<ChallengerState>,
    },
    /// It is over.
    Completed {
        /// Since when, seconds since 1970.
        unix_s: i64,
    },
}

/// When a tournament may start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "may", rename_all = "snake_case", deny_unknown_fields)]
pub enum Start {
    /// At once.
    Now {},
    /// Later.
    At {
        /// When, seconds since 1970.
        unix_s: i64,
    },
    /// Not before the last one is over.
    Held {
        /// What it waits for.
        why: String,
    },
}

/// When a tournament of a type may start: never beside another of its type, and not while the last one's result is held by
/// the review of its challenger.
///
/// # Errors
/// Those of [`next_start`].
pub fn may_start(
    rules: &RuleSet,
    tournament: TournamentType,
    now_unix_s: i64,
    previous: &Previous,
) -> Result<Start, ScheduleError> {
    let last = match previous {
        Previous::Completed { unix_s } => Some(*unix_s),
        _ => None,
    };
    let start = next_start(rules, tournament, now_unix_s, last)?;
    let held = |why: String| Ok(Start::Held { why });
    match previous {
        Previous::Running {} => held(format!("the last {tournament} tournament is not over")),
        Previous::UnderReview { challenger, review } => {
            match ChallengerState::holds(*review, &rules.entry.review, challenger) {
                Holds::Review {} => held(format!(
                    "{challenger}, who challenged the boss, has to be reviewed"
                )),
                Holds::Waits {} => held(format!(
                    "the review of {challenger}, who challenged the boss, has to be decided"
                )),
                Holds::Proceeds { .. } => held(format!(
                    "the review of {challenger} is decided, and the tournament has to be ended by it"
                )),
            }
        }
        Previous::None {} | Previous::Completed { .. } => Ok(match start {
            NextStart::Now => Start::Now {},
            NextStart::At(unix_s) => Start::At { unix_s },
        }),
    }
}

#[cfg(test)]
mod tests;
