//! What each fault comes to, for each way: as many extrinsics as it takes, and the verdict that is true.

use super::memory::*;
use super::run::*;
use super::toy::*;
use crate::submission::*;

/// The verdict of one fault without a kill, and how many extrinsics were signed for it.
fn outcome(way: Way, fault: Fault) -> (Verdict, usize) {
    let report = Plan::new(way, fault).run();
    let state = State::replay(&report.records).expect("own records");
    (report.verdict, state.attempts().len())
}

/// What the weights of a way need if nothing goes wrong.
fn needed(way: Way) -> usize {
    if way == Way::Hash { 2 } else { 1 }
}

#[test]
fn faults_that_pass_end_verified_and_cost_an_extrinsic_only_if_one_died() {
    use Fault::*;
    let no_more = [
        ForkIn,
        ForkMeanwhile,
        None,
        AnswerLost,
        RefusedAndTaken,
        Late,
        ForkKeep,
        Lagging,
        Pruning,
        KeepsSome,
        PulseLate,
    ];
    let one_more = [
        Lost,
        RefusedPassing,
        ForkLoss,
        Upgrade,
        FailsOnce,
        NonceTaken,
    ];
    for way in WAYS {
        for (faults, more) in [(&no_more[..], 0), (&one_more[..], 1)] {
            for fault in faults {
                let (verdict, attempts) = outcome(way, *fault);
                assert!(verdict.is_verified(), "{way:?}, {fault:?}: {verdict}");
                assert_eq!(attempts, needed(way) + more, "{way:?}, {fault:?}");
            }
        }
    }
}

#[test]
fn rules_that_are_broken_for_good_are_named() {
    for way in WAYS {
        let (verdict, attempts) = outcome(way, Fault::RefusedForGood);
        assert_eq!(attempts, 1, "{way:?}");
        assert!(
            matches!(
                verdict,
                Verdict::Refused {
                    reason: Refused::Pool {
                        code: 1010,
                        custom: Some(19),
                        ..
                    }
                }
            ),
            "{way:?}: {verdict}"
        );
        for (fault, error) in [
            (Fault::Fails, "NeuronNoValidatorPermit"),
            (Fault::Deregistered, "HotKeyNotRegisteredInSubNet"),
        ] {
            let reason = Refused::Dispatch {
                error: error.into(),
            };
            let expected = (Verdict::Refused { reason }, 1);
            assert_eq!(outcome(way, fault), expected, "{way:?}, {fault:?}");
        }
    }
}

#[test]
fn a_uid_that_is_anothers_by_now_gets_nothing_signed() {
    for way in WAYS {
        for (fault, uid) in [(Fault::TargetGone, 5), (Fault::Shrinks, 6)] {
            let (verdict, attempts) = outcome(way, fault);
            let Verdict::Refused {
                reason: Refused::TargetChanged { uid: changed, .. },
            } = verdict
            else {
                panic!("{way:?}, {fault:?}: {verdict}");
            };
            assert_eq!((changed, attempts), (uid, 0), "{way:?}, {fault:?}");
        }
    }
}

#[test]
fn weights_that_landed_on_somebody_elses_uid_are_not_verified() {
    let reason = Dropped::TargetReplaced { uid: 5 };
    let dropped = Verdict::Dropped { reason };
    for way in [Way::Plain, Way::Timelocked, Way::Fallback] {
        assert_eq!(outcome(way, Fault::TargetSwapped), (dropped.clone(), 1));
    }
    // Between commit and reveal it is noticed before the reveal.
    let (verdict, attempts) = outcome(Way::Hash, Fault::TargetSwapped);
    assert!(matches!(verdict, Verdict::Refused { .. }), "{verdict}");
    assert_eq!(attempts, 1);
}

#[test]
fn what_the_chain_drops_silently_is_deduced() {
    let verdict = |fault| outcome(Way::Timelocked, fault).0;
    let reason = Dropped::NotSet;
    assert_eq!(verdict(Fault::SilentDrop), Verdict::Dropped { reason });
    for fault in [Fault::PulseMissing, Fault::CommitTaken] {
        let Verdict::Expired {
            reason: Expired::PulseMissing { .. },
        } = verdict(fault)
        else {
            panic!("{fault:?}: {}", verdict(fault));
        };
    }
}

#[test]
fn the_rate_limit_is_waited_for_and_makes_fallback_weights_pointless() {
    for way in [Way::Plain, Way::Hash, Way::Timelocked] {
        let report = Plan::new(way, Fault::JustSet).run();
        assert!(report.verdict.is_verified(), "{way:?}: {}", report.verdict);
        let until = START + LAG + 10;
        let waited = report.records.iter().any(|record| {
            matches!(record, Record::Postponed { until_block, .. } if *until_block == until)
        });
        assert!(waited, "{way:?}: {:?}", report.records);
        let landed = report.records.iter().find_map(|record| match record {
            Record::Finalized { block, .. } => Some(block.number),
            _ => None,
        });
        assert_eq!(landed, Some(until), "{way:?}: not the first block that may");
    }
    let reason = Refused::FallbackNotDue;
    let expected = (Verdict::Refused { reason }, 0);
    assert_eq!(outcome(Way::Fallback, Fault::JustSet), expected);
}

#[test]
fn a_node_that_keeps_little_leaves_what_it_cannot_prove_unproven() {
    let plan = Plan {
        cuts: vec![Cut::After(2)],
        downtime: 60,
        ..Plan::new(Way::Timelocked, Fault::Pruning)
    };
    let verdict = plan.run().verdict;
    let Verdict::Dropped {
        reason: Dropped::Unproven { missing },
    } = verdict
    else {
        panic!("{verdict}");
    };
    assert!(missing.contains("the commits"), "{missing}");
    // Plain weights leave a mark that later blocks keep: `LastUpdate` names their block.
    let plan = Plan {
        way: Way::Plain,
        ..plan
    };
    let verdict = plan.run().verdict;
    assert!(verdict.is_verified(), "{verdict}");
}
