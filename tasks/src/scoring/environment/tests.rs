use super::{
    AdvanceReason, EnvironmentScores, FinalReason, FinalStart, FinalTask, Games, StandingError,
    advancing, decide_final, quantiles, standings, win_shares,
};
use crate::rules::{EnvironmentRules, RuleSet};
use crate::scoring::Verdict;
use crate::scoring::bootstrap::tests::{double, results};
use serde_json::Value;

fn rules() -> EnvironmentRules {
    RuleSet::newest().environment.unwrap()
}

fn optional(value: &Value) -> Vec<Option<f64>> {
    value.as_array().unwrap().iter().map(double).collect()
}

fn scored(environment: usize, scores: Vec<Option<f64>>) -> EnvironmentScores {
    EnvironmentScores {
        environment: format!("environment {environment}"),
        scores,
    }
}

fn games(value: &Value) -> Games {
    let number = |index: usize| value[index].as_u64().unwrap();
    Games {
        first: number(0) as usize,
        second: number(1) as usize,
        first_wins: number(2) as u32,
        second_wins: number(3) as u32,
        draws: number(4) as u32,
    }
}

#[test]
fn shares_standings_and_who_goes_on_equal_those_of_the_definition() {
    let golden = results();
    let cases = golden["groups"].as_array().unwrap();
    assert_eq!(cases.len(), 160);
    let mut empty = 0;
    for case in cases {
        let expected = optional(&case["standing"]);
        let entrants = expected.len();
        let environments: Vec<_> = case["environments"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .map(|(index, input)| {
                let found = match input.get("games") {
                    Some(list) => {
                        let list: Vec<_> = list.as_array().unwrap().iter().map(games).collect();
                        win_shares(entrants, &list).unwrap()
                    }
                    None => optional(&input["scores"]),
                };
                assert_eq!(found, optional(&input["shares"]), "{case}");
                scored(index, found)
            })
            .collect();
        let found = standings(&environments, entrants, &rules()).unwrap();
        let found: Vec<_> = found.into_iter().map(Some).collect();
        assert_eq!(found, expected, "{case}");
        let boss = case["boss"].as_u64().map(|boss| boss as usize);
        let mut going = advancing(&optional(&case["seen"]), boss, &rules()).indices;
        empty += usize::from(going.is_empty());
        going.sort_unstable();
        let expected: Vec<_> = case["going"].as_array().unwrap().iter().collect();
        assert_eq!(
            serde_json::json!(going),
            serde_json::json!(expected),
            "{case}"
        );
    }
    assert!((20..140).contains(&empty), "{empty} groups send nobody on");
}

#[test]
fn ties_share_their_quantile() {
    assert_eq!(quantiles(&[0.1, 0.2, 0.3], 0.5), [0.0, 0.5, 1.0]);
    assert_eq!(quantiles(&[0.5, 0.9, 0.5], 0.5), [0.25, 1.0, 0.25]);
    assert_eq!(
        quantiles(&[0.0, -0.0, 0.0], 0.5),
        [0.5; 3],
        "all equal, all zero"
    );
    assert_eq!(quantiles(&[0.42], 0.5), [0.5]);
    assert!(quantiles(&[], 0.5).is_empty());
}

#[test]
fn who_did_not_play_counts_as_zero() {
    let shares = win_shares(
        3,
        &[Games {
            first: 0,
            second: 1,
            first_wins: 3,
            second_wins: 0,
            draws: 1,
        }],
    );
    let shares = shares.unwrap();
    assert_eq!(shares, [Some(0.875), Some(0.125), None]);
    let found = standings(&[scored(0, shares)], 3, &rules()).unwrap();
    assert_eq!(found, [1.0, 0.5, 0.0]);
    assert_eq!(
        standings(&[scored(0, vec![None; 4])], 4, &rules()).unwrap(),
        [0.5; 4]
    );
    assert!(
        standings(&[scored(0, Vec::new())], 0, &rules())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn those_who_tie_go_on_together_but_not_past_the_boss() {
    let reason = |scores: &[Option<f64>], boss| {
        let advance = advancing(scores, boss, &rules());
        (advance.indices, advance.reason)
    };
    let some = |scores: &[f64]| scores.iter().copied().map(Some).collect::<Vec<_>>();
    assert_eq!(
        reason(&some(&[0.2, 0.9, 0.9]), None),
        (vec![1, 2], AdvanceReason::Tied)
    );
    assert_eq!(
        reason(&some(&[0.2, 0.9, 0.9]), Some(0)),
        (vec![1, 2], AdvanceReason::Tied)
    );
    assert_eq!(
        reason(&some(&[0.9, 0.9, 0.1]), Some(0)),
        (vec![], AdvanceReason::BossUnbeaten)
    );
    assert_eq!(
        reason(&some(&[0.4, 0.9, 0.1]), Some(0)),
        (vec![1], AdvanceReason::Best)
    );
    assert_eq!(reason(&some(&[0.4]), None), (vec![0], AdvanceReason::Best));
    assert_eq!(
        reason(&some(&[0.4]), Some(0)),
        (vec![], AdvanceReason::NobodyScored)
    );
    assert_eq!(reason(&[], None), (vec![], AdvanceReason::NobodyScored));
    // A boss that failed is beaten by whoever has a score; who failed does not go on.
    let broken = [None, Some(0.0), Some(f64::NAN), Some(f64::INFINITY)];
    assert_eq!(reason(&broken, Some(0)), (vec![1], AdvanceReason::Best));
    assert_eq!(
        reason(&broken, Some(9)),
        (vec![1], AdvanceReason::Best),
        "not in this group"
    );
    let wide = EnvironmentRules {
        advance: 2,
        ..rules()
    };
    let advance = advancing(&some(&[0.9, 0.5, 0.5, 0.1]), None, &wide);
    assert_eq!(advance.indices, [0, 1, 2]);
    let advance = advancing(&some(&[0.9, 0.5]), None, &wide);
    assert_eq!(advance.indices, [0], "somebody drops out");
}

#[test]
fn scores_that_are_no_groups_are_named() {
    let error =
        |environments: &[EnvironmentScores]| standings(environments, 2, &rules()).unwrap_err();
    assert_eq!(error(&[]), StandingError::NoEnvironment);
    let two = || scored(0, vec![Some(1.0), Some(0.0)]);
    assert!(matches!(
        error(&[two(), two()]),
        StandingError::Twice { .. }
    ));
    let short = error(&[two(), scored(1, vec![Some(1.0)])]);
    assert!(matches!(
        short,
        StandingError::Entrants {
            found: 1,
            expected: 2,
            ..
        }
    ));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = error(&[scored(0, vec![None, Some(bad)])]);
        assert!(
            matches!(error, StandingError::NotFinite { entrant: 1, .. }),
            "{error}"
        );
    }
    for (first, second) in [(0, 0), (0, 2), (2, 1)] {
        let game = Games {
            first,
            second,
            first_wins: 1,
            second_wins: 0,
            draws: 0,
        };
        assert!(matches!(
            win_shares(2, &[game]),
            Err(StandingError::Pair { .. })
        ));
    }
    let most = Games {
        first: 0,
        second: 1,
        first_wins: u32::MAX,
        second_wins: u32::MAX,
        draws: u32::MAX,
    };
    assert_eq!(win_shares(2, &[most, most]).unwrap(), [Some(0.5); 2]);
}

fn final_of(scores: [(Option<f64>, Option<f64>); 3]) -> Vec<FinalTask> {
    let starts = [
        FinalStart::Continuation,
        FinalStart::FromScratch,
        FinalStart::PreviousWinner,
    ];
    let environments = ["othello", "gin_rummy", "swe_infinite"];
    scores
        .into_iter()
        .zip(starts.into_iter().zip(environments))
        .map(|((challenger, boss), (start, environment))| FinalTask {
            start,
            environments: vec![environment.to_owned()],
            challenger,
            boss,
        })
        .collect()
}

#[test]
fn a_final_is_won_without_a_loss_and_with_a_tie_at_least_on_the_required_task() {
    let (win, lose, tie) = (
        (Some(1.0), Some(0.0)),
        (Some(0.0), Some(1.0)),
        (Some(0.5), Some(0.5)),
    );
    for (scores, verdict, reason) in [
        ([win, win, win], Verdict::Challenger, FinalReason::Unbeaten),
        ([tie, tie, tie], Verdict::Challenger, FinalReason::Unbeaten),
        ([win, tie, tie], Verdict::Challenger, FinalReason::Unbeaten),
        ([win, win, lose], Verdict::Holder, FinalReason::TaskLost),
        ([lose, win, win], Verdict::Holder, FinalReason::TaskLost),
        (
            [win, win, (None, Some(0.5))],
            Verdict::Holder,
            FinalReason::NoScore,
        ),
        (
            [win, win, (Some(f64::NAN), None)],
            Verdict::Holder,
            FinalReason::NoScore,
        ),
        (
            [win, win, (Some(0.0), None)],
            Verdict::Challenger,
            FinalReason::Unbeaten,
        ),
        (
            [win, win, (Some(0.1), Some(f64::INFINITY))],
            Verdict::Challenger,
            FinalReason::Unbeaten,
        ),
        (
            [win, win, (Some(-0.1), None)],
            Verdict::Holder,
            FinalReason::TaskLost,
        ),
    ] {
        let found = decide_final(&final_of(scores), &rules());
        assert_eq!(
            (found.verdict, found.reason),
            (verdict, reason),
            "{scores:?}"
        );
    }
    let counted = decide_final(&final_of([win, lose, tie]), &rules());
    assert_eq!((counted.won, counted.lost, counted.drawn), (1, 1, 1));
    let tasks = &final_of([win, win, win])[..2];
    let without = decide_final(tasks, &rules());
    assert_eq!(
        (without.verdict, without.reason),
        (Verdict::Holder, FinalReason::NoRequiredTask)
    );
    assert_eq!(
        decide_final(&[], &rules()).reason,
        FinalReason::NoRequiredTask
    );
}
