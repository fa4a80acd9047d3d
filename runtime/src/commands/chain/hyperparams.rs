//! `gradus chain hyperparams`: what a subnet demands of weights, and what its epochs are run with.

use super::{ChainError, connect, left_out, of_block, pin, print, print_json};
use crate::chain::connect::Plan;
use crate::cli::chain::SubnetArgs;
use crate::exit::Exit;
use gradus_chain::node::report::{self, ExcludedReport};
use gradus_chain::node::{EpochSettings, Network, SubnetParameters};
use serde::Serialize;
use std::fmt::Write;

/// What `--json` prints.
#[derive(Serialize)]
struct Shown {
    version: u32,
    network: Network,
    spec_version: u32,
    parameters: SubnetParameters,
    epoch: EpochSettings,
    /// Who agrees.
    endpoints: Vec<String>,
    /// Who does not, and why.
    excluded: Vec<ExcludedReport>,
}

pub(super) fn run(arguments: &SubnetArgs) -> Result<Exit, ChainError> {
    let plan = Plan::new(&arguments.nodes, Some(&arguments.subnet))?;
    let endpoints = connect(&plan)?;
    let pinned = pin(&endpoints, arguments.block)?;
    let netuid = plan.profile.netuid;
    let failed = |source| of_block(arguments.block, source);
    let report = report::hyperparameters(&pinned, netuid).map_err(failed)?;
    let epoch = pinned
        .read("settings of its epoch", |node| {
            node.epoch_settings(netuid, 0)
        })
        .map_err(failed)?;
    let mut shown = Shown {
        version: report.version,
        network: plan.profile.network,
        spec_version: pinned.runtime.spec_version,
        parameters: report.parameters,
        epoch: epoch.value,
        endpoints: report.endpoints,
        excluded: report.excluded,
    };
    shown.endpoints.retain(|url| epoch.by.contains(url));
    for one in &epoch.excluded {
        let (url, why) = (one.url.clone(), one.why.to_string());
        if !shown.excluded.iter().any(|known| known.url == url) {
            shown.excluded.push(ExcludedReport { url, why });
        }
    }
    match arguments.json {
        true => print_json(&shown)?,
        false => print(&text(&shown))?,
    }
    Ok(Exit::Done)
}

fn text(shown: &Shown) -> String {
    let (subnet, epoch) = (&shown.parameters, &shown.epoch);
    let mut text = format!(
        "subnet {} of {} at block {}, spec {}; nodes that agree: {}\n\n",
        subnet.netuid,
        shown.network,
        subnet.block.number,
        shown.spec_version,
        shown.endpoints.len()
    );
    let on = |flag: bool| if flag { "on" } else { "off" }.to_owned();
    let or_none =
        |number: Option<u64>| number.map_or("–".to_owned(), |number| number.to_string());
    // What is stored where a subnet's owner has no hotkey.
    let owner = match subnet.owner_hotkey.0 == [0; 32] {
        true => "–".to_owned(),
        false => subnet.owner_hotkey.to_string(),
    };
    let factor = subnet.activity_cutoff.factor_milli;
    let share = "of 65535";
    let rows: [(&str, String, &str); 27] = [
        ("neurons", subnet.num_uids.to_string(), "uids"),
        (
            "mechanisms",
            or_none(subnet.mechanism_count.map(u64::from)),
            "",
        ),
        ("tempo", subnet.tempo.to_string(), "blocks"),
        (
            "blocks_since_last_step",
            subnet.blocks_since_last_step.to_string(),
            "blocks",
        ),
        (
            "last_epoch_block",
            or_none(subnet.last_epoch_block),
            "block",
        ),
        (
            "subnet_epoch_index",
            or_none(subnet.subnet_epoch_index),
            "epochs",
        ),
        (
            "weights_min",
            subnet.min_allowed_weights.to_string(),
            "uids",
        ),
        ("max_weight", epoch.max_weight.to_string(), share),
        (
            "weights_version",
            subnet.weights_version_key.to_string(),
            "",
        ),
        (
            "weights_rate_limit",
            subnet.weights_set_rate_limit_blocks.to_string(),
            "blocks",
        ),
        ("commit_reveal", on(subnet.commit_reveal_enabled), ""),
        (
            "commit_reveal_version",
            subnet.commit_reveal_version.to_string(),
            "",
        ),
        (
            "reveal_period",
            subnet.reveal_period_epochs.to_string(),
            "epochs",
        ),
        (
            "stake_threshold",
            subnet.stake_threshold_rao.to_string(),
            "rao",
        ),
        (
            "activity_cutoff",
            subnet.activity_cutoff.blocks.to_string(),
            "blocks",
        ),
        (
            "activity_cutoff_factor",
            or_none(factor.map(u64::from)),
            "thousandths of the tempo",
        ),
        ("yuma3", on(epoch.yuma3), ""),
        ("kappa", epoch.kappa.to_string(), share),
        ("bonds_penalty", epoch.bonds_penalty.to_string(), share),
        (
            "bonds_moving_average",
            epoch.bonds_moving_average_ppm.to_string(),
            "millionths",
        ),
        ("liquid_alpha", on(epoch.liquid_alpha), ""),
        (
            "last_step_block",
            epoch.last_step_block.to_string(),
            "block",
        ),
        (
            "pending_server_emission",
            epoch.pending.server_rao.to_string(),
            "rao",
        ),
        (
            "pending_validator_emission",
            epoch.pending.validator_rao.to_string(),
            "rao",
        ),
        (
            "pending_root_emission",
            epoch.pending.root_rao.to_string(),
            "rao",
        ),
        (
            "next_epoch_emission",
            epoch.pending.mechanism_rao.to_string(),
            "rao",
        ),
        ("owner_hotkey", owner, ""),
    ];
    for (name, value, unit) in rows {
        let line = format!("{name:27}{value:>20}  {unit}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let excluded = shown.excluded.iter();
    text + &left_out(excluded.map(|one| format!("{}: {}", one.url, one.why)))
}
