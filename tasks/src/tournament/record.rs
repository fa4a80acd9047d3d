//! The rounds of a tournament as audit records have them.
//!
//! | of a task | what is recorded |
//! |---|---|
//! | `quality_score` | points of the ranking; where the rules record verdicts, the first's points for who took a task of a boss round or won a pair, and 0 for the other |
//! | `winner` | who has the most of them, if they are above 0 |
//! | `test_loss`, `synth_loss` | what ranked, twice: one set is evaluated |
//! | `score_reason` | a word on the points |

use super::machine::Tournament;
use super::state::{Contestant, Decision, Evaluation, Round, Task};
use crate::rules::{RankShares, RecordedScores};
use crate::scoring::Verdict;
use crate::scoring::ranking::{Entry, rank};
use crate::weights::results::{Positions, RoundTask};
use crate::weights::{Results, results};
use serde_json::{Map, Value};

/// Points of a contestant, and why he has them.
struct Points {
    points: f64,
    reason: &'static str,
}

impl Tournament {
    /// The rounds as an audit record has them. Records of rules that pay by points have no positions, nor have those of
    /// tournaments without a boss round.
    pub(super) fn results(&self) -> Results {
        let setup = &self.state.setup;
        let outcome = self.state.outcome.as_ref();
        let positions = outcome.and_then(|outcome| {
            let by_position = matches!(self.rules.emission.ranks, RankShares::Positions { .. });
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
            let (winner, participant_scores) = self.scores(task);
            RoundTask {
                task_id: built.map_or_else(String::new, |built| built.task_id.clone()),
                group_id: (!pairs).then(|| place("group")),
                pair_id: pairs.then(|| place("pair")),
                winner,
                participant_scores,
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

    /// Who has the most points of a task, if they are above 0, and everybody's scores in the order of contestants.
    fn scores(&self, task: &Task) -> (Option<String>, Vec<Map<String, Value>>) {
        let rankings = match &task.decision {
            Some(Decision::Standings { scores }) => scores.clone(),
            _ => task.rankings(),
        };
        let mut points = self.ranking_points(task, &rankings);
        let taker = match self.rules.boss.recorded {
            RecordedScores::Ranking => None,
            RecordedScores::Verdicts => self.taker(task, &rankings),
        };
        if let Some(taker) = taker {
            for (index, points) in points.iter_mut().enumerate() {
                *points = match index == taker {
                    true => Points {
                        points: self.rules.ranking.points_first,
                        reason: "won",
                    },
                    false => Points {
                        points: 0.0,
                        reason: "lost",
                    },
                };
            }
        }
        let most = points
            .iter()
            .map(|points| points.points)
            .fold(0.0, f64::max);
        let first = points.iter().position(|points| points.points == most);
        let winner = first.filter(|_| most > 0.0);
        let winner = winner.map(|index| task.contestants[index].hotkey.clone());
        let score = |((contestant, ranking), points): ((&Contestant, &Option<f64>), Points)| {
            let reason = match &contestant.evaluation {
                Evaluation::Invalid { why } => serde_json::to_value(why).unwrap_or(Value::Null),
                Evaluation::Waiting {} => "not_trained".into(),
                Evaluation::Scored { .. } => points.reason.into(),
            };
            let fields = [
                ("hotkey", contestant.hotkey.clone().into()),
                ("quality_score", points.points.into()),
                ("test_loss", (*ranking).into()),
                ("synth_loss", (*ranking).into()),
                ("score_reason", reason),
            ];
            fields
                .map(|(key, value)| (key.to_owned(), value))
                .into_iter()
                .collect()
        };
        let contestants = task.contestants.iter().zip(&rankings);
        (winner, contestants.zip(points).map(score).collect())
    }

    fn ranking_points(&self, task: &Task, rankings: &[Option<f64>]) -> Vec<Points> {
        let rules = &self.rules.ranking;
        let higher = task.plan.higher_is_better();
        let entry = |ranking: &Option<f64>| Entry {
            loss: ranking.map(|ranking| if higher { -ranking } else { ranking }),
            is_finetune: true,
        };
        let entries: Vec<Entry> = rankings.iter().map(entry).collect();
        let mut points: Vec<Points> = Vec::new();
        points.resize_with(entries.len(), || Points {
            points: 0.0,
            reason: "below_first",
        });
        for (position, standing) in rank(&entries, rules).into_iter().enumerate() {
            let of = &mut points[standing.entry];
            of.points = standing.points;
            if position == 0 {
                of.reason = "first";
            } else if standing.points == rules.points_last {
                of.reason = "last";
            }
        }
        points
    }

    /// Whose a task of a boss round or a pair is, by index, where both sides have a score; a drawn one is the boss's.
    fn taker(&self, task: &Task, rankings: &[Option<f64>]) -> Option<usize> {
        if rankings.iter().any(Option::is_none) {
            return None;
        }
        let mut contestants = task.contestants.iter();
        match task.decision.as_ref()? {
            Decision::Boss { decision } => {
                let challenger = decision.verdict == Verdict::Challenger;
                contestants.position(|contestant| (contestant.hotkey == self.boss()) != challenger)
            }
            Decision::Pair { winner, .. } => {
                contestants.position(|contestant| Some(&contestant.hotkey) == winner.as_ref())
            }
            Decision::Ranking { .. } | Decision::Standings { .. } => None,
        }
    }
}
