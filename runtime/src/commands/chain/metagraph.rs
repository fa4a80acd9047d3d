//! `gradus chain metagraph`: a subnet's neurons for people, all of the subnet for `gradus weights`.

use super::{ChainError, connect, left_out, of_subnet, pin, print, tell};
use crate::chain::connect::Plan;
use crate::chain::subnet::{self, Reading};
use crate::cli::chain::SubnetArgs;
use crate::exit::Exit;
use crate::printable::printable;
use gradus_tasks::subnet::{Neuron, Snapshot};
use std::fmt::Write;

/// Rao of one token.
const RAO: f64 = 1e9;

pub(super) fn run(arguments: &SubnetArgs) -> Result<Exit, ChainError> {
    let plan = Plan::new(&arguments.nodes, Some(&arguments.subnet))?;
    let endpoints = connect(&plan)?;
    let pinned = pin(&endpoints, arguments.block)?;
    let netuid = plan.profile.netuid;
    let reading = subnet::read(&pinned, plan.profile.network, netuid, 0)
        .map_err(|source| of_subnet(arguments.block, netuid, source))?;
    if arguments.json {
        tell(&reading.excluded);
        print(&reading.snapshot.to_json())?;
    } else {
        print(&text(&reading))?;
    }
    Ok(Exit::Done)
}

fn text(reading: &Reading) -> String {
    let subnet = &reading.snapshot;
    let mut text = format!(
        "subnet {} of {} at block {}, neurons: {}, nodes that agree: {}\n\n{:>5}  {:48}  {:>16}  {:>6}  {:>9}  {:>9}  {:>9}  {:>7}  {:>7}\n",
        subnet.netuid,
        subnet.network,
        subnet.block,
        subnet.neurons.len(),
        reading.endpoints.len(),
        "uid",
        "hotkey",
        "stake",
        "permit",
        "updated",
        "incentive",
        "dividends",
        "weights",
        "bonds",
    );
    for neuron in &subnet.neurons {
        let _ = writeln!(text, "{}", row(subnet, neuron).trim_end());
    }
    let excluded = reading.excluded.iter();
    text += "\nstake in tokens with all that counts for weights; updated: blocks since; weights, bonds: uids in the row\n";
    text + &left_out(excluded.map(ToString::to_string))
}

fn row(subnet: &Snapshot, neuron: &Neuron) -> String {
    let share = |value: u16| f64::from(value) / f64::from(u16::MAX);
    let owns = subnet.owner_uid() == Some(neuron.uid);
    let permit = match (owns, neuron.validator_permit) {
        (true, _) => "owner",
        (false, true) => "yes",
        (false, false) => "",
    };
    let updated = match neuron.last_update {
        0 => "never".to_owned(),
        last => subnet.block.saturating_sub(last).to_string(),
    };
    format!(
        "{:>5}  {:48}  {:>16.3}  {permit:>6}  {updated:>9}  {:>9.5}  {:>9.5}  {:>7}  {:>7}",
        neuron.uid,
        printable(&neuron.hotkey),
        neuron.stake_rao as f64 / RAO,
        share(neuron.incentive),
        share(neuron.dividends),
        neuron.weights.len(),
        neuron.bonds.len(),
    )
}
