//! Whether nodes, clock, runtime, subnet and hotkey are well.

use super::{REPORT_VERSION, excluded, facts, hyperparameters};
use crate::AccountId;
use crate::node::endpoints::{AgreeError, AgreementPolicy, Endpoints, Head};
use crate::node::preflight::Warning;
use crate::node::profile::Profile;
use serde::Serialize;

/// Whether all is well, check by check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DoctorReport {
    /// The report's version.
    pub version: u32,
    /// Whether no check failed.
    pub healthy: bool,
    /// In order; what cannot be checked after a failure is left out.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// How it went.
    pub verdict: Verdict,
    /// In words.
    pub message: String,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Well.
    Ok,
    /// Well, but not for long.
    Warning,
    /// Not well.
    Failed,
}

/// Checks nodes, clock, runtime, subnet and, if one is given, the hotkey.
///
/// * `alarm_percent`: from how much of the activity cut-off on a warning is given
pub fn doctor(
    profile: &Profile,
    urls: &[String],
    policy: AgreementPolicy,
    hotkey: Option<AccountId>,
    alarm_percent: u8,
) -> DoctorReport {
    let mut checks = Checks(Vec::new());
    // What fails ends the list, since nothing after it can be told.
    let _ = checks.run(profile, urls, policy, hotkey, alarm_percent);
    let Checks(checks) = checks;
    let failed = |check: &Check| check.verdict == Verdict::Failed;
    DoctorReport {
        version: REPORT_VERSION,
        healthy: !checks.iter().any(failed),
        checks,
    }
}

struct Checks(Vec<Check>);

impl Checks {
    fn push(&mut self, name: &'static str, verdict: Verdict, message: String) {
        self.0.push(Check {
            name,
            verdict,
            message,
        });
    }

    /// Notes a failure; what worked goes on.
    fn need<T>(&mut self, name: &'static str, result: Result<T, AgreeError>) -> Option<T> {
        result
            .map_err(|error| self.push(name, Verdict::Failed, error.to_string()))
            .ok()
    }

    fn run(
        &mut self,
        profile: &Profile,
        urls: &[String],
        policy: AgreementPolicy,
        hotkey: Option<AccountId>,
        alarm_percent: u8,
    ) -> Option<()> {
        let endpoints = self.need("endpoints", Endpoints::connect(profile, urls, policy))?;
        let pinned = self.need("agreement", endpoints.pin(Head::Finalized))?;
        for node in excluded(&[&pinned.excluded]) {
            let message = format!("{}: {}", node.url, node.why);
            self.push("endpoints", Verdict::Warning, message);
        }
        let (block, count) = (pinned.block, pinned.snapshots().len());
        let message = format!("{count} nodes agree on block {block}");
        self.push("agreement", Verdict::Ok, message);
        let missing = pinned.first().capabilities().missing();
        let names: Vec<&str> = missing.iter().map(|one| one.name.as_str()).collect();
        let spec = pinned.runtime.spec_version;
        if missing.iter().any(|one| one.found.is_some()) {
            let message = format!("spec {spec} has other shapes of {names:?}: update this program");
            self.push("runtime", Verdict::Warning, message);
        } else {
            let message = format!("spec {spec} is known; it lacks {names:?}");
            self.push("runtime", Verdict::Ok, message);
        }
        let netuid = profile.netuid;
        let subnet = self.need("subnet", hyperparameters(&pinned, netuid))?;
        let commits = match subnet.parameters.commit_reveal_enabled {
            true => "takes commits",
            false => "takes weights in the open",
        };
        let neurons = subnet.parameters.num_uids;
        let message = format!("subnet {netuid} {commits}, {neurons} neurons");
        self.push("subnet", Verdict::Ok, message);
        let hotkey = hotkey?;
        let facts = self.need("hotkey", facts(&pinned, netuid, 0, hotkey))?;
        match (facts.uid, facts.validator_permit || facts.is_owner()) {
            (None, _) => {
                let message = format!("{hotkey} is not registered in subnet {netuid}");
                self.push("hotkey", Verdict::Failed, message);
            }
            (Some(uid), false) => {
                let message = format!("uid {uid} has no validator permit");
                self.push("hotkey", Verdict::Failed, message);
            }
            (Some(uid), true) => {
                let message = format!("uid {uid} may set weights");
                self.push("hotkey", Verdict::Ok, message);
            }
        }
        match facts.activity(alarm_percent) {
            Some(warning @ Warning::Activity { .. }) => {
                self.push("activity", Verdict::Warning, warning.to_string());
            }
            _ => self.push("activity", Verdict::Ok, "weights are recent".into()),
        }
        Some(())
    }
}
