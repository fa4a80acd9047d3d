//! What a tournament comes to: places, and what weights are computed from.

use super::machine::Tournament;
use super::setup::Champion;
use super::state::{Contestant, Decision, Evaluation, Out, OutReason, OutcomeReason, Round, Task};
use crate::scoring::Verdict;
use crate::scoring::ranking::{Entry, rank};
use crate::weights::results::{Positions, RoundTask};
use crate::weights::{Performance, Results, TournamentType, results};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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

    /// The rounds as an audit record has them. Records of rules that pay by points have no positions, nor have those of
    /// tournaments without a boss round.
    fn results(&self) -> Results {
        let setup = &self.state.setup;
        let outcome = self.state.outcome.as_ref();
        let positions = outcome.and_then(|outcome| {
            let by_position = matches!(
                self.rules.emission.ranks,
                crate::rules::RankShares::Positions { .. }
            );
            outcome.challenger.as_ref().filter(|_| by_position)?;
            let named = [
                Some(&outcome.winner),
                outcome.second.as_ref(),
                outcome.third.as_ref(),
            ];
            let places = named.into_iter().zip(1u32..);
            let places = places.filter_map(|(hotkey, place)| Some((hotkey?.clone(), place)));
            Some(Positions(places.collect()))
        });
        Results {
            tournament_id: setup.tournament_id.clone(),
            rounds: self
                .state
                .rounds
                .iter()
                .map(|round| self.round(round))
                .collect(),
            base_winner_hotkey: self.champion().map(|champion| champion.hotkey.clone()),
            winner_hotkey: outcome.map(|outcome| outcome.winner.clone()),
            final_positions: positions,
        }
    }

    fn round(&self, round: &Round) -> results::Round {
        let id = format!(
            "{}_round_{:03}",
            self.state.setup.tournament_id, round.number
        );
        let task = |task: &Task| {
            let built = task.built.as_ref();
            let place = |what: &str| format!("{id}_{what}_{:03}", task.place);
            let pairs = round.kind.is_pairs();
            RoundTask {
                task_id: built.map_or_else(String::new, |built| built.task_id.clone()),
                group_id: (!pairs).then(|| place("group")),
                pair_id: pairs.then(|| place("pair")),
                winner: self.task_winner(task),
                participant_scores: self.scores(task),
            }
        };
        results::Round {
            round_number: round.number,
            round_type: if round.kind.is_pairs() {
                "knockout"
            } else {
                "group"
            }
            .to_owned(),
            is_final_round: round.kind.is_final(),
            tasks: self.tasks_of(round.number).map(task).collect(),
            round_id: id,
        }
    }

    /// Who won a task: the best of a group, the winner of a pair, and of a task of the boss round whoever has it; a drawn
    /// one is the boss's.
    fn task_winner(&self, task: &Task) -> Option<String> {
        match task.decision.as_ref()? {
            Decision::Ranking { order, .. } => order.first().cloned(),
            Decision::Pair { winner, .. } => winner.clone(),
            Decision::Boss { decision } => {
                let challenger = decision.verdict == Verdict::Challenger;
                let hotkeys = task.contestants.iter().map(|c| c.hotkey.as_str());
                let mut found = hotkeys.filter(|hotkey| (*hotkey == self.boss()) != challenger);
                found.next().map(str::to_owned)
            }
            Decision::Standings { scores } => {
                let best = scores.iter().flatten().copied().fold(None, |best, score| {
                    Some(best.map_or(score, |best: f64| best.max(score)))
                })?;
                let first = scores.iter().position(|score| *score == Some(best))?;
                Some(task.contestants[first].hotkey.clone())
            }
        }
    }

    /// Points and numbers that rank, of all who played, in the order of contestants.
    fn scores(&self, task: &Task) -> Vec<Map<String, Value>> {
        let rankings = match &task.decision {
            Some(Decision::Standings { scores }) => scores.clone(),
            _ => task.rankings(),
        };
        let higher = task.plan.higher_is_better();
        let entry = |ranking: &Option<f64>| Entry {
            loss: ranking.map(|ranking| if higher { -ranking } else { ranking }),
            is_finetune: true,
        };
        let entries: Vec<Entry> = rankings.iter().map(entry).collect();
        let mut points = vec![0.0; entries.len()];
        for standing in rank(&entries, &self.rules.ranking) {
            points[standing.entry] = standing.points;
        }
        let score = |((contestant, ranking), points): ((&Contestant, &Option<f64>), f64)| {
            let mut score = Map::new();
            score.insert("hotkey".to_owned(), contestant.hotkey.clone().into());
            score.insert("quality_score".to_owned(), points.into());
            score.insert("test_loss".to_owned(), (*ranking).into());
            if let Evaluation::Invalid { why } = &contestant.evaluation {
                let why = serde_json::to_value(why).unwrap_or(Value::Null);
                score.insert("score_reason".to_owned(), why);
            }
            score
        };
        let contestants = task.contestants.iter().zip(&rankings);
        contestants.zip(points).map(score).collect()
    }
}
