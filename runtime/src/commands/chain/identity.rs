//! `gradus chain identity`: which chain the nodes have, how far it is, and who agrees.

use super::{ChainError, connect, left_out, print, print_json};
use crate::chain::connect::Plan;
use crate::cli::chain::IdentityArgs;
use crate::exit::Exit;
use crate::printable::printable;
use gradus_chain::node::report::{self, IdentityReport};
use serde::Serialize;

/// What `--json` prints.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    report: IdentityReport,
    /// Blocks that the newest final one is behind the newest.
    finality_lag_blocks: u64,
    /// How many nodes have to agree.
    required: usize,
}

pub(super) fn run(arguments: &IdentityArgs) -> Result<Exit, ChainError> {
    let plan = Plan::new(&arguments.nodes, None)?;
    let endpoints = connect(&plan)?;
    let report = report::identity(&plan.profile, &endpoints).map_err(ChainError::Agree)?;
    let shown = Shown {
        finality_lag_blocks: report.head.number.saturating_sub(report.finalized.number),
        required: plan.policy.required,
        report,
    };
    match arguments.json {
        true => print_json(&shown)?,
        false => print(&text(&shown))?,
    }
    Ok(Exit::Done)
}

fn text(shown: &Shown) -> String {
    let report = &shown.report;
    let runtime = &report.runtime;
    let mut text = format!(
        "network    {}\ngenesis    {}\nruntime    {} {}, transactions of version {}\nhead       {}\nfinal      {}, {} blocks behind\ntime       {} ms since 1970\naddresses  of prefix {}\nagreement  of {} nodes, at least {}\n",
        report.network,
        report.genesis,
        printable(&runtime.spec_name),
        runtime.spec_version,
        runtime.transaction_version,
        report.head,
        report.finalized,
        shown.finality_lag_blocks,
        report.timestamp_ms,
        report.ss58_prefix,
        report.endpoints.len(),
        shown.required,
    );
    for url in &report.endpoints {
        text += &format!("           {}\n", printable(url));
    }
    for missing in &report.missing {
        text += &match &missing.found {
            None => format!("lacks      {}\n", missing.name),
            Some(found) => format!("differs    {}: {}\n", missing.name, printable(found)),
        };
    }
    let excluded = report.excluded.iter();
    text + &left_out(excluded.map(|one| format!("{}: {}", one.url, one.why)))
}
