//! Checks of how the subnet takes weights, and of what opens commits.

use super::Checks;
use gradus_chain::land::calls_wanted;
use gradus_chain::node::{Pinned, SubnetParameters, items};
use gradus_chain::timelock::{Beacon, COMMIT_VERSION};

/// The beacon's rounds that the chain may be behind: two minutes, and ten.
const ROUNDS_BEHIND_WARNING: u64 = 40;
const ROUNDS_BEHIND_MAX: u64 = 200;

impl Checks {
    /// How the subnet takes weights, and whether a call for that is known.
    pub(super) fn method(&mut self, pinned: &Pinned<'_>, parameters: &SubnetParameters) {
        let capabilities = pinned.first().capabilities();
        let timelocked = capabilities.has(items::TIMELOCKED_COMMITS);
        let (version, period) = (
            parameters.commit_reveal_version,
            parameters.reveal_period_epochs,
        );
        let what = match (parameters.commit_reveal_enabled, timelocked) {
            (true, true) => {
                format!("timelocked commits of version {version}, opened {period} epochs later")
            }
            (true, false) => format!("commits by a hash, revealed {period} epochs later"),
            (false, _) => "weights in the open".to_owned(),
        };
        // As for what is planned: one that lacks says which it is.
        let mut calls = calls_wanted(parameters, capabilities, 0).into_iter();
        let lacks = calls.find_map(|call| capabilities.check_call(call).err());
        if let Some(error) = lacks {
            let found = format!("the subnet takes {what}: {error}");
            self.fail("method", found, "update gradus");
        } else if parameters.commit_reveal_enabled && timelocked && version != COMMIT_VERSION {
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
