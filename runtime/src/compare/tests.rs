use super::{Against, Comparison};
use crate::testing::{evaluation, failed, scored};
use gradus_tasks::RuleSet;

#[test]
fn the_best_is_compared_with_every_other_scored_candidate() {
    let evaluation = evaluation(vec![
        scored("worse", &[1.5, 2.5, 3.5, 4.0]),
        scored("best", &[1.0, 2.0, 3.0, 4.005]),
        failed("broken"),
    ]);
    let rules = RuleSet::newest();
    let comparison = Comparison::new(&evaluation, &rules);
    assert_eq!(comparison.best, Some(1));
    let (duel, bounds) = comparison.bounds(0).unwrap();
    assert_eq!(
        (duel.tally.wins, duel.tally.losses, duel.tally.draws),
        (3, 0, 1)
    );
    assert!(bounds.gap_lower > 0.0);
    assert!(comparison.against[1].is_none() && comparison.against[2].is_none());
    let mirrored = comparison.tallies[0][1].unwrap();
    assert_eq!((mirrored.wins, mirrored.losses), (0, 3));
    assert!(comparison.tallies[2][0].is_none());
    let places: Vec<_> = comparison
        .standings
        .iter()
        .map(|s| (s.entry, s.place))
        .collect();
    assert_eq!(places, [(1, Some(1)), (0, Some(2)), (2, None)]);
}

#[test]
fn candidates_of_different_sets_are_ranked_but_not_compared() {
    let mut evaluation = evaluation(vec![scored("a", &[1.0, 2.0]), scored("b", &[1.0, 3.0])]);
    if let gradus_evaluators::CandidateResult::Scored(score) = &mut evaluation.candidates[1].result
    {
        score.eval_set_fingerprint = "another".to_owned();
    }
    let rules = RuleSet::newest();
    let comparison = Comparison::new(&evaluation, &rules);
    assert!(matches!(
        &comparison.against[1],
        Some(Against::Incomparable(_))
    ));
    let record = comparison.record();
    assert!(record.ranking[1].versus_best.is_none());
    assert!(
        record.ranking[1]
            .not_compared
            .as_ref()
            .unwrap()
            .contains("fingerprint")
    );
}

#[test]
fn a_model_that_is_no_fine_tune_does_not_lead() {
    let mut evaluation = evaluation(vec![
        scored("base", &[0.5, 0.5]),
        scored("tuned", &[1.0, 1.0]),
    ]);
    if let gradus_evaluators::CandidateResult::Scored(score) = &mut evaluation.candidates[0].result
    {
        score.is_finetune = false;
    }
    let rules = RuleSet::newest();
    let comparison = Comparison::new(&evaluation, &rules);
    assert_eq!(comparison.best, Some(1));
    assert_eq!(comparison.record().ranking[1].place, None);
}
