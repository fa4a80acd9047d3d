//! Fields of every size come to the rounds that they should.

use super::play::{NEW, OLD, by_number, never, play, rules, setup};
use crate::tournament::*;
use crate::weights::TournamentType;

/// Kinds of the rounds of a field in which everybody trains and the lower number is the better, and sizes of places.
fn rounds(
    name: &str,
    tournament_type: TournamentType,
    entrants: usize,
) -> Vec<(RoundKind, Vec<usize>)> {
    let rules = rules(name);
    let setup = setup(&rules, tournament_type, entrants, entrants as u64);
    let mut tournament = Tournament::new(setup, rules).unwrap();
    play(&mut tournament, &by_number, &never);
    let result = tournament.result().unwrap();
    assert_eq!(result.places[0].hotkey, "m000", "{entrants}");
    assert_eq!(result.why, OutcomeReason::Challenger);
    let rounds = tournament.state().rounds.iter();
    rounds
        .map(|round| (round.kind, round.places.iter().map(Vec::len).collect()))
        .collect()
}

#[test]
fn text_fields_come_to_the_rounds_of_their_size() {
    use RoundKind::{Boss, Group, Knockout, LastKnockout, SmallField};
    let of = |entrants| rounds(NEW, TournamentType::Text, entrants);
    // Fewer than a small field: pairs, and the boss makes them even.
    assert_eq!(of(1), [(LastKnockout, vec![2]), (Boss, vec![2])]);
    assert_eq!(of(2), [(LastKnockout, vec![2]), (Boss, vec![2])]);
    for small in [3, 8, 14] {
        let expected = [
            (SmallField, vec![small]),
            (LastKnockout, vec![2]),
            (Boss, vec![2]),
        ];
        assert_eq!(of(small), expected);
    }
    let knockouts = [
        (Knockout, vec![2; 4]),
        (Knockout, vec![2; 2]),
        (LastKnockout, vec![2]),
        (Boss, vec![2]),
    ];
    for (entrants, groups) in [(15, vec![15]), (33, vec![33]), (39, vec![39])] {
        let rounds = of(entrants);
        assert_eq!(rounds[0], (Group, groups));
        assert_eq!(rounds[1..], knockouts);
    }
    let rounds = of(41);
    assert_eq!(rounds[0], (Group, vec![21, 20]));
    assert_eq!(rounds[1], (Group, vec![16]));
    assert_eq!(rounds[2..], knockouts);
    assert_eq!(of(100)[0], (Group, vec![25; 4]));
}

#[test]
fn older_rules_play_pairs_up_to_fourteen() {
    use RoundKind::{Boss, Group, Knockout, LastKnockout};
    let of = |entrants| rounds(OLD, TournamentType::Text, entrants);
    let thirteen = of(13);
    assert_eq!(thirteen[0], (Knockout, vec![2; 7]));
    assert_eq!(thirteen.last().unwrap(), &(Boss, vec![2]));
    assert_eq!(of(15)[0], (Group, vec![15]));
    assert!(of(14).contains(&(LastKnockout, vec![2])));
}

#[test]
fn environment_fields_come_to_groups_with_the_boss_in_a_smallest_one() {
    use RoundKind::{EnvironmentFinal, EnvironmentGroup};
    let of = |entrants| rounds(NEW, TournamentType::Environment, entrants);
    assert_eq!(of(1), [(EnvironmentFinal, vec![2])]);
    // Six and the boss in groups of four at most are two of three, the boss in the first.
    assert_eq!(of(6)[0], (EnvironmentGroup, vec![4, 3]));
    // Eight and the boss in groups of five at most.
    assert_eq!(of(8)[0], (EnvironmentGroup, vec![5, 4]));
    for entrants in [5, 9, 23, 60] {
        let rounds = of(entrants);
        assert_eq!(
            rounds.last().unwrap(),
            &(EnvironmentFinal, vec![2]),
            "{entrants}"
        );
        for (kind, sizes) in &rounds {
            let largest = if *kind == EnvironmentFinal { 2 } else { 5 };
            assert!(
                sizes.iter().all(|size| (2..=largest).contains(size)),
                "{entrants}: {sizes:?}"
            );
        }
    }
}

