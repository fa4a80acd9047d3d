//! Checks of the hotkey whose weights shall land.

use super::Checks;
use gradus_chain::AccountId;
use gradus_chain::node::{Facts, Pinned, report};

/// How many timelocked commits of one hotkey may wait.
const COMMITS_MAX: usize = 10;

impl Checks {
    /// Registration, permit, stake, rate limit, commits that wait, activity.
    pub(super) fn hotkey(
        &mut self,
        pinned: &Pinned<'_>,
        netuid: u16,
        hotkey: AccountId,
        alarm_percent: u8,
    ) -> Option<()> {
        let facts = report::facts(pinned, netuid, 0, hotkey);
        let facts = self.need("registration", facts, "name other nodes with --endpoint")?;
        let Some(uid) = facts.uid else {
            self.fail(
                "registration",
                format!("{hotkey} is not registered on subnet {netuid}"),
                "register it, or name another hotkey; it may have lost its place to a newer one",
            );
            return None;
        };
        self.ok("registration", format!("{hotkey} has uid {uid}"));
        self.permit(&facts, uid);
        self.stake(&facts);
        self.rate_limit(&facts);
        self.commits(&facts);
        self.activity(&facts, alarm_percent);
        Some(())
    }

    fn permit(&mut self, facts: &Facts, uid: u16) {
        if facts.is_owner() {
            self.ok(
                "permit",
                format!("uid {uid} is the subnet owner's, which needs none"),
            );
        } else if facts.validator_permit {
            self.ok("permit", format!("uid {uid} has a validator's permit"));
        } else {
            self.fail(
                "permit",
                format!("uid {uid} has no validator's permit"),
                "add stake until it is above the last validator's; permits are given at the end of an epoch",
            );
        }
    }

    fn stake(&mut self, facts: &Facts) {
        let threshold = facts.parameters.stake_threshold_rao;
        match facts.total_stake_rao {
            _ if facts.is_owner() => {
                self.ok("stake", "the subnet owner needs none".into());
            }
            None => self.warn(
                "stake",
                "the nodes do not say".into(),
                "name newer nodes with --endpoint",
            ),
            Some(stake) if stake < threshold => self.fail(
                "stake",
                format!("{stake} rao, the chain demands {threshold}"),
                "add stake to the hotkey, on the subnet or on the root",
            ),
            Some(stake) => self.ok(
                "stake",
                format!("{stake} rao, the chain demands {threshold}"),
            ),
        }
    }

    fn rate_limit(&mut self, facts: &Facts) {
        let limit = facts.parameters.weights_set_rate_limit_blocks;
        let last = facts.last_update.unwrap_or_default();
        let since = facts.landing_block().saturating_sub(last);
        if last > 0 && since < limit {
            let at = last.saturating_add(limit);
            self.warn(
                "rate limit",
                format!(
                    "weights were updated at block {last}, the next may land {limit} blocks later"
                ),
                &format!("wait until block {at}"),
            );
        } else {
            self.ok(
                "rate limit",
                format!("weights may land now, once in {limit} blocks"),
            );
        }
    }

    fn commits(&mut self, facts: &Facts) {
        if !facts.parameters.commit_reveal_enabled {
            return;
        }
        let waiting = facts.pending.timelocked.len();
        let text = format!("{waiting} commits wait to be opened");
        match waiting >= COMMITS_MAX {
            true => self.warn(
                "commits",
                text,
                "the chain takes 10 in an epoch: wait for the next one",
            ),
            false => self.ok("commits", text),
        }
    }

    fn activity(&mut self, facts: &Facts, alarm_percent: u8) {
        let last = facts.last_update.unwrap_or_default();
        let cutoff = facts.parameters.activity_cutoff.blocks;
        let since = facts.block.number.saturating_sub(last);
        let updated = match last {
            0 => "never updated".to_owned(),
            _ => format!("updated {since} blocks ago"),
        };
        let text =
            format!("weights were {updated}, after {cutoff} the validator counts as inactive");
        if since > cutoff {
            self.fail(
                "activity",
                text,
                "it does not count: find out above why no weights land, and set them",
            );
        } else if facts.activity(alarm_percent).is_some() {
            self.warn("activity", text, "set weights soon");
        } else {
            self.ok("activity", text);
        }
    }
}
