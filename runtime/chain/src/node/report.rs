//! What commands print: plain data, versioned, with every node that was left out and why.

use super::capabilities::Missing;
use super::endpoints::{AgreeError, Endpoints, Excluded, Head, Pinned};
use super::metadata::RuntimeVersion;
use super::preflight::Facts;
use super::profile::{Network, Profile};
use super::snapshot::{Metagraph, SubnetParameters};
use crate::{AccountId, SS58_PREFIX};
use crate::{BlockRef, Hash};
use serde::Serialize;

/// The version of all reports.
pub const REPORT_VERSION: u32 = 1;

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