#[test]
fn draws_follow_from_the_seed_alone() {
    let rules = rules(NEW);
    let drawn = |seed| {
        let setup = setup(&rules, TournamentType::Text, 50, seed);
        let mut tournament = Tournament::new(setup, rules.clone()).unwrap();
        play(&mut tournament, &by_number, &|t| {
            t.state().rounds.len() == 3
        });
        let state = tournament.state();
        (
            state.rounds[0].places.clone(),
            state.rounds[2].places.clone(),
        )
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn tasks_are_those_of_the_rules() {
    let rules = rules(NEW);
    let plans = |tournament_type, entrants, seed| {
        let setup = setup(&rules, tournament_type, entrants, seed);
        let mut tournament = Tournament::new(setup, rules.clone()).unwrap();
        play(&mut tournament, &by_number, &never);
        let state = tournament.state().clone();
        let last = state.rounds.len() as u32;
        let of = |round| {
            state
                .tasks
                .iter()
                .filter(|t| t.round == round)
                .map(|t| t.plan.clone())
                .collect::<Vec<_>>()
        };
        (of(1), of(last - 1), of(last))
    };
    let (first, before, boss) = plans(TournamentType::Text, 10, 5);
    assert_eq!(first.len(), 3);
    assert!(
        first
            .iter()
            .all(|plan| plan.kind() == Some(crate::rules::TaskKind::Instruct))
    );
    let model = "Qwen/Qwen3-32B".to_owned();
    assert_eq!(before[0].model(), &ModelPlan::Model { model });
    let kinds: Vec<&str> = boss
        .iter()
        .map(|plan| plan.kind().unwrap().name())
        .collect();
    assert_eq!(kinds, ["instruct", "instruct", "dpo", "grpo", "chat"]);
    assert_eq!(boss[4].lineage(), Some("qwen3-14b"));

    let (first, _, boss) = plans(TournamentType::Image, 40, 5);
    let families = ["krea2", "ideogram4"].map(|family| ModelPlan::Family {
        family: family.to_owned(),
    });
    assert!(families.contains(first[0].model()) && first.iter().all(|plan| plan == &first[0]));
    assert_eq!(boss.len(), 6);

    let (first, _, last) = plans(TournamentType::Environment, 20, 5);
    let count = |plan: &Plan| match plan {
        Plan::Environment {
            environments: EnvironmentPlan::Some { count, of },
            ..
        } => {
            assert!(!of.contains(&"swe_infinite".to_owned()));
            *count
        }
        _ => 1,
    };
    assert!(first.iter().all(|plan| count(plan) == 2));
    assert_eq!(last.len(), 3);
    assert!(matches!(
        &last[2],
        Plan::Environment { environments: EnvironmentPlan::Only { environment }, .. } if environment == "swe_infinite"
    ));
}

#[test]
fn kl_tasks_and_kinds_of_pairs_are_drawn_about_as_often_as_the_rules_say() {
    let rules = rules(NEW);
    let (mut pairs, mut instruct, mut kl) = (0, 0, 0);
    for seed in 0..60 {
        let setup = setup(&rules, TournamentType::Text, 20, seed);
        let mut tournament = Tournament::new(setup, rules.clone()).unwrap();
        play(&mut tournament, &by_number, &|t| {
            t.state().rounds.len() == 3
        });
        for task in tournament
            .state()
            .tasks
            .iter()
            .filter(|task| task.round > 1)
        {
            pairs += 1;
            if let Plan::Text {
                kind: crate::rules::TaskKind::Instruct,
                kl_coef,
                ..
            } = &task.plan
            {
                instruct += 1;
                kl += usize::from(kl_coef.is_some());
                assert!(kl_coef.is_none_or(|coef| (0.1..=1.5).contains(&coef)));
            }
        }
    }
    assert_eq!(pairs, 360);
    assert!((240..300).contains(&instruct), "{instruct}");
    assert!((30..80).contains(&kl), "{kl}");
}
