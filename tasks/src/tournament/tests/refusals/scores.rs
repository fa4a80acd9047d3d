//! Numbers that are none.

use super::super::play::{NEW, apply, build, rules, score, scored, setup, trained};
use super::{open, refused};
use crate::rules::{KlTaskRules, RuleSet, SmallFieldRules};
use crate::tournament::*;
use crate::weights::TournamentType;
use std::sync::Arc;

#[test]
fn scores_that_are_none_are_refused_and_name_the_number() {
    let mut tournament = open();
    let good = score(&tournament, 1, 1.0, 3);
    let with = |change: &dyn Fn(&mut Score)| {
        let mut score = good.clone();
        change(&mut score);
        What::Evaluated {
            task: 1,
            results: vec![scored("m000", score)],
        }
    };
    let rows = |losses: &[Option<f64>], fingerprint: &str| Rows {
        losses: losses.to_vec(),
        fingerprint: fingerprint.to_owned(),
    };
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.5, 1.1e100] {
        for (what, event) in [
            ("ranking", with(&|score| score.ranking = Some(wrong))),
            (
                "loss of a row",
                with(&|score| score.rows = Some(rows(&[Some(1.0), Some(wrong)], "x"))),
            ),
        ] {
            match refused(&mut tournament, event) {
                Refusal::Score { what: found, .. } => assert_eq!(found, what),
                other => panic!("{other}"),
            }
        }
    }
    for (what, event) in [
        ("ranking", with(&|score| score.ranking = None)),
        (
            "number of rows",
            with(&|score| score.rows = Some(rows(&[], "x"))),
        ),
        (
            "fingerprint",
            with(&|score| score.rows = Some(rows(&[None], ""))),
        ),
        (
            "number of rows",
            with(&|score| score.rows = Some(rows(&vec![Some(1.0); 100_001], "x"))),
        ),
        (
            "fingerprint",
            with(&|score| score.rows = Some(rows(&[None], &"x".repeat(201)))),
        ),
        (
            "fingerprint",
            with(&|score| score.rows = Some(rows(&[None], "ä"))),
        ),
        ("kl_term", with(&|score| score.kl_term = Some(0.1))),
        (
            "uploaded_unix_us",
            with(&|score| score.uploaded_unix_us = Some(1)),
        ),
        (
            "list of environments",
            with(&|score| {
                score.environments.insert("othello".to_owned(), 0.5);
            }),
        ),
    ] {
        match refused(&mut tournament, event) {
            Refusal::Score { what: found, .. } => assert_eq!(found, what),
            other => panic!("{other}"),
        }
    }
    apply(&mut tournament, with(&|_| {}));
}

#[test]
fn environments_are_evaluated_together_and_completely() {
    let rules = rules(NEW);
    let setup = setup(&rules, TournamentType::Environment, 5, 1);
    let mut tournament = Tournament::new(setup, Arc::clone(&rules)).unwrap();
    apply(&mut tournament, What::Started {});
    let first = build(&tournament, 1);
    apply(&mut tournament, first);
    let hotkeys = tournament.state().rounds[0].places[0].clone();
    let (early, rest) = hotkeys.split_first().unwrap();
    apply(
        &mut tournament,
        What::Trained {
            task: 1,
            results: vec![trained(early, true)],
        },
    );
    let one = |tournament: &Tournament, hotkey: &str| scored(hotkey, score(tournament, 1, 0.5, 0));
    let results = vec![one(&tournament, early)];
    let refusal = refused(&mut tournament, What::Evaluated { task: 1, results });
    assert!(
        refusal.to_string().contains("a training is not over"),
        "{refusal}"
    );
    let results = rest.iter().map(|hotkey| trained(hotkey, true)).collect();
    apply(&mut tournament, What::Trained { task: 1, results });
    let results = vec![one(&tournament, early)];
    let refusal = refused(&mut tournament, What::Evaluated { task: 1, results });
    assert!(matches!(refusal, Refusal::NotTogether { .. }), "{refusal}");
    // An environment's score that is none, missing or of another.
    for change in [
        (|score: &mut Score| *score.environments.values_mut().next().unwrap() = f64::NAN)
            as fn(&mut Score),
        |score| *score.environments.values_mut().next().unwrap() = f64::INFINITY,
        |score| *score.environments.values_mut().next().unwrap() = 1.1e100,
        |score| *score.environments.values_mut().next().unwrap() = -1.0,
        |score| {
            score.environments.pop_first();
        },
        |score| score.ranking = Some(0.5),
    ] {
        let results = hotkeys.iter().map(|hotkey| {
            let mut result = one(&tournament, hotkey);
            if let EvaluationOutcome::Scored { score } = &mut result.outcome {
                change(score);
            }
            result
        });
        let results = results.collect();
        let refusal = refused(&mut tournament, What::Evaluated { task: 1, results });
        assert!(matches!(refusal, Refusal::Score { .. }), "{refusal}");
    }
    // The second group has the same model and environments.
    let mut other = build(&tournament, 2);
    if let What::TaskBuilt { model, .. } = &mut other {
        model.push('x');
    }
    let refusal = refused(&mut tournament, other);
    assert!(
        matches!(
            refusal,
            Refusal::NotAsPlanned {
                what: "the model",
                ..
            }
        ),
        "{refusal}"
    );
}

