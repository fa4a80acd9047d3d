//! What commands print: plain data, versioned, with every node that was left out and why.

use super::Hash;
use super::block::BlockRef;
use super::capabilities::Missing;
use super::endpoints::{AgreeError, AgreementPolicy, Endpoints, Excluded, Head, Pinned};
use super::metadata::RuntimeVersion;
use super::preflight::{Facts, Warning};
use super::profile::{Network, Profile};
use super::snapshot::{Metagraph, SubnetParameters};
use crate::{AccountId, SS58_PREFIX};
use serde::Serialize;

/// The version of all reports.
pub const REPORT_VERSION: u32 = 1;

/// Which chain this is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IdentityReport {
    /// The report's version.
    pub version: u32,
    /// The network.
    pub network: Network,
    /// Its first block.
    pub genesis: Hash,
    /// The newest block that all have in common.
    pub head: BlockRef,
    /// The newest that they have finalized.
    pub finalized: BlockRef,
    /// The head's time, milliseconds since 1970.
    pub timestamp_ms: u64,
    /// The head's runtime.
    pub runtime: RuntimeVersion,
    /// The prefix of addresses.
    pub ss58_prefix: u8,
    /// What is known and the runtime lacks.
    pub missing: Vec<Missing>,
    /// Who agrees.
    pub endpoints: Vec<String>,
    /// Who does not, and why.
    pub excluded: Vec<ExcludedReport>,
}

/// A node that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExcludedReport {
    /// Its address.
    pub url: String,
    /// Why.
    pub why: String,
}

/// A subnet's neurons, agreed on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetagraphReport {
    /// The report's version.
    pub version: u32,
    /// Who has which uid, in one hash.
    pub digest: Hash,
    /// All of it.
    pub metagraph: Metagraph,
    /// Who agrees.
    pub endpoints: Vec<String>,
    /// Who does not, and why.
    pub excluded: Vec<ExcludedReport>,
}

/// A subnet's parameters, agreed on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HyperparametersReport {
    /// The report's version.
    pub version: u32,
    /// All of them.
    pub parameters: SubnetParameters,
    /// Who agrees.
    pub endpoints: Vec<String>,
    /// Who does not, and why.
    pub excluded: Vec<ExcludedReport>,
}

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

fn excluded(all: &[&[Excluded]]) -> Vec<ExcludedReport> {
    let mut reports: Vec<ExcludedReport> = Vec::new();
    for excluded in all.iter().flat_map(|some| some.iter()) {
        let report = ExcludedReport {
            url: excluded.url.clone(),
            why: excluded.why.to_string(),
        };
        if !reports.contains(&report) {
            reports.push(report);
        }
    }
    reports
}

/// Which chain the nodes of `endpoints` have.
///
/// # Errors
/// [`AgreeError`].
pub fn identity(profile: &Profile, endpoints: &Endpoints) -> Result<IdentityReport, AgreeError> {
    let pinned = endpoints.pin(Head::Finalized)?;
    let head = match endpoints.pin(Head::Best) {
        Ok(best) => best.block,
        // Nodes may be on different branches of what is not final; that is no fault of theirs.
        Err(_) => pinned.block,
    };
    let urls = pinned.snapshots().iter();
    Ok(IdentityReport {
        version: REPORT_VERSION,
        network: profile.network,
        genesis: endpoints.genesis(),
        head,
        finalized: pinned.finalized,
        timestamp_ms: pinned.timestamp_ms,
        runtime: pinned.runtime.clone(),
        ss58_prefix: SS58_PREFIX,
        missing: pinned.first().capabilities().missing().to_vec(),
        endpoints: urls.map(|one| one.node().url().to_owned()).collect(),
        excluded: excluded(&[&pinned.excluded]),
    })
}

/// A subnet's neurons at a pinned block.
///
/// # Errors
/// [`AgreeError`].
pub fn metagraph(pinned: &Pinned<'_>, netuid: u16) -> Result<MetagraphReport, AgreeError> {
    let agreed = pinned.read("the metagraph", |snapshot| snapshot.metagraph(netuid))?;
    Ok(MetagraphReport {
        version: REPORT_VERSION,
        digest: agreed.value.digest(),
        metagraph: agreed.value,
        endpoints: agreed.by,
        excluded: excluded(&[&pinned.excluded, &agreed.excluded]),
    })
}

/// A subnet's parameters at a pinned block.
///
/// # Errors
/// [`AgreeError`].
pub fn hyperparameters(
    pinned: &Pinned<'_>,
    netuid: u16,
) -> Result<HyperparametersReport, AgreeError> {
    let agreed = pinned.read("the parameters", |snapshot| snapshot.subnet(netuid))?;
    Ok(HyperparametersReport {
        version: REPORT_VERSION,
        parameters: agreed.value,
        endpoints: agreed.by,
        excluded: excluded(&[&pinned.excluded, &agreed.excluded]),
    })
}

/// What a submission of `hotkey` depends on, agreed on at a pinned block.
///
/// # Errors
/// [`AgreeError`].
pub fn facts(
    pinned: &Pinned<'_>,
    netuid: u16,
    mechanism: u8,
    hotkey: AccountId,
) -> Result<Facts, AgreeError> {
    let agreed = pinned.read("what weights depend on", |snapshot| {
        snapshot.facts(netuid, mechanism, hotkey)
    })?;
    Ok(agreed.value)
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
