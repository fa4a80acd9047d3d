use super::*;
use crate::rules::RuleSet;
use std::collections::HashMap;

const CASES: &str = include_str!("../../tests/golden/resources/cases.tsv");

fn work(word: &str, factor: Option<u32>) -> Work {
    match word {
        "instruct" => Work::Instruct { kl: false },
        "kl" => Work::Instruct { kl: true },
        "chat" => Work::Chat,
        "dpo" => Work::Dpo,
        "grpo" => Work::Grpo,
        "image" => Work::Image,
        "continuous_sft" => Work::ContinuousSft,
        "environment" => Work::Environment {
            gpu_factor: factor,
            play: Play::BySize,
        },
        other => panic!("{other}"),
    }
}

fn shown(hours: Hours) -> String {
    match hours {
        Hours::Fixed(hours) => format!("{hours:?}"),
        Hours::Drawn { min, max } => format!("{min}..{max}"),
    }
}

fn answer(rules: &RuleSet, kind: &str, arguments: &[&str]) -> String {
    let number = |index: usize| -> Option<u64> {
        let word = arguments.get(index).filter(|word| **word != "-")?;
        Some(word.parse().unwrap())
    };
    let text = |tokens| TextHoursInput {
        work: work(arguments[0], None),
        stage: TextStage::Other,
        params: number(1),
        tokens,
    };
    match kind {
        "training_gpus" => {
            let factor = number(2).map(|factor| factor as u32);
            let gpus = training_gpus(rules, work(arguments[0], factor), number(1)).unwrap();
            format!("{} {:?}", gpus.count, gpus.model)
        }
        "evaluation_gpus" => {
            let gpus = evaluation_gpus(rules, work(arguments[0], None), number(1)).unwrap();
            gpus.to_string()
        }
        "rows_hours" => {
            let rows = Tokens::Rows(number(2).unwrap());
            shown(text_hours(rules, &text(Some(rows))).unwrap())
        }
        "counted_hours" => {
            let counted = Tokens::Counted {
                rows: number(2).unwrap(),
                tokens: number(3).unwrap(),
                measured_per_s: (arguments[4] != "-").then(|| arguments[4].parse().unwrap()),
            };
            shown(text_hours(rules, &text(Some(counted))).unwrap())
        }
        "grpo_hours" => {
            let input = TextHoursInput {
                work: Work::Grpo,
                stage: TextStage::Other,
                params: number(0),
                tokens: None,
            };
            shown(text_hours(rules, &input).unwrap())
        }
        "image_hours" => shown(image_hours(rules, number(0).unwrap() as u32, arguments[1])),
        other => panic!("{other}"),
    }
}

#[test]
fn gpus_and_hours_are_the_subnets_in_every_recorded_case() {
    let sets: HashMap<&str, RuleSet> = RuleSet::names()
        .into_iter()
        .map(|name| (name, RuleSet::named(name).unwrap()))
        .collect();
    let mut cases = 0;
    for line in CASES.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        let (expected, words) = words.split_last().unwrap();
        let found = answer(&sets[words[0]], words[1], &words[2..]);
        assert_eq!(&found, expected, "{line}");
        cases += 1;
    }
    assert!(cases > 1_800, "{cases}");
}

#[test]
fn what_december_2025_did_not_have_is_said_so() {
    let rules = RuleSet::named("2025-12-12-86623e97").unwrap();
    let environment = work("environment", Some(4));
    for absent in [environment, Work::ContinuousSft, work("kl", None)] {
        for error in [
            training_gpus(&rules, absent, None).unwrap_err(),
            evaluation_gpus(&rules, absent, None).unwrap_err(),
        ] {
            assert!(matches!(error, ResourceError::NoSuchWork { .. }), "{error}");
            assert_eq!(error.owner(), crate::Owner::Host);
        }
    }
    assert!(environment_hours(&rules, EnvironmentStart::Other).is_err());
    let group = TextHoursInput {
        work: Work::Instruct { kl: false },
        stage: TextStage::Group,
        params: None,
        tokens: None,
    };
    assert_eq!(text_hours(&rules, &group), Ok(Hours::Fixed(2.0)));
    let beyond = TextHoursInput {
        stage: TextStage::Other,
        tokens: Some(Tokens::Rows(500_001)),
        ..group
    };
    let error = text_hours(&rules, &beyond).unwrap_err();
    assert!(error.to_string().contains("500001 rows"), "{error}");
}

#[test]
fn environments_and_lineages_have_their_own_numbers() {
    let rules = RuleSet::newest();
    let environment = |play| Work::Environment {
        gpu_factor: None,
        play,
    };
    let of = |play| evaluation_gpus(&rules, environment(play), Some(8_000_000_000));
    assert_eq!((of(Play::Pair), of(Play::Individual)), (Ok(2), Ok(1)));
    let hours = |start| environment_hours(&rules, start);
    assert_eq!(hours(EnvironmentStart::Other), Ok(Hours::Fixed(1.5)));
    assert_eq!(hours(EnvironmentStart::SweBoss), Ok(Hours::Fixed(2.5)));
    assert_eq!(
        hours(EnvironmentStart::FromScratchBoss),
        Ok(Hours::Fixed(3.0))
    );
    let lineage = TextHoursInput {
        work: Work::ContinuousSft,
        stage: TextStage::Other,
        params: Some(14_000_000_000),
        tokens: None,
    };
    assert_eq!(text_hours(&rules, &lineage), Ok(Hours::Fixed(4.0)));
}

#[test]
fn a_measurement_that_is_none_is_refused() {
    let rules = RuleSet::newest();
    let hours = |rows, tokens, rate| {
        let counted = Tokens::Counted {
            rows,
            tokens,
            measured_per_s: Some(rate),
        };
        let input = TextHoursInput {
            work: Work::Chat,
            stage: TextStage::Other,
            params: Some(1_000_000_000),
            tokens: Some(counted),
        };
        text_hours(&rules, &input)
    };
    assert!(hours(10, 10, 1e4).is_ok());
    for rate in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
        let error = hours(10, 10, rate).unwrap_err();
        assert!(error.to_string().contains("measured rate"), "{error}");
    }
    for (rows, tokens) in [(0, 10), (10, 0), (u64::MAX, 1), (1, u64::MAX)] {
        let error = hours(rows, tokens, 1e4).unwrap_err();
        assert!(error.to_string().contains("tokens"), "{error}");
    }
    let error = training_gpus(&rules, Work::Chat, Some(PARAMS_MAX + 1)).unwrap_err();
    assert!(error.to_string().contains("2^53"), "{error}");
}

#[test]
fn a_draw_gives_each_hour_of_its_range_and_no_other() {
    let range = Hours::Drawn { min: 3, max: 6 };
    let all: Vec<f64> = (0..range.choices())
        .map(|draw| range.pick(draw).unwrap())
        .collect();
    assert_eq!(all, [3.0, 4.0, 5.0, 6.0]);
    assert!(range.pick(4).is_err());
    assert_eq!(Hours::Fixed(2.5).pick(0), Ok(2.5));
    assert!(Hours::Fixed(2.5).pick(1).is_err());
}
