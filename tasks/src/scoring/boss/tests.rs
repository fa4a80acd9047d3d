use super::{Rows, Showing, TaskDecision, TaskReason, decide_task};
use crate::rules::{RuleSet, TaskKind};
use crate::scoring::Verdict;
use crate::scoring::bootstrap::tests::{double, golden, results};
use serde_json::Value;

type Losses = Vec<Option<f64>>;

fn showing(score: f64) -> Showing<'static> {
    Showing {
        score: Some(score),
        rows: None,
    }
}

fn with_rows<'a>(score: f64, losses: &'a Losses, fingerprint: &'a str) -> Showing<'a> {
    Showing {
        score: Some(score),
        rows: Some(Rows {
            losses,
            fingerprint,
        }),
    }
}

fn newest(kind: TaskKind, challenger: &Showing<'_>, boss: &Showing<'_>) -> TaskDecision {
    decide_task(kind, challenger, boss, 1, &RuleSet::newest())
}

fn rows(count: usize, value: impl Fn(usize) -> f64) -> Losses {
    (0..count).map(|row| Some(value(row))).collect()
}

#[test]
fn decisions_by_rows_equal_those_of_numpys_bounds() {
    let golden = golden();
    for case in golden["duels"].as_array().unwrap() {
        let losses =
            |key: &str| -> Losses { case[key].as_array().unwrap().iter().map(double).collect() };
        let (challenger, boss) = (losses("challenger"), losses("boss"));
        for kind in [TaskKind::Instruct, TaskKind::Chat, TaskKind::Dpo] {
            let (challenger, boss) = (with_rows(1.0, &challenger, "s"), with_rows(1.0, &boss, "s"));
            let found = newest(kind, &challenger, &boss);
            let expected: Verdict = serde_json::from_value(case["verdict"].clone()).unwrap();
            assert_eq!(found.verdict, expected, "{}", case["name"]);
            let rows = found.rows.unwrap();
            assert_eq!(rows.gap_lower.map(f64::to_bits), case["gap_lower"].as_u64());
            assert_eq!(
                rows.win_rate_lower.map(f64::to_bits),
                case["win_rate_lower"].as_u64()
            );
        }
    }
}

#[test]
fn each_bar_that_is_missed_is_named() {
    let boss = rows(400, |row| 1.0 + (row % 7) as f64 * 0.1);
    let by = |value: &dyn Fn(usize, f64) -> f64, score: f64| {
        let losses = rows(400, |row| value(row, boss[row].unwrap()));
        let challenger = with_rows(score, &losses, "s");
        let found = newest(TaskKind::Instruct, &challenger, &with_rows(1.3, &boss, "s"));
        (found.verdict, found.reason)
    };
    assert_eq!(
        by(&|_, boss| boss - 0.1, 1.2),
        (Verdict::Challenger, TaskReason::Rows)
    );
    assert_eq!(
        by(&|_, boss| boss - 0.1, 1.3),
        (Verdict::Challenger, TaskReason::Rows),
        "not worse is enough"
    );
    let (challenger, boss_score) = (1.4, 1.3);
    let worse = TaskReason::Score {
        challenger,
        boss: boss_score,
    };
    assert_eq!(
        by(&|_, boss| boss - 0.1, challenger),
        (Verdict::Holder, worse),
        "a KL term outweighs the rows"
    );
    let half = |row: usize, boss: f64| {
        if row.is_multiple_of(2) {
            boss - 5.0
        } else {
            boss + 0.1
        }
    };
    assert_eq!(by(&half, 0.1), (Verdict::Holder, TaskReason::WinRate));
    assert_eq!(
        by(&|_, boss| boss - 0.0101, 1.2),
        (Verdict::Holder, TaskReason::Gap),
        "1 % of the boss's loss is more"
    );
    assert_eq!(
        by(&|_, boss| boss - 0.009, 1.2),
        (Verdict::Draw, TaskReason::AllDrawn)
    );
    assert_eq!(
        by(&|_, boss| boss, 9.0),
        (Verdict::Draw, TaskReason::AllDrawn),
        "all equal"
    );
}

