//! What each fault comes to, for each way.

use super::run::*;
use super::toy::*;
use crate::submission::*;

/// The verdict of one fault without a kill, and how many extrinsics were signed for it.
fn outcome(way: Way, fault: Fault) -> (Verdict, usize) {
    let report = Plan::new(way, fault).run();
    let state = State::replay(&report.records).expect("own records");
    (report.verdict, state.attempts().len())
}

#[test]
fn without_faults_all_ways_are_verified_by_as_few_extrinsics_as_they_need() {
    for (way, extrinsics) in [
        (Way::Plain, 1),
        (Way::Hash, 2),
        (Way::Timelocked, 1),
        (Way::Fallback, 1),
    ] {
        let (verdict, attempts) = outcome(way, Fault::None);
        assert!(verdict.is_verified(), "{way:?}: {verdict}");
        assert_eq!(attempts, extrinsics, "{way:?}");
    }
}
