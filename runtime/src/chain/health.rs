//! All that keeps weights from landing, check by check, and what to do about each.
//!
//! What fails for all that follows ends the list: nothing is said of a subnet that no two nodes agree on.
//!
//! | check | fails if |
//! |---|---|
//! | endpoints, agreement | too few nodes have the chain, answer, and say the same at one block |
//! | clock | no node's newest final block is near this machine's time |
//! | runtime, method | the runtime lacks a call by which the subnet takes weights, or has it with other arguments |
//! | beacon | commits are opened by a beacon whose rounds have stopped coming |
//! | registration, permit, stake | the chain would refuse the hotkey |
//! | rate limit, commits | (warns) the chain would refuse it for now |
//! | activity | the validator counts as inactive |

mod hotkey;
mod subnet;

use super::connect::Plan;
use gradus_chain::AccountId;
use gradus_chain::node::report::{Verdict, hyperparameters};
use gradus_chain::node::rpc::is_exposed;
use gradus_chain::node::{AgreeError, Endpoints, Excluded, Head, Pinned};
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// The version of what is printed.
pub const VERSION: u32 = 1;
/// Whether weights would land.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// [`VERSION`].
    pub version: u32,
    /// Which network.
    pub network: String,
    /// Which subnet.
    pub netuid: u16,
    /// Whether no check failed.
    pub healthy: bool,
    /// In order.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub what: &'static str,
    /// How it went.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do.
    pub help: Option<String>,
}

/// Looks at nodes, clock, runtime and subnet, and at a hotkey if one is given.
///
/// * `alarm_percent`: from how much of the activity cut-off on weights count as old
pub fn examine(plan: &Plan, hotkey: Option<AccountId>, alarm_percent: u8) -> Health {
    let mut checks = Checks(Vec::new());
    // What ends the list is in it.
    let _ = checks.run(plan, hotkey, alarm_percent);
    let Checks(checks) = checks;
    Health {
        version: VERSION,
        network: plan.profile.network.to_string(),
        netuid: plan.profile.netuid,
        healthy: checks.iter().all(|check| check.verdict != Verdict::Failed),
        checks,
    }
}

struct Checks(Vec<Check>);

impl Checks {
    fn ok(&mut self, what: &'static str, found: String) {
        self.push(what, Verdict::Ok, found, None);
    }

    fn warn(&mut self, what: &'static str, found: String, help: &str) {
        self.push(what, Verdict::Warning, found, Some(help));
    }

    fn fail(&mut self, what: &'static str, found: String, help: &str) {
        self.push(what, Verdict::Failed, found, Some(help));
    }

    fn push(&mut self, what: &'static str, verdict: Verdict, found: String, help: Option<&str>) {
        self.0.push(Check {
            what,
            verdict,
            found,
            help: help.map(str::to_owned),
        });
    }

