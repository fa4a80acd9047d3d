use super::*;

const HOUR: i64 = 3_600;
/// 2026-10-05, a Monday, at midnight UTC.
const MONDAY: i64 = 1_791_158_400;

fn next(tournament: TournamentType, now: i64, last: Option<i64>) -> NextStart {
    next_start(&RuleSet::newest(), tournament, now, last).unwrap()
}

#[test]
fn each_type_has_its_hour_on_mondays() {
    let sunday = MONDAY - 13 * HOUR;
    for (tournament, hour) in [
        (TournamentType::Environment, 9),
        (TournamentType::Text, 11),
        (TournamentType::Image, 13),
    ] {
        let start = MONDAY + hour * HOUR;
        let last = Some(sunday - 100 * HOUR);
        assert_eq!(next(tournament, sunday, last), NextStart::At(start));
        assert_eq!(next(tournament, start - 1, last), NextStart::At(start));
        assert_eq!(next(tournament, start, last), NextStart::Now);
        assert_eq!(next(tournament, start + HOUR - 1, last), NextStart::Now);
        let missed = NextStart::At(start + 7 * 24 * HOUR);
        assert_eq!(next(tournament, start + HOUR, last), missed);
        assert_eq!(next(tournament, start + 3 * 24 * HOUR, last), missed);
        // Nothing went before.
        assert_eq!(next(tournament, sunday, None), NextStart::Now);
    }
}

#[test]
fn a_completion_ahead_of_the_clock_delays_the_start() {
    let start = MONDAY + 11 * HOUR;
    let last = Some(start + 2 * HOUR);
    let week = start + 7 * 24 * HOUR;
    assert_eq!(next(TournamentType::Text, start, last), NextStart::At(week));
    let within = Some(start + HOUR / 2);
    assert_eq!(
        next(TournamentType::Text, start - 5, within),
        NextStart::At(start)
    );
}

#[test]
fn in_december_2025_72_hours_passed_between_tournaments() {
    let old = RuleSet::named("2025-12-12-86623e97").unwrap();
    let at = |now, last| next_start(&old, TournamentType::Image, now, last);
    let last = Some(MONDAY);
    assert_eq!(at(MONDAY + 1, last), Ok(NextStart::At(MONDAY + 72 * HOUR)));
    assert_eq!(at(MONDAY + 72 * HOUR, last), Ok(NextStart::Now));
    assert_eq!(at(MONDAY, None), Ok(NextStart::Now));
    let error = next_start(&old, TournamentType::Environment, MONDAY, last).unwrap_err();
    assert!(matches!(error, ScheduleError::NoSuchType { .. }));
    assert!(error.to_string().contains("environment"), "{error}");
}

#[test]
fn times_that_are_none_are_refused() {
    let rules = RuleSet::newest();
    for (now, last) in [
        (-1, None),
        (i64::MAX, None),
        (0, Some(i64::MIN)),
        (0, Some(i64::MAX)),
    ] {
        let error = next_start(&rules, TournamentType::Text, now, last).unwrap_err();
        assert!(matches!(error, ScheduleError::Time { .. }), "{error}");
    }
    // The first Monday's start lies behind the first seconds of 1970.
    assert_eq!(
        next(TournamentType::Text, 0, Some(0)),
        NextStart::At(4 * 24 * HOUR + 11 * HOUR)
    );
}

#[test]
fn nothing_starts_beside_another_of_its_type_or_while_a_review_is_open() {
    let rules = RuleSet::newest();
    let of = |previous| may_start(&rules, TournamentType::Text, MONDAY, &previous).unwrap();
    let why = |previous| match of(previous) {
        Start::Held { why } => why,
        start => panic!("{start:?}"),
    };
    assert_eq!(of(Previous::None {}), Start::Now {});
    let last = MONDAY - 100 * HOUR;
    let unix_s = MONDAY + 11 * HOUR;
    assert_eq!(
        of(Previous::Completed { unix_s: last }),
        Start::At { unix_s }
    );
    assert!(why(Previous::Running {}).contains("the last text tournament is not over"));
    let review = |review| {
        let challenger = "c".to_owned();
        why(Previous::UnderReview { challenger, review })
    };
    assert!(review(None).contains("c, who challenged the boss, has to be reviewed"));
    for state in [ChallengerState::Pending, ChallengerState::Error] {
        assert!(review(Some(state)).contains("has to be decided"));
    }
    for state in [
        ChallengerState::Clean,
        ChallengerState::Accepted,
        ChallengerState::Rejected,
    ] {
        assert!(review(Some(state)).contains("has to be ended by it"));
    }
    let old = RuleSet::named(RuleSet::names()[0]).unwrap();
    let error = may_start(
        &old,
        TournamentType::Environment,
        MONDAY,
        &Previous::None {},
    );
    assert!(matches!(error, Err(ScheduleError::NoSuchType { .. })));
}
