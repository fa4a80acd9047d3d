//! Checks of how the subnet takes weights, and of what opens commits.

use super::Checks;
use gradus_chain::node::{Pinned, SubnetParameters};
use gradus_chain::timelock::{Beacon, COMMIT_VERSION};

/// The beacon's rounds that the chain may be behind: two minutes, and ten.
const ROUNDS_BEHIND_WARNING: u64 = 40;
const ROUNDS_BEHIND_MAX: u64 = 200;

impl Checks {
    /// How the subnet takes weights, and whether a call for that is known.
    pub(super) fn method(&mut self, pinned: &Pinned<'_>, parameters: &SubnetParameters) {
        let (what, calls) = match parameters.commit_reveal_enabled {
            true => (
                format!(
                    "timelocked commits of version {}, opened {} epochs later",
                    parameters.commit_reveal_version, parameters.reveal_period_epochs
                ),
                [
                    "commit_timelocked_mechanism_weights",
                    "commit_timelocked_weights",
                ],
            ),
            false => (
                "weights in the open".to_owned(),
                ["set_mechanism_weights", "set_weights"],
            ),
        };
        let missing = pinned.first().capabilities().missing();
        let is_missing = |call: &str| {
            missing
                .iter()
                .any(|one| one.name.rsplit('.').next() == Some(call))
        };
        if calls.iter().all(|call| is_missing(call)) {
            self.fail(
                "method",
                format!(
                    "the subnet takes {what}; {} and {} are not known",
                    calls[0], calls[1]
                ),
                "update gradus",
            );
        } else if parameters.commit_reveal_enabled
            && parameters.commit_reveal_version != COMMIT_VERSION
        {
            self.fail(
                "method",
                format!("the subnet takes {what}; gradus writes version {COMMIT_VERSION}"),
                "update gradus",
            );
        } else {
            self.ok("method", format!("the subnet takes {what}"));
        }
    }

    /// Whether rounds come that open commits.
    pub(super) fn beacon(&mut self, pinned: &Pinned<'_>, parameters: &SubnetParameters) {
        if !parameters.commit_reveal_enabled {
            self.ok("beacon", "not needed: weights are set in the open".into());
            return;
        }
        let read = pinned.read("the beacon's newest round", |node| node.last_stored_round());
        let Some(stored) = self.need("beacon", read, "name other nodes with --endpoint") else {
            return;
        };
        let Some(stored) = stored.value else {
            let help = "name nodes of a chain that opens commits, or set weights in the open";
            self.fail("beacon", "the runtime keeps no rounds".into(), help);
            return;
        };
        let newest = Beacon::quicknet().round_before(pinned.timestamp_ms);
        let behind = newest.saturating_sub(stored);
        let text = format!("the chain has round {stored}, {behind} behind its own time");
        let help =
            "commits are opened once rounds come again: wait, and watch the activity cut-off";
        match behind {
            0..=ROUNDS_BEHIND_WARNING => self.ok("beacon", text),
            _ if behind <= ROUNDS_BEHIND_MAX => self.warn("beacon", text, help),
            _ => self.fail("beacon", text, help),
        }
    }
}
