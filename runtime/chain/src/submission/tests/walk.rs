//! At random: several faults, several kills, any downtime. A seed that fails is printed, and runs again alone.

use super::memory::*;
use super::run::*;
use super::toy::*;

/// Walks of one test run.
const WALKS: u64 = 10_000;

/// `SplitMix64`, Steele et al., 2014: every seed is a good one.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn plan(seed: u64) -> Plan {
    let mut random = Random(seed);
    let way = WAYS[random.below(4) as usize];
    let faults = (0..random.below(4))
        .map(|_| FAULTS[random.below(FAULTS.len() as u64) as usize])
        .collect();
    let mut at = 0;
    let cuts = (0..random.below(4))
        .map(|_| {
            at += 1 + random.below(4);
            match random.below(3) {
                0 => Cut::Before(at),
                1 => Cut::After(at),
                _ => Cut::Torn(at),
            }
        })
        .collect();
    let mut at = 0;
    let kills = (0..random.below(4))
        .map(|_| {
            at += 1 + random.below(40);
            match random.below(2) {
                0 => Kill::BeforeCall(at),
                _ => Kill::AfterCall(at),
            }
        })
        .collect();
    Plan {
        way,
        faults,
        cuts,
        kills,
        downtime: random.below(40),
    }
}

#[test]
fn ten_thousand_random_walks_end_in_a_proven_verdict() {
    let mut verified = 0;
    for seed in 0..WALKS {
        let plan = plan(seed);
        let run = std::panic::catch_unwind(|| plan.run().verdict.is_verified());
        verified += u64::from(run.unwrap_or_else(|_| panic!("seed {seed}: {plan:?}")));
    }
    // Enough of both, or the walks walk nowhere.
    assert!((WALKS / 5..WALKS * 4 / 5).contains(&verified), "{verified}");
}
