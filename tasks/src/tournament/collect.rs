//! From tournaments to the file that weights are computed from.

use super::result::TournamentResult;
use crate::Owner;
use crate::rules::RuleSet;
use crate::weights::{
    EmissionInput, PerType, Performance, Reign, Results, ResultsFile, TournamentType, TypeInput,
};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// A tournament that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// What it came to.
    pub result: TournamentResult,
    /// Tournaments that its champion has won in a row with it; 0 if nobody has the title.
    pub consecutive_wins: u32,
    /// When its last event was, microseconds since 1970.
    pub ended_unix_us: i64,
}

/// A tournament that has begun and is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Which.
    pub tournament_id: String,
    /// What is competed in.
    pub tournament_type: TournamentType,
    /// Who was champion when it began.
    pub champion: Option<String>,
}

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
        "tournament {tournament_id} began with {} as champion, but {before}, which ended before it, left {}\nhelp: name those between the two as well; if there are none, one of the files is wrong",
        who(.began_with), who(.left)
    )]
    Champion {
        /// Which.
        tournament_id: String,
        /// With whom it began.
        began_with: Option<String>,
        /// The one that ended before it.
        before: String,
        /// Whom that left.
        left: Option<String>,
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

impl CollectError {
    /// Whose fault: the operator names the files.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// The results of tournaments, in any order; of each type the one that ended last counts, the others are its history.
///
/// `running` tournaments are counted: rules can take one for a type's newest. `now_unix_us` is written where the rules count
/// days, and nowhere else.
///
/// # Errors
/// `Twice`, `UnknownType`, `Champion` where one does not begin with whom the one before it left, and `FirstWin` where days
/// count and a defending champion's first win is not given.
pub fn collect(
    rules: &RuleSet,
    mut finished: Vec<Finished>,
    running: &[Running],
    participants: Vec<String>,
    weekly_participation: Vec<Map<String, Value>>,
    now_unix_us: i64,
) -> Result<ResultsFile, CollectError> {
    // Names break ties of time, so that the order of files does not matter.
    let key = |one: &Finished| (one.ended_unix_us, one.result.tournament_id.clone());
    finished.sort_by_key(|one| std::cmp::Reverse(key(one)));
    let over = finished.iter().map(|one| &one.result);
    let over = over.map(|result| (&result.tournament_id, result.tournament_type));
    let run = running
        .iter()
        .map(|one| (&one.tournament_id, one.tournament_type));
    let mut seen = HashSet::new();
    for (tournament_id, tournament_type) in over.chain(run) {
        let tournament_id = tournament_id.clone();
        if !seen.insert(tournament_id.clone()) {
            return Err(CollectError::Twice { tournament_id });
        }
        let types = rules.emission.types();
        if !types.iter().any(|(known, _)| *known == tournament_type) {
            return Err(CollectError::UnknownType {
                tournament_id,
                tournament_type,
                rule_set: rules.id.clone(),
            });
        }
    }
    let decay = rules.emission.decay;
    let of = |kind| -> Vec<&Finished> {
        let all = finished.iter();
        all.filter(|one| one.result.tournament_type == kind)
            .collect()
    };
    let input = |kind| -> Result<TypeInput, CollectError> {
        let history = of(kind);
        let of_kind = running.iter().filter(|one| one.tournament_type == kind);
        let running: Vec<&Running> = of_kind.collect();
        champions(&history, &running)?;
        let performance = match history.first().map(|latest| latest.result.performance) {
            None => Performance::NoTournament,
            // Kept for nobody again: a fresh margin is that of a type's first tournament alone.
            Some(Performance::Won {
                burn_account: true, ..
            }) if history.len() > 1 => Performance::Defended {
                stored_difference: None,
            },
            Some(performance) => performance,
        };
        Ok(TypeInput {
            performance,
            entrants_newest_first: history.iter().map(|one| one.result.entrants).collect(),
            running: running.len() as u32,
            reign: match decay.counts_reigns() {
                true => reign(rules, kind, &history)?,
                false => None,
            },
        })
    };
    let latest =
        |kind| -> Option<Results> { of(kind).first().map(|one| one.result.results.clone()) };
    Ok(ResultsFile {
        version: ResultsFile::VERSION,
        rule_set: rules.id.clone(),
        input: EmissionInput {
            now_unix_us: decay.counts_days().then_some(now_unix_us),
            text: input(TournamentType::Text)?,
            image: input(TournamentType::Image)?,
            environment: match rules.emission.environment {
                Some(_) => Some(input(TournamentType::Environment)?),
                None => None,
            },
        },
        results: PerType {
            text: latest(TournamentType::Text),
            image: latest(TournamentType::Image),
            environment: latest(TournamentType::Environment),
        },
        participants,
        weekly_participation,
    })
}

/// Whether each tournament of a type, the newest first, began with whom the one before it left, those that run included.
fn champions(history: &[&Finished], running: &[&Running]) -> Result<(), CollectError> {
    let run = running.iter().filter_map(|later| {
        let earlier = history.first()?;
        Some((&later.tournament_id, &later.champion, &earlier.result))
    });
    let over = history.windows(2).map(|pair| {
        let [later, earlier] = [&pair[0].result, &pair[1].result];
        let began_with = &later.results.base_winner_hotkey;
        (&later.tournament_id, began_with, earlier)
    });
    for (tournament_id, began_with, earlier) in run.chain(over) {
        if *began_with != earlier.champion {
            return Err(CollectError::Champion {
                tournament_id: tournament_id.clone(),
                began_with: began_with.clone(),
                before: earlier.tournament_id.clone(),
                left: earlier.champion.clone(),
            });
        }
    }
    Ok(())
}

/// The reign of the champion of a type's latest tournament, the newest first.
fn reign(
    rules: &RuleSet,
    kind: TournamentType,
    history: &[&Finished],
) -> Result<Option<Reign>, CollectError> {
    let Some((latest, champion)) = history
        .first()
        .and_then(|latest| Some((latest, latest.result.champion.as_deref()?)))
    else {
        return Ok(None);
    };
    let mut reign = Reign {
        first_won_unix_us: None,
        consecutive_wins: latest.consecutive_wins,
    };
    if rules.emission.decay.counts_days() {
        // His wins in a row go back from the latest; the first of them is the one in which he was not yet champion.
        let first = history
            .iter()
            .take_while(|one| one.result.champion.as_deref() == Some(champion))
            .find(|one| matches!(one.result.performance, Performance::Won { .. }));
        let first = first.ok_or_else(|| CollectError::FirstWin {
            tournament_type: kind,
            hotkey: champion.to_owned(),
            rule_set: rules.id.clone(),
        })?;
        reign.first_won_unix_us = Some(first.ended_unix_us);
    }
    Ok(Some(reign))
}

#[cfg(test)]
mod tests;
