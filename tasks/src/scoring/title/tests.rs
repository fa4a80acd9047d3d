use super::{RoundTask, TitleOutcome, TitleReason, decide_title};
use crate::rules::{BossRules, RuleSet, TaskKind};
use crate::scoring::Verdict::{self, Challenger, Draw, Holder};

fn newest() -> BossRules {
    RuleSet::newest().boss
}

fn older() -> BossRules {
    RuleSet::named(RuleSet::names()[0]).unwrap().boss
}

fn task(kind: TaskKind, verdict: Verdict) -> RoundTask {
    RoundTask {
        kind,
        lineage: None,
        verdict,
    }
}

fn lineage(name: &str, verdict: Verdict) -> RoundTask {
    RoundTask {
        lineage: Some(name.to_owned()),
        ..task(TaskKind::Chat, verdict)
    }
}

/// Two instruct, DPO, GRPO, and one of continuous SFT at the end.
fn text(verdicts: [Verdict; 5]) -> Vec<RoundTask> {
    let kinds = [
        TaskKind::Instruct,
        TaskKind::Instruct,
        TaskKind::Dpo,
        TaskKind::Grpo,
    ];
    let mut tasks: Vec<_> = kinds
        .into_iter()
        .zip(verdicts)
        .map(|(kind, verdict)| task(kind, verdict))
        .collect();
    tasks.push(lineage("qwen3-14b", verdicts[4]));
    tasks
}

fn plain(kind: TaskKind, verdicts: &[Verdict]) -> Vec<RoundTask> {
    verdicts
        .iter()
        .map(|verdict| task(kind, *verdict))
        .collect()
}

#[test]
fn a_challenger_may_lose_one_task_but_not_the_lineage() {
    let (c, h) = (Challenger, Holder);
    for (verdicts, outcome, reason) in [
        (
            [c, c, c, c, c],
            TitleOutcome::Challenger,
            TitleReason::EnoughWins,
        ),
        (
            [h, c, c, c, c],
            TitleOutcome::Challenger,
            TitleReason::EnoughWins,
        ),
        ([h, h, c, c, c], TitleOutcome::Boss, TitleReason::TooFewWins),
        (
            [c, c, c, c, h],
            TitleOutcome::Boss,
            TitleReason::LineageLost,
        ),
        ([h, h, h, h, h], TitleOutcome::Boss, TitleReason::TooFewWins),
    ] {
        let found = decide_title(&text(verdicts), 5, 0, &newest());
        assert_eq!(
            (found.outcome, found.reason),
            (outcome, reason),
            "{verdicts:?}"
        );
        assert_eq!(found.needed, 4);
    }
    let lost = decide_title(&text([c, c, c, c, h]), 5, 0, &newest());
    assert_eq!(lost.lineages_lost, ["qwen3-14b"]);
}

#[test]
fn drawn_tasks_are_replaced_once_by_their_kind_and_a_lineage_by_instruct() {
    let tasks = text([Draw, Challenger, Draw, Challenger, Draw]);
    let found = decide_title(&tasks, 5, 0, &newest());
    let kinds = vec![TaskKind::Instruct, TaskKind::Dpo, TaskKind::Instruct];
    assert_eq!(
        (found.outcome, found.reason),
        (TitleOutcome::Replace { kinds }, TitleReason::Draws)
    );
    assert_eq!((found.won, found.lost, found.drawn), (2, 0, 3));
    // What is drawn after that leaves the count, and a drawn lineage is satisfied.
    let found = decide_title(&tasks, 5, 1, &newest());
    assert_eq!((found.outcome, found.needed), (TitleOutcome::Challenger, 2));
}

