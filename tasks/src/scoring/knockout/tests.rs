use super::{Contender, KnockoutReason, decide_knockout};
use crate::rules::{RuleSet, TaskKind};
use crate::scoring::boss::{Rows, Showing};

type Losses = Vec<Option<f64>>;

fn contender<'a>(
    hotkey: &'a str,
    score: f64,
    losses: Option<&'a Losses>,
    set: &'a str,
) -> Contender<'a> {
    let rows = losses.map(|losses| Rows {
        losses,
        fingerprint: set,
    });
    let showing = Showing {
        score: Some(score),
        rows,
    };
    Contender {
        hotkey,
        showing,
        is_finetune: true,
    }
}

fn decide(kind: TaskKind, pair: [&Contender<'_>; 2]) -> (Option<usize>, KnockoutReason) {
    let found = decide_knockout(kind, pair, &RuleSet::newest());
    // Whoever is named first, the same one goes on.
    let swapped = decide_knockout(kind, [pair[1], pair[0]], &RuleSet::newest());
    assert_eq!(found.winner.map(|index| 1 - index), swapped.winner);
    assert_eq!(found.reason, swapped.reason);
    (found.winner, found.reason)
}

fn losses(values: &[f64]) -> Losses {
    values.iter().copied().map(Some).collect()
}

#[test]
fn more_rows_win_unless_the_ranking_says_otherwise() {
    let (a, b) = (losses(&[1.0, 1.0, 5.0]), losses(&[1.1, 1.1, 1.0]));
    let by = |first: f64, second: f64| {
        let pair = [
            contender("a", first, Some(&a), "s"),
            contender("b", second, Some(&b), "s"),
        ];
        decide(TaskKind::Instruct, [&pair[0], &pair[1]])
    };
    assert_eq!(by(1.0, 2.0), (Some(0), KnockoutReason::Rows));
    assert_eq!(
        by(2.0, 2.0),
        (Some(0), KnockoutReason::Rows),
        "not worse is enough"
    );
    assert_eq!(by(2.1, 2.0), (Some(1), KnockoutReason::ScoreOverRows));
}

#[test]
fn even_rows_go_to_the_better_score_then_to_the_first_hotkey() {
    let (a, b) = (losses(&[1.0, 2.0, 3.0]), losses(&[2.0, 1.0, 3.009]));
    let by = |first: f64, second: f64| {
        let pair = [
            contender("b", first, Some(&a), "s"),
            contender("a", second, Some(&b), "s"),
        ];
        decide(TaskKind::Dpo, [&pair[0], &pair[1]])
    };
    assert_eq!(by(1.0, 2.0), (Some(0), KnockoutReason::EvenRows));
    assert_eq!(by(2.0, 1.0), (Some(1), KnockoutReason::EvenRows));
    assert_eq!(
        by(1.0, 1.0),
        (Some(1), KnockoutReason::EvenRows),
        "hotkey a sorts first"
    );
}

#[test]
fn rows_that_cannot_be_compared_leave_the_score() {
    let (a, short) = (losses(&[1.0, 1.0]), losses(&[9.0]));
    let none = vec![None, Some(f64::NAN)];
    let better = contender("a", 1.0, Some(&a), "s");
    for (other, reason) in [
        (
            contender("b", 0.5, Some(&a), "t"),
            KnockoutReason::IncomparableRows,
        ),
        (
            contender("b", 0.5, Some(&short), "s"),
            KnockoutReason::IncomparableRows,
        ),
        (contender("b", 0.5, None, "s"), KnockoutReason::Score),
        (
            contender("b", 0.5, Some(&none), "s"),
            KnockoutReason::EvenRows,
        ),
    ] {
        assert_eq!(decide(TaskKind::Chat, [&better, &other]), (Some(1), reason));
    }
    let empty = Vec::new();
    let pair = [
        contender("a", 1.0, Some(&empty), "s"),
        contender("b", 0.5, Some(&empty), "s"),
    ];
    assert_eq!(
        decide(TaskKind::Chat, [&pair[0], &pair[1]]),
        (Some(1), KnockoutReason::EvenRows)
    );
}

#[test]
fn only_who_is_valid_goes_on() {
    let good = contender("b", 9.0, None, "s");
    for score in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let bad = contender("a", score, None, "s");
        assert_eq!(
            decide(TaskKind::Image, [&bad, &good]),
            (Some(1), KnockoutReason::OnlyValid)
        );
        assert_eq!(
            decide(TaskKind::Image, [&bad, &bad]).1,
            KnockoutReason::NobodyValid
        );
    }
    let copied = Contender {
        is_finetune: false,
        ..contender("a", 0.1, None, "s")
    };
    assert_eq!(
        decide(TaskKind::Instruct, [&copied, &good]),
        (Some(1), KnockoutReason::OnlyValid)
    );
    let missing = Contender {
        showing: Showing {
            score: None,
            rows: None,
        },
        ..good
    };
    let found = decide_knockout(TaskKind::Grpo, [&missing, &copied], &RuleSet::newest());
    assert_eq!(
        (found.winner, found.reason),
        (None, KnockoutReason::NobodyValid)
    );
}

#[test]
fn more_is_better_where_the_kind_says_so_and_rows_never_count_there() {
    let (a, b) = (losses(&[1.0]), losses(&[2.0]));
    let pair = [
        contender("a", 0.2, Some(&a), "s"),
        contender("b", 0.9, Some(&b), "s"),
    ];
    assert_eq!(
        decide(TaskKind::Grpo, [&pair[0], &pair[1]]),
        (Some(1), KnockoutReason::Score)
    );
    assert_eq!(
        decide(TaskKind::Image, [&pair[0], &pair[1]]),
        (Some(0), KnockoutReason::Score)
    );
    // Negative rewards are rewards.
    let pair = [
        contender("a", -0.2, None, "s"),
        contender("b", -0.9, None, "s"),
    ];
    assert_eq!(
        decide(TaskKind::Grpo, [&pair[0], &pair[1]]),
        (Some(0), KnockoutReason::Score)
    );
}

#[test]
fn the_older_rules_look_at_scores_alone() {
    let old = RuleSet::named(RuleSet::names()[0]).unwrap();
    let (a, b) = (losses(&[1.0, 1.0, 5.0]), losses(&[1.1, 1.1, 1.0]));
    let pair = [
        contender("a", 2.3, Some(&a), "s"),
        contender("b", 1.06, Some(&b), "s"),
    ];
    let found = decide_knockout(TaskKind::Instruct, [&pair[0], &pair[1]], &old);
    assert_eq!(
        (found.winner, found.reason, found.tally),
        (Some(1), KnockoutReason::Score, None)
    );
}