#[test]
fn rows_of_different_sets_leave_the_task_with_the_boss() {
    let (ours, theirs) = (rows(50, |_| 0.5), rows(50, |_| 1.0));
    let short = rows(49, |_| 0.5);
    let boss = with_rows(1.0, &theirs, "s");
    for challenger in [with_rows(0.5, &ours, "t"), with_rows(0.5, &short, "s")] {
        let found = newest(TaskKind::Dpo, &challenger, &boss);
        assert_eq!(found.verdict, Verdict::Holder);
        assert!(
            matches!(found.reason, TaskReason::Incomparable { .. }),
            "{found:?}"
        );
    }
    assert_eq!(
        newest(TaskKind::Dpo, &with_rows(0.5, &ours, "s"), &boss).verdict,
        Verdict::Challenger
    );
    // Where rows do not count, their sets do not either.
    let found = newest(TaskKind::Image, &with_rows(0.5, &ours, "t"), &boss);
    assert_eq!(found.verdict, Verdict::Challenger);
}

#[test]
fn rows_that_are_not_finite_drop_out_on_both_sides() {
    let bad = [
        None,
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(f64::NEG_INFINITY),
    ];
    let mut ours = rows(300, |_| 0.5);
    let mut theirs = rows(300, |_| 1.0);
    ours[..4].copy_from_slice(&bad);
    theirs[296..].copy_from_slice(&bad);
    let found = newest(
        TaskKind::Chat,
        &with_rows(0.5, &ours, "s"),
        &with_rows(1.0, &theirs, "s"),
    );
    assert_eq!(
        (found.verdict, found.rows.unwrap().tally.wins),
        (Verdict::Challenger, 292)
    );
    for empty in [Vec::new(), vec![None; 9], vec![Some(f64::NAN); 9]] {
        let found = newest(
            TaskKind::Chat,
            &with_rows(0.5, &empty, "s"),
            &with_rows(1.0, &empty, "s"),
        );
        // Nothing to compare is not a draw: nothing says that the two are alike.
        assert_eq!(
            (found.verdict, found.reason),
            (Verdict::Holder, TaskReason::NoRows)
        );
    }
    // All zero and negative losses are numbers like others.
    let (zero, negative) = (rows(200, |_| 0.0), rows(200, |_| -1.0));
    let found = newest(
        TaskKind::Chat,
        &with_rows(-1.0, &negative, "s"),
        &with_rows(0.0, &zero, "s"),
    );
    assert_eq!(found.verdict, Verdict::Challenger);
    assert_eq!(found.rows.unwrap().gap_needed, Some(0.01));
}

#[test]
fn a_side_without_a_score_loses_to_one_with_and_the_boss_keeps_what_nobody_has() {
    let bad = [
        None,
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(f64::NEG_INFINITY),
    ];
    for score in bad {
        let failed = Showing { score, rows: None };
        let good = showing(1.0);
        for kind in [TaskKind::Instruct, TaskKind::Grpo, TaskKind::Image] {
            assert_eq!(newest(kind, &good, &failed).verdict, Verdict::Challenger);
            assert_eq!(newest(kind, &failed, &good).verdict, Verdict::Holder);
            let neither = newest(kind, &failed, &failed);
            let (challenger, boss) = (false, false);
            assert_eq!(neither.reason, TaskReason::NoScore { challenger, boss });
            assert_eq!(neither.verdict, Verdict::Holder);
        }
    }
}

