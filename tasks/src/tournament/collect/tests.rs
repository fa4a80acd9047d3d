use super::*;
use crate::rules::{ReignDecay, RuleSet};
use crate::tournament::OutcomeReason;

const OLD: &str = "2025-12-12-86623e97";
const BURN: &str = "5GU4Xkd3dCGTU3s8VLcHGc5wsD5M8XyxDca5yDQhYm1mVXFu";

fn named(hotkey: &str, wins: u32, margin: Option<f64>) -> Champion {
    Champion {
        hotkey: hotkey.to_owned(),
        consecutive_wins: wins,
        stored_difference: margin,
    }
}

/// The same one win later.
fn later(mut defended: Finished) -> Finished {
    defended.defender.named.as_mut().unwrap().consecutive_wins += 1;
    defended.left.consecutive_wins += 1;
    defended
}

/// A text tournament that `champion` has after it, and `before` had before it.
fn finished(id: &str, before: Option<&str>, champion: Option<&str>, at_s: i64) -> Finished {
    let defended = before.is_some() && before == champion;
    let defender = Defender {
        hotkey: before.map(str::to_owned),
        named: before.map(|hotkey| named(hotkey, 1, Some(0.2))),
        counts_wins: true,
    };
    let left = match champion {
        Some(champion) => named(champion, 1 + u32::from(defended), Some(0.2)),
        None => named(BURN, 1, None),
    };
    let [before, champion] = [before, champion].map(|who| who.map(str::to_owned));
    Finished {
        result: TournamentResult {
            version: TournamentResult::VERSION,
            tournament_id: id.to_owned(),
            tournament_type: TournamentType::Text,
            rules: OLD.to_owned(),
            champion: champion.clone(),
            why: match defended {
                true => OutcomeReason::Defended,
                false => OutcomeReason::Challenger,
            },
            places: Vec::new(),
            entrants: 9,
            performance: match defended {
                true => Performance::Defended {
                    stored_difference: Some(0.2),
                },
                false => Performance::Won {
                    difference: Some(0.2),
                    burn_account: false,
                },
            },
            results: Results {
                tournament_id: id.to_owned(),
                rounds: Vec::new(),
                base_winner_hotkey: before,
                winner_hotkey: champion,
                final_positions: None,
            },
        },
        defender,
        left,
        ended_unix_us: at_s * 1_000_000,
    }
}

fn collected(finished: Vec<Finished>) -> Result<ResultsFile, CollectError> {
    collect(
        &RuleSet::named(OLD).unwrap(),
        finished,
        &[],
        vec![],
        vec![],
        77,
    )
}

/// Under rules that count the days of a reign.
fn collected_by_days(finished: Vec<Finished>) -> Result<ResultsFile, CollectError> {
    let mut rules = RuleSet::named(OLD).unwrap();
    rules.emission.decay = ReignDecay::WinsThenDays {
        per_defence: 0.01,
        per_day: 0.0033,
        start_unix_s: 0,
    };
    collect(&rules, finished, &[], vec![], vec![], 77)
}

#[test]
fn the_one_that_ended_last_counts_and_the_others_are_its_history() {
    let all = vec![
        finished("one", None, Some("a"), 10),
        finished("three", Some("a"), Some("a"), 30),
        finished("two", Some("b"), Some("a"), 20),
    ];
    let refused = collected(all.clone()).unwrap_err().to_string();
    assert!(
        refused.contains("two began with b as champion, but one") && refused.contains("left a"),
        "{refused}"
    );
    // A clock that was wrong shows in the times.
    assert!(
        refused
            .contains("two is of 1970-01-01 00:00:20 UTC, that of one of 1970-01-01 00:00:10 UTC"),
        "{refused}"
    );
    let mut all = all;
    all[1] = later(all[1].clone());
    all[2] = finished("two", Some("a"), Some("a"), 20);
    let file = collected(all.clone()).unwrap();
    assert_eq!(file.input.text.entrants_newest_first, [9, 9, 9]);
    let latest = file.results.text.as_ref().unwrap();
    assert_eq!(latest.tournament_id, "three");
    assert_eq!(file.input.image.performance, Performance::NoTournament);
    // Where days count, his reign began with the win that made him champion.
    let of = |file: &ResultsFile| {
        let reign = file.input.text.reign.unwrap();
        let wins = reign.consecutive_wins;
        (reign.first_won_unix_us, wins, file.input.now_unix_us)
    };
    assert_eq!(of(&file), (None, 3, None));
    let by_days = collected_by_days(all.clone()).unwrap();
    assert_eq!(of(&by_days), (Some(10_000_000), 3, Some(77)));
    all.reverse();
    assert_eq!(
        collected(all).unwrap().input,
        file.input,
        "whatever the order of files"
    );
}