#[test]
fn draws_do_not_lower_the_bar_and_do_not_put_it_out_of_reach() {
    let (c, h, d) = (Challenger, Holder, Draw);
    for (verdicts, expected, needed) in [
        // One left of five: the four that were decided have to be swept.
        ([d, c, c, c, c], TitleOutcome::Challenger, 4),
        ([d, h, c, c, c], TitleOutcome::Boss, 4),
        // Three decided of five: four wins cannot be asked for.
        ([d, d, c, c, c], TitleOutcome::Challenger, 3),
        ([d, d, h, c, c], TitleOutcome::Boss, 3),
        ([d, d, d, d, c], TitleOutcome::Challenger, 1),
        ([d, d, d, d, h], TitleOutcome::Boss, 1),
    ] {
        let found = decide_title(&text(verdicts), 5, 1, &newest());
        assert_eq!(
            (found.outcome, found.needed),
            (expected, needed),
            "{verdicts:?}"
        );
    }
    // With the stand-in decided there are five again, and one may be lost.
    let mut tasks = text([d, h, c, c, c]);
    tasks.push(task(TaskKind::Instruct, c));
    let found = decide_title(&tasks, 5, 1, &newest());
    assert_eq!((found.outcome, found.needed), (TitleOutcome::Challenger, 4));
    let none = decide_title(&text([d; 5]), 5, 1, &newest());
    assert_eq!(
        (none.outcome, none.reason),
        (TitleOutcome::Boss, TitleReason::NothingDecided)
    );
}

#[test]
fn every_lineage_counts_for_itself() {
    let mut tasks = plain(TaskKind::Instruct, &[Challenger; 6]);
    tasks.extend([lineage("a", Challenger), lineage("b", Holder)]);
    let found = decide_title(&tasks, 8, 0, &newest());
    assert_eq!(
        (found.outcome, found.reason),
        (TitleOutcome::Boss, TitleReason::LineageLost)
    );
    assert_eq!(found.lineages_lost, ["b"]);
    tasks.push(lineage("b", Challenger));
    let found = decide_title(&tasks, 9, 0, &newest());
    assert_eq!(
        found.outcome,
        TitleOutcome::Challenger,
        "the last decided task of a lineage speaks for it"
    );
}

#[test]
fn image_rounds_may_lose_one_of_six_and_derive_the_bar_from_what_was_decided() {
    let by = |lost: usize, of: usize| {
        let verdicts: Vec<_> = (0..of)
            .map(|i| if i < lost { Holder } else { Challenger })
            .collect();
        decide_title(&plain(TaskKind::Image, &verdicts), 6, 0, &newest()).outcome
    };
    assert_eq!(by(1, 6), TitleOutcome::Challenger);
    assert_eq!(by(2, 6), TitleOutcome::Boss);
    assert_eq!(
        by(1, 4),
        TitleOutcome::Challenger,
        "without draws the built size does not matter"
    );
    assert_eq!(by(0, 1), TitleOutcome::Challenger);
    assert_eq!(by(1, 1), TitleOutcome::Boss);
    let nothing = decide_title(&[], 6, 0, &newest());
    assert_eq!(
        (nothing.outcome, nothing.reason),
        (TitleOutcome::Boss, TitleReason::NothingDecided)
    );
}

#[test]
fn older_rounds_are_decided_by_a_majority() {
    let by = |won: usize, of: usize| {
        let verdicts: Vec<_> = (0..of)
            .map(|i| if i < won { Challenger } else { Holder })
            .collect();
        decide_title(&plain(TaskKind::Dpo, &verdicts), of, 0, &older()).outcome
    };
    for (won, of, outcome) in [
        (4, 6, TitleOutcome::Challenger),
        (3, 6, TitleOutcome::Boss),
        (3, 5, TitleOutcome::Challenger),
        (2, 5, TitleOutcome::Boss),
        (1, 1, TitleOutcome::Challenger),
        (0, 0, TitleOutcome::Boss),
    ] {
        assert_eq!(by(won, of), outcome, "{won} of {of}");
    }
    // No lineages and no replacements then.
    let mut tasks = plain(TaskKind::Dpo, &[Challenger; 4]);
    tasks.extend([lineage("a", Holder), task(TaskKind::Chat, Draw)]);
    assert_eq!(
        decide_title(&tasks, 6, 0, &older()).outcome,
        TitleOutcome::Challenger
    );
}

#[test]
fn a_decision_survives_being_written_down() {
    for tasks in [text([Draw; 5]), text([Challenger; 5]), Vec::new()] {
        let decision = decide_title(&tasks, 5, 0, &newest());
        let written = serde_json::to_string(&decision).unwrap();
        assert_eq!(
            serde_json::from_str::<super::TitleDecision>(&written).unwrap(),
            decision
        );
    }
}
