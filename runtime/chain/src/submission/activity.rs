//! How near a validator is to being inactive, and when fallback weights are due. Numbers come from the chain and the rule set, none is here.

use serde::{Deserialize, Serialize};

/// From which share of the cut-off on to warn, in percent; `notice <= warning <= alarm <= 100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActivityRules {
    /// Worth a line.
    pub notice_percent: u8,
    /// Somebody should look.
    pub warning_percent: u8,
    /// Somebody has to act.
    pub alarm_percent: u8,
}

/// How near.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "level")]
pub enum Activity {
    /// Far from it.
    Fine {
        /// Blocks until it is inactive.
        blocks_left: u64,
    },
    /// Past the first share.
    Notice {
        /// Blocks until it is inactive.
        blocks_left: u64,
    },
    /// Past the second.
    Warning {
        /// Blocks until it is inactive.
        blocks_left: u64,
    },
    /// Past the third.
    Alarm {
        /// Blocks until it is inactive.
        blocks_left: u64,
    },
    /// The chain counts it as inactive: its stake has no say in the subnet.
    Inactive {
        /// Blocks that it has been.
        blocks: u64,
    },
}

/// The rule set's `[emission.fallback]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackRule {
    /// Blocks without own weights before the incentives stand in.
    pub stale_blocks: u64,
    /// Failures in a row before they do.
    pub failures_min: u32,
}

/// How near a validator is to being inactive, which it is when `last_update + cutoff_blocks < now_block`.
///
/// * `now_block`: the newest block's number
/// * `last_update`: `LastUpdate` of its uid, a block's number
/// * `cutoff_blocks`: the subnet's `ActivityCutoff`
pub fn activity(
    rules: &ActivityRules,
    now_block: u64,
    last_update: u64,
    cutoff_blocks: u64,
) -> Activity {
    let age = now_block.saturating_sub(last_update);
    if age > cutoff_blocks {
        let blocks = age - cutoff_blocks;
        return Activity::Inactive { blocks };
    }
    // The first block that finds it inactive has age `cutoff_blocks + 1`.
    let blocks_left = cutoff_blocks - age + 1;
    let past =
        |percent: u8| u128::from(age) * 100 >= u128::from(cutoff_blocks) * u128::from(percent);
    if past(rules.alarm_percent) {
        Activity::Alarm { blocks_left }
    } else if past(rules.warning_percent) {
        Activity::Warning { blocks_left }
    } else if past(rules.notice_percent) {
        Activity::Notice { blocks_left }
    } else {
        Activity::Fine { blocks_left }
    }
}

/// Whether incentives may stand in for results: after enough failures in a row, when own weights are old enough.
pub fn fallback_due(rule: &FallbackRule, failures: u32, blocks_since_update: u64) -> bool {
    failures >= rule.failures_min && blocks_since_update >= rule.stale_blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_change_where_they_say_and_inactivity_where_the_chain_says() {
        let rules = ActivityRules {
            notice_percent: 50,
            warning_percent: 75,
            alarm_percent: 90,
        };
        let at = |age: u64| activity(&rules, 10_000 + age, 10_000, 5_000);
        assert_eq!(at(0), Activity::Fine { blocks_left: 5_001 });
        assert_eq!(at(2_499), Activity::Fine { blocks_left: 2_502 });
        assert_eq!(at(2_500), Activity::Notice { blocks_left: 2_501 });
        assert_eq!(at(3_750), Activity::Warning { blocks_left: 1_251 });
        assert_eq!(at(4_500), Activity::Alarm { blocks_left: 501 });
        assert_eq!(at(5_000), Activity::Alarm { blocks_left: 1 });
        assert_eq!(at(5_001), Activity::Inactive { blocks: 1 });
        // A node that is behind, and numbers that no chain has.
        assert_eq!(
            activity(&rules, 5, 10, 100),
            Activity::Fine { blocks_left: 101 }
        );
        assert_eq!(
            activity(&rules, u64::MAX, 0, u64::MAX - 1),
            Activity::Inactive { blocks: 1 }
        );
        assert!(at(4_499) < at(4_500), "levels have an order");
    }

    #[test]
    fn fallback_needs_both_failures_and_age() {
        let rule = FallbackRule {
            stale_blocks: 30,
            failures_min: 2,
        };
        assert!(fallback_due(&rule, 2, 30));
        assert!(!fallback_due(&rule, 1, 30));
        assert!(!fallback_due(&rule, 2, 29));
    }
}