#[test]
fn the_margin_is_added_to_the_boss_whatever_its_sign() {
    let takes = |kind, challenger: f64, boss: f64| {
        newest(kind, &showing(challenger), &showing(boss)).verdict == Verdict::Challenger
    };
    for (kind, challenger, boss, expected) in [
        (TaskKind::Image, 0.99, 1.0, true),
        (TaskKind::Image, 0.990_001, 1.0, false),
        (TaskKind::Image, -1.01, -1.0, true),
        (TaskKind::Image, -1.009, -1.0, false),
        (TaskKind::Grpo, 1.01, 1.0, true),
        (TaskKind::Grpo, 1.009, 1.0, false),
        (TaskKind::Grpo, -0.99, -1.0, true),
        (TaskKind::Grpo, -0.991, -1.0, false),
        (TaskKind::Grpo, 0.0, 0.0, true),
        (TaskKind::Grpo, -0.1, 0.0, false),
        // Text whose evaluation recorded no rows.
        (TaskKind::Instruct, 1.98, 2.0, true),
        (TaskKind::Instruct, 1.981, 2.0, false),
    ] {
        assert_eq!(
            takes(kind, challenger, boss),
            expected,
            "{kind:?} {challenger} {boss}"
        );
    }
    let losses = rows(9, |_| 0.0);
    let one_sided = newest(TaskKind::Dpo, &with_rows(0.5, &losses, "s"), &showing(0.6));
    assert!(
        matches!(one_sided.reason, TaskReason::Margin { .. }),
        "{one_sided:?}"
    );
}

#[test]
fn the_older_margin_shrinks_with_every_win_and_rows_do_not_count() {
    let old = RuleSet::named(RuleSet::names()[0]).unwrap();
    let golden = results();
    for case in golden["progressive"].as_array().unwrap() {
        let wins = case[0].as_u64().unwrap() as u32;
        let expected = double(&case[1]).unwrap();
        assert_eq!(
            old.boss_margin(wins).to_bits(),
            expected.to_bits(),
            "{wins} wins"
        );
    }
    assert_eq!(old.boss_margin(u32::MAX), 0.03);
    let takes = |kind, challenger: f64, boss: f64, wins| {
        let found = decide_task(kind, &showing(challenger), &showing(boss), wins, &old);
        found.verdict == Verdict::Challenger
    };
    assert!(takes(TaskKind::Instruct, 0.9, 1.0, 1));
    assert!(!takes(TaskKind::Instruct, 0.91, 1.0, 1));
    assert!(takes(TaskKind::Instruct, 0.91, 1.0, 2));
    assert!(takes(TaskKind::Grpo, 1.1, 1.0, 1) && !takes(TaskKind::Grpo, 1.09, 1.0, 1));
    // It is a multiple of the score, so that a negative boss is beaten by less than itself.
    assert!(takes(TaskKind::Grpo, -1.1, -1.0, 1));
    let (ours, theirs) = (rows(200, |_| 0.95), rows(200, |_| 1.0));
    let (ours, theirs) = (with_rows(0.95, &ours, "s"), with_rows(1.0, &theirs, "s"));
    let found = decide_task(TaskKind::Instruct, &ours, &theirs, 1, &old);
    assert_eq!((found.verdict, found.rows), (Verdict::Holder, None));
    assert_eq!(
        newest(TaskKind::Instruct, &ours, &theirs).verdict,
        Verdict::Challenger
    );
}

#[test]
fn a_decision_survives_being_written_down() {
    let losses = rows(20, |_| 0.5);
    let boss = rows(20, |_| 1.0);
    for decision in [
        newest(
            TaskKind::Chat,
            &with_rows(0.5, &losses, "s"),
            &with_rows(1.0, &boss, "s"),
        ),
        newest(
            TaskKind::Chat,
            &with_rows(0.5, &losses, "s"),
            &with_rows(1.0, &boss, "t"),
        ),
        newest(TaskKind::Grpo, &showing(1.0), &showing(2.0)),
    ] {
        let written = serde_json::to_string(&decision).unwrap();
        let read: TaskDecision = serde_json::from_str(&written).unwrap();
        assert_eq!(read, decision);
        let mut value: Value = serde_json::from_str(&written).unwrap();
        value["more"] = Value::from(1);
        assert!(serde_json::from_value::<TaskDecision>(value).is_err());
    }
}
