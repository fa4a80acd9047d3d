use super::{Degenerate, degenerate};
use crate::rules::{RuleSet, TaskKind};

#[test]
fn the_bounds_of_each_kind_are_the_rules() {
    for name in RuleSet::names() {
        let rules = RuleSet::named(name).unwrap().degenerate;
        let useless = |kind, best: f64| degenerate(kind, &[best + 1.0, best], &rules).is_some();
        for (kind, best, expected) in [
            (TaskKind::Instruct, 0.009, true),
            (TaskKind::Instruct, 0.01, false),
            (TaskKind::Instruct, 0.693, false),
            (TaskKind::Instruct, 2.0, false),
            (TaskKind::Instruct, 2.001, true),
            (TaskKind::Chat, 0.009, true),
            (TaskKind::Chat, 2.5, false),
            (TaskKind::Dpo, 0.049, true),
            (TaskKind::Dpo, 0.05, false),
            (TaskKind::Dpo, 0.679, false),
            (TaskKind::Dpo, 0.68, true),
            (TaskKind::Dpo, 0.71, true),
            (TaskKind::Dpo, 0.711, false),
            (TaskKind::Grpo, 0.0, false),
            (TaskKind::Image, 0.0, false),
        ] {
            assert_eq!(useless(kind, best), expected, "{name}: {kind:?} {best}");
        }
    }
}

#[test]
fn a_task_without_a_finite_score_decides_nothing() {
    let rules = RuleSet::newest().degenerate;
    for scores in [&[][..], &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]] {
        for kind in [TaskKind::Instruct, TaskKind::Grpo, TaskKind::Image] {
            assert_eq!(degenerate(kind, scores, &rules), Some(Degenerate::NoScore));
        }
    }
    let mixed = [f64::NEG_INFINITY, f64::NAN, 1.0];
    assert_eq!(degenerate(TaskKind::Instruct, &mixed, &rules), None);
    let negative = degenerate(TaskKind::Chat, &[-1.0], &rules);
    assert!(matches!(negative, Some(Degenerate::TooLow { .. })));
}