#[test]
fn lists_are_read_strictly() {
    let line = |rows: &str, environments: &str| {
        let score = format!(
            r#"{{"ranking":1.0,"rows":{{"losses":[{rows}],"fingerprint":"x"}},"kl_term":null,"environments":{{{environments}}}}}"#
        );
        serde_json::from_str::<Score>(&score)
    };
    let most = vec!["null"; 100_000].join(",");
    assert_eq!(line(&most, "").unwrap().rows.unwrap().losses.len(), 100_000);
    let error = line(&format!("{most},1"), "").unwrap_err().to_string();
    assert!(error.contains("at most 100000 losses"), "{error}");
    assert_eq!(line("1", r#""a":1,"b":2"#).unwrap().environments.len(), 2);
    let error = line("1", r#""a":1,"a":2"#).unwrap_err().to_string();
    assert!(error.contains(r#""a" is there twice"#), "{error}");
}

/// Scores of which one is known are not thrown away by a task that begins anew; those of a held one may be.
#[test]
fn a_task_begins_anew_before_a_score_is_known_or_once_it_is_held() {
    let anew: [fn() -> What; 2] = [
        || What::TaskReset {
            task: 1,
            reason: "a look".to_owned(),
        },
        || What::TaskReplaced {
            task: 1,
            reason: "a look".to_owned(),
        },
    ];
    for event in anew {
        let mut tournament = open();
        apply(&mut tournament, event());
        let mut tournament = open();
        let one = score(&tournament, 1, 1.0, 3);
        let results = vec![scored("m000", one)];
        apply(&mut tournament, What::Evaluated { task: 1, results });
        let refusal = refused(&mut tournament, event());
        assert!(
            matches!(refusal, Refusal::ScoreKnown { task: 1, .. }),
            "{refusal}"
        );
    }
}

#[test]
fn a_kl_term_that_is_none_is_refused() {
    let mut rules = RuleSet::clone(&rules(NEW));
    rules.bracket.kl_tasks = KlTaskRules::Drawn {
        round_min: 1,
        probability: 1.0,
        coef_min: 0.1,
        coef_max: 1.5,
    };
    rules.bracket.small_field = SmallFieldRules::None {};
    rules.bracket.text.pair_tasks.dpo = 0.0;
    rules.bracket.text.pair_tasks.grpo = 0.0;
    let rules = Arc::new(rules);
    let begun = |entrants| {
        let setup = setup(&rules, TournamentType::Text, entrants, 1);
        let mut tournament = Tournament::new(setup, Arc::clone(&rules)).unwrap();
        apply(&mut tournament, What::Started {});
        tournament
    };
    let mut tournament = (2..20)
        .map(begun)
        .find(|tournament| {
            let plan = &tournament.state().tasks[0].plan;
            matches!(
                plan,
                Plan::Text {
                    kl_coef: Some(_),
                    ..
                }
            )
        })
        .expect("a first round of pairs");
    let first = build(&tournament, 1);
    apply(&mut tournament, first);
    let hotkey = tournament.state().tasks[0].contestants[0].hotkey.clone();
    let results = vec![trained(&hotkey, true)];
    apply(&mut tournament, What::Trained { task: 1, results });
    let mut score = score(&tournament, 1, 1.0, 3);
    for wrong in [
        None,
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(-0.5),
        Some(1.1e100),
    ] {
        score.kl_term = wrong;
        let results = vec![scored(&hotkey, score.clone())];
        match refused(&mut tournament, What::Evaluated { task: 1, results }) {
            Refusal::Score { what, .. } => assert_eq!(what, "kl_term", "{wrong:?}"),
            other => panic!("{other}"),
        }
    }
    score.kl_term = Some(0.5);
    let results = vec![scored(&hotkey, score)];
    apply(&mut tournament, What::Evaluated { task: 1, results });
}