    /// What worked; what did not is noted.
    fn need<T>(
        &mut self,
        what: &'static str,
        result: Result<T, AgreeError>,
        help: &str,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error @ AgreeError::ClockSkew { .. }) => {
                let help = "set this machine's clock by NTP; if it is right, the nodes or the chain stand still";
                self.fail("clock", error.to_string(), help);
                None
            }
            Err(error) => {
                self.fail(what, error.to_string(), help);
                None
            }
        }
    }

    fn run(&mut self, plan: &Plan, hotkey: Option<AccountId>, alarm_percent: u8) -> Option<()> {
        let netuid = plan.profile.netuid;
        let nodes = "name other nodes with --endpoint, or mend these";
        let endpoints = self.need("endpoints", plan.connect(), nodes)?;
        self.endpoints(plan, &endpoints);
        let known = endpoints.excluded();
        let pinned = self.need("agreement", endpoints.pin(Head::Finalized), nodes)?;
        self.left_out("agreement", &pinned.excluded, &known);
        let (count, required) = (pinned.snapshots().len(), plan.policy.required);
        let block = pinned.block.number;
        self.ok(
            "agreement",
            format!("nodes that agree on block {block}: {count}, at least {required}"),
        );
        self.clock(&pinned);
        self.finality(&endpoints, &pinned, plan.policy.lag_blocks_max);
        self.runtime(&pinned);
        let help = "check --netuid and --network";
        let subnet = self.need("subnet", hyperparameters(&pinned, netuid), help)?;
        let parameters = subnet.parameters;
        let (neurons, tempo) = (parameters.num_uids, parameters.tempo);
        self.ok(
            "subnet",
            format!("subnet {netuid} has {neurons} neurons, and an epoch every {tempo} blocks"),
        );
        self.method(&pinned, &parameters);
        self.beacon(&pinned, &parameters);
        self.hotkey(&pinned, netuid, hotkey?, alarm_percent)
    }

    fn endpoints(&mut self, plan: &Plan, endpoints: &Endpoints) {
        self.left_out("endpoints", &endpoints.excluded(), &[]);
        for url in plan.profile.endpoints.iter().filter(|url| is_exposed(url)) {
            self.warn(
                "endpoints",
                format!(
                    "{url} is asked without encryption: whoever is on the way can answer for it"
                ),
                "write wss:// if it has TLS, or reach it through a tunnel",
            );
        }
        let (found, named) = (endpoints.nodes().len(), plan.profile.endpoints.len());
        let text = format!(
            "{found} of {named} answer and have the chain of {}",
            plan.profile.network
        );
        match found {
            0 | 1 => self.warn(
                "endpoints",
                text,
                "a single node is believed whatever it says: name a second one, of another operator",
            ),
            _ => self.ok("endpoints", text),
        }
    }

    /// Nodes that were left out, but for those that are known already.
    fn left_out(&mut self, what: &'static str, excluded: &[Excluded], known: &[Excluded]) {
        for excluded in excluded.iter().filter(|one| !known.contains(one)) {
            let help = "mend or replace it: of the others, one more may fail too many";
            self.warn(what, excluded.to_string(), help);
        }
    }

    fn clock(&mut self, pinned: &Pinned<'_>) {
        let now_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        let age_s = (now_ms as i128 - i128::from(pinned.timestamp_ms)) / 1_000;
        match age_s < 0 {
            true => self.warn(
                "clock",
                format!("the newest final block is of {} s in the future", -age_s),
                "set this machine's clock by NTP",
            ),
            false => self.ok("clock", format!("the newest final block is {age_s} s old")),
        }
    }

    fn finality(&mut self, endpoints: &Endpoints, pinned: &Pinned<'_>, lag_max: u64) {
        // Nodes may be on different branches of what is not final; that is no fault of theirs.
        let Ok(best) = endpoints.pin(Head::Best) else {
            return;
        };
        let lag = best.block.number.saturating_sub(pinned.finalized.number);
        let text = format!("the newest block is {lag} ahead of the newest final one");
        match lag > lag_max {
            true => self.warn(
                "finality",
                text,
                "what lands cannot be proven until blocks become final again: wait, or name other nodes",
            ),
            false => self.ok("finality", text),
        }
    }

    fn runtime(&mut self, pinned: &Pinned<'_>) {
        let spec = pinned.runtime.spec_version;
        let missing = pinned.first().capabilities().missing();
        let changed: Vec<&str> = missing
            .iter()
            .filter(|one| one.found.is_some())
            .map(|one| one.name.as_str())
            .collect();
        if !changed.is_empty() {
            self.warn(
                "runtime",
                format!("spec {spec} has another shape of {}", changed.join(", ")),
                "update gradus: it neither reads nor signs what it does not know",
            );
            return;
        }
        let lacks: Vec<&str> = missing.iter().map(|one| one.name.as_str()).collect();
        self.ok(
            "runtime",
            match lacks.is_empty() {
                true => format!("spec {spec} is known"),
                false => format!("spec {spec} is known, it lacks {}", lacks.join(", ")),
            },
        );
    }
}
