//! Every way, every fault, a kill at every record and every call: nothing lands twice, nothing is called verified that is not, nothing is lost.

use super::memory::*;
use super::run::*;
use super::toy::*;

/// How far apart the calls are that a process dies at. Reads change nothing, so most of them are like their neighbours; those around signing and
/// submitting are all taken.
const STRIDE: usize = 7;
/// Blocks that pass before the restart: none, within the era, beyond it, beyond the epoch.
const DOWNTIMES: [u64; 4] = [0, 5, 20, 45];

/// Runs one fault's row of the matrix and says how many runs it was.
fn row(way: Way, fault: Fault) -> u32 {
    let plain = Plan::new(way, fault).run();
    let mut runs = 1;
    for downtime in DOWNTIMES {
        for at in 1..=plain.appends {
            for cut in [Cut::Before(at), Cut::After(at), Cut::Torn(at)] {
                let cuts = vec![cut];
                let plan = Plan {
                    cuts,
                    downtime,
                    ..Plan::new(way, fault)
                };
                plan.run();
                runs += 1;
            }
        }
    }
    let early = 1..plain.calls.min(16);
    let rest = (16..plain.calls).step_by(STRIDE);
    for (at, downtime) in early.chain(rest).zip(DOWNTIMES.into_iter().cycle()) {
        for kill in [Kill::BeforeCall(at), Kill::AfterCall(at)] {
            let kills = vec![kill];
            let plan = Plan {
                kills,
                downtime,
                ..Plan::new(way, fault)
            };
            plan.run();
            runs += 1;
        }
    }
    runs
}

fn column(way: Way) {
    let mut runs = 0;
    for fault in FAULTS {
        runs += row(way, fault);
    }
    println!("{way:?}: {runs} runs");
    assert!(
        runs > 1_000,
        "the matrix of {way:?} has shrunk to {runs} runs"
    );
}

#[test]
fn plain_weights_survive_a_kill_anywhere_under_every_fault() {
    column(Way::Plain);
}

#[test]
fn hash_commits_survive_a_kill_anywhere_under_every_fault() {
    column(Way::Hash);
}

#[test]
fn timelocked_commits_survive_a_kill_anywhere_under_every_fault() {
    column(Way::Timelocked);
}

#[test]
fn fallback_weights_survive_a_kill_anywhere_under_every_fault() {
    column(Way::Fallback);
}
