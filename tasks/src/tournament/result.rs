//! What a tournament comes to: places, and what weights are computed from.

use super::machine::Tournament;
use super::setup::Champion;
use super::state::{Out, OutReason, OutcomeReason};
use crate::weights::{Performance, Results, TournamentType};
use serde::{Deserialize, Serialize};

/// What a tournament that is over comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TournamentResult {
    /// Version of this schema: 1.
    pub version: u32,
    /// Which tournament.
    pub tournament_id: String,
    /// What was competed in.
    pub tournament_type: TournamentType,
    /// By which rules.
    pub rules: String,
    /// Who has the title now: nobody where the boss keeps it and plays for nobody.
    #[serde(deserialize_with = "Option::deserialize")]
    pub champion: Option<String>,
    /// Why.
    pub why: OutcomeReason,
    /// Everybody who has a place, the best first; each entrant is there once.
    pub places: Vec<FinalPlace>,
    /// How many were admitted, as the balancer of emissions counts them.
    pub entrants: u32,
    /// By how much the title was won, as emissions read it.
    pub performance: Performance,
    /// The rounds, as emissions and audit records read them.
    pub results: Results,
}

/// A place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalPlace {
    /// From 1; who is out in the same round for the same reason shares one.
    pub place: u32,
    /// Whose; the burn hotkey where it plays for the champion.
    pub hotkey: String,
    /// Since when he is out; nothing for who has the title, and for the boss.
    #[serde(deserialize_with = "Option::deserialize")]
    pub out: Option<Out>,
}

impl TournamentResult {
    /// The version that is written.
    pub const VERSION: u32 = 1;
}

impl Tournament {
    /// Who defends; `None` where nobody has the title, however often it was kept for nobody.
    pub fn champion(&self) -> Option<&Champion> {
        let champion = self.state.setup.champion.as_ref();
        champion.filter(|champion| champion.hotkey != self.boss())
    }

    /// What it comes to; `None` before it is over.
    pub fn result(&self) -> Option<TournamentResult> {
        let outcome = self.state.outcome.as_ref()?;
        let setup = &self.state.setup;
        let won = outcome.winner != self.boss();
        let performance = match &setup.champion {
            _ if won => Performance::Won {
                difference: outcome.difference,
                burn_account: false,
            },
            Some(before) => Performance::Defended {
                stored_difference: before.stored_difference,
            },
            // Of a type's first tournament the margin counts as it was, whoever won.
            None => Performance::Won {
                difference: outcome.difference.or(Some(self.rules.performance.missing)),
                burn_account: true,
            },
        };
        Some(TournamentResult {
            version: TournamentResult::VERSION,
            tournament_id: setup.tournament_id.clone(),
            tournament_type: setup.tournament_type,
            rules: setup.rules.clone(),
            champion: if won {
                Some(outcome.winner.clone())
            } else {
                self.champion().map(|champion| champion.hotkey.clone())
            },
            why: outcome.why,
            places: self.places(),
            entrants: setup.entrants.len() as u32,
            performance,
            results: self.results(),
        })
    }

    /// Places of those whom the outcome names, then of all others: the later out, the better; copies and the
    /// disqualified behind.
    fn places(&self) -> Vec<FinalPlace> {
        let Some(outcome) = &self.state.outcome else {
            return Vec::new();
        };
        let entrants = &self.state.entrants;
        let out = |hotkey: &str| {
            let entrant = entrants.iter().find(|entrant| entrant.hotkey == hotkey);
            entrant.and_then(|entrant| entrant.out)
        };
        let named = [
            Some(&outcome.winner),
            outcome.second.as_ref(),
            outcome.third.as_ref(),
        ];
        let mut places: Vec<FinalPlace> = Vec::new();
        for hotkey in named.into_iter().flatten() {
            places.push(FinalPlace {
                place: places.len() as u32 + 1,
                hotkey: hotkey.clone(),
                out: out(hotkey),
            });
        }
        let key = |out: &Option<Out>| match out {
            Some(Out { round, why }) => {
                let fair = matches!(why, OutReason::Lost | OutReason::Left);
                (!fair, u32::MAX - round)
            }
            None => (false, 0),
        };
        let unnamed = |hotkey: &String| !places.iter().any(|place| place.hotkey == *hotkey);
        let mut rest: Vec<(&String, Option<Out>)> = entrants
            .iter()
            .filter(|entrant| unnamed(&entrant.hotkey))
            .map(|entrant| (&entrant.hotkey, entrant.out))
            .collect();
        // Stable: who shares a place keeps the order of admission.
        rest.sort_by_key(|(_, out)| key(out));
        for tied in rest.chunk_by(|a, b| key(&a.1) == key(&b.1)) {
            let place = places.len() as u32 + 1;
            places.extend(tied.iter().map(|(hotkey, out)| FinalPlace {
                place,
                hotkey: (*hotkey).clone(),
                out: *out,
            }));
        }
        places
    }
}
