//! From tournaments to the file that weights are computed from.

mod error;

pub use error::CollectError;

use super::machine::Tournament;
use super::result::TournamentResult;
use super::setup::Champion;
use super::state::Stage;
use super::succession::Defender;
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
    /// Who defended.
    pub defender: Defender,
    /// Who defends in the next one.
    pub left: Champion,
    /// When its last event was, microseconds since 1970.
    pub ended_unix_us: i64,
}

/// A tournament that has begun and is not over.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// Which.
    pub tournament_id: String,
    /// What is competed in.
    pub tournament_type: TournamentType,
    /// Who defends.
    pub defender: Defender,
    /// When its latest event was, microseconds since 1970.
    pub last_unix_us: i64,
}

impl Finished {
    /// A tournament; `None` before it is over.
    pub fn of(tournament: &Tournament) -> Option<Self> {
        Some(Self {
            result: tournament.result()?,
            defender: tournament.defender(),
            left: tournament.leaves()?,
            ended_unix_us: tournament.state().last_unix_us?,
        })
    }
}

impl Running {
    /// A tournament; `None` before it has begun, and once it is over.
    pub fn of(tournament: &Tournament) -> Option<Self> {
        let state = tournament.state();
        if matches!(state.stage, Stage::Pending {} | Stage::Finished {}) {
            return None;
        }
        Some(Self {
            tournament_id: state.setup.tournament_id.clone(),
            tournament_type: state.setup.tournament_type,
            defender: tournament.defender(),
            last_unix_us: state.last_unix_us?,
        })
    }
}

/// The results of tournaments, in any order; of each type the one that ended last counts, the others are its history.
///
/// `running` tournaments are counted: rules can take one for a type's newest. `now_unix_us` is written where the rules count
/// days, and nowhere else.
///
/// # Errors
/// `Twice`, `UnknownType`, `Champion` where one does not begin with whom the one before it left, `Contradicted` where it does, with
/// other wins or another margin, and `FirstWin` where days count and a defending champion's first win is not given.
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

/// Whether each tournament of a type, the newest first, began with what the one before it left, those that run included.
fn champions(history: &[&Finished], running: &[&Running]) -> Result<(), CollectError> {
    let run = running.iter().filter_map(|later| {
        let earlier = history.first()?;
        let last = later.last_unix_us;
        Some((&later.tournament_id, last, &later.defender, *earlier))
    });
    let over = history.windows(2).map(|pair| {
        let [later, earlier] = [pair[0], pair[1]];
        let last = later.ended_unix_us;
        (&later.result.tournament_id, last, &later.defender, earlier)
    });
    for (tournament_id, last_unix_us, defender, earlier) in run.chain(over) {
        let before = || earlier.result.tournament_id.clone();
        if defender.hotkey != earlier.result.champion {
            return Err(CollectError::Champion {
                tournament_id: tournament_id.clone(),
                began_with: defender.hotkey.clone(),
                last_unix_us,
                before: before(),
                before_unix_us: earlier.ended_unix_us,
                left: earlier.result.champion.clone(),
            });
        }
        if let Some(contradiction) = defender.contradicts(&earlier.left) {
            return Err(CollectError::Contradicted {
                tournament_id: tournament_id.clone(),
                began_with: defender.hotkey.clone(),
                what: contradiction.what,
                found: contradiction.found,
                before: before(),
                left: contradiction.left,
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
        consecutive_wins: latest.left.consecutive_wins,
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