#[test]
fn a_reign_whose_beginning_is_not_there_is_asked_for_where_days_count() {
    let defended = || vec![finished("two", Some("a"), Some("a"), 20)];
    // December counts wins, which the tournament itself knows.
    let wins = collected(defended()).unwrap().input.text.reign.unwrap();
    assert_eq!((wins.first_won_unix_us, wins.consecutive_wins), (None, 2));
    let error = collected_by_days(defended()).unwrap_err();
    assert!(
        matches!(&error, CollectError::FirstWin { hotkey, .. } if hotkey == "a"),
        "{error}"
    );
    let newest = RuleSet::newest();
    let file = collect(&newest, defended(), &[], vec![], vec![], 77).unwrap();
    assert_eq!(
        (file.input.text.reign, file.input.now_unix_us),
        (None, None)
    );
    // Nobody reigns where nobody won.
    let nobody = vec![finished("one", None, None, 10)];
    assert_eq!(collected(nobody).unwrap().input.text.reign, None);
}

#[test]
fn one_file_twice_is_refused() {
    let one = || finished("one", None, Some("a"), 10);
    let error = collected(vec![one(), one()]).unwrap_err();
    assert!(matches!(error, CollectError::Twice { .. }), "{error}");
}

#[test]
fn a_title_kept_for_nobody_earns_its_own_margin_once_and_nothing_later() {
    let kept = |id: &str, at_s| {
        let mut one = finished(id, None, None, at_s);
        one.result.performance = Performance::Won {
            difference: Some(0.3),
            burn_account: true,
        };
        one
    };
    let first = collected(vec![kept("one", 10)]).unwrap().input.text;
    let mut second = kept("two", 20);
    second.defender.named = Some(named(BURN, 1, None));
    let second = collected(vec![second, kept("one", 10)]);
    let second = second.unwrap().input.text;
    let fresh = Performance::Won {
        difference: Some(0.3),
        burn_account: true,
    };
    let stored_difference = None;
    assert_eq!(first.performance, fresh);
    assert_eq!(
        second.performance,
        Performance::Defended { stored_difference }
    );
}

#[test]
fn what_runs_is_counted_and_has_to_follow_on_what_is_over() {
    let newest = RuleSet::newest();
    let run = |id: &str, champion: &str| Running {
        tournament_id: id.to_owned(),
        tournament_type: TournamentType::Text,
        defender: finished("", Some(champion), None, 0).defender,
        last_unix_us: 0,
    };
    let with = |running: &[Running]| {
        let over = vec![finished("one", None, Some("a"), 10)];
        collect(&newest, over, running, vec![], vec![], 77)
    };
    let input = with(&[run("two", "a")]).unwrap().input;
    assert_eq!((input.text.running, input.image.running), (1, 0));
    assert_eq!(input.text.entrants_newest_first, [9]);
    assert!(matches!(
        with(&[run("one", "a")]),
        Err(CollectError::Twice { .. })
    ));
    assert!(matches!(
        with(&[run("two", "b")]),
        Err(CollectError::Champion { .. })
    ));
    let mut environment = run("two", "a");
    environment.tournament_type = TournamentType::Environment;
    let old = RuleSet::named(OLD).unwrap();
    let refused = collect(&old, vec![], &[environment], vec![], vec![], 77);
    assert!(matches!(refused, Err(CollectError::UnknownType { .. })));
}

#[test]
fn a_champion_comes_with_the_wins_and_the_margin_that_he_left_with() {
    let refused = |later: &Finished, expected: [&str; 3]| {
        let earlier = || finished("one", None, Some("a"), 10);
        let over = collected(vec![later.clone(), earlier()]).unwrap_err();
        let running = Running {
            tournament_id: "two".to_owned(),
            tournament_type: TournamentType::Text,
            defender: later.defender.clone(),
            last_unix_us: 0,
        };
        let old = RuleSet::named(OLD).unwrap();
        let runs = collect(&old, vec![earlier()], &[running], vec![], vec![], 77).unwrap_err();
        assert_eq!(over, runs);
        let CollectError::Contradicted {
            what, found, left, ..
        } = &over
        else {
            panic!("{over}");
        };
        assert_eq!([*what, &**found, &**left], expected);
        let said = over.to_string();
        assert!(said.contains("two began with a") && said.contains("but one"));
    };
    let two = finished("two", Some("a"), Some("a"), 20);
    refused(&later(two.clone()), ["consecutive_wins", "2", "1"]);
    let with = |margin| {
        let mut two = two.clone();
        two.defender.named = Some(named("a", 1, margin));
        two
    };
    refused(&with(None), ["stored_difference", "null", "0.2"]);
    refused(&with(Some(0.25)), ["stored_difference", "0.25", "0.2"]);
}

#[test]
fn how_often_nobody_kept_the_title_is_asked_for_where_it_decides() {
    let after = |named: Option<Champion>, counts_wins| {
        let mut two = finished("two", None, Some("a"), 20);
        two.defender.named = named;
        two.defender.counts_wins = counts_wins;
        collected(vec![two, finished("one", None, None, 10)])
    };
    assert!(after(Some(named(BURN, 1, None)), true).is_ok());
    assert!(after(None, false).is_ok());
    for (named, counts_wins) in [(None, true), (Some(named(BURN, 2, None)), false)] {
        let error = after(named, counts_wins).unwrap_err();
        assert!(error.to_string().contains("nobody as champion"), "{error}");
        assert!(
            matches!(error, CollectError::Contradicted { .. }),
            "{error}"
        );
    }
}
