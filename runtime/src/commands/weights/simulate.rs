//! `gradus weights simulate`: what the subnet's next epoch pays, as it is and with another vector.

use super::values::{self, Values};
use super::{WeightsError, of_subnet, print, print_json, read_subnet};
use crate::cli::weights::SimulateArgs;
use crate::exit::Exit;
use crate::printable::printable;
use gradus_tasks::subnet::Snapshot;
use gradus_tasks::yuma::{NeuronOutput, epoch};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// What `--json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    netuid: u16,
    block: u64,
    epochs: u16,
    emission_rao: u64,
    validator: Option<&'a str>,
    /// Why the validator's vector counts for nothing, if so.
    uncounted: Option<String>,
    neurons: Vec<Neuron<'a>>,
}

/// A neuron that earns something, before or after.
#[derive(Serialize)]
struct Neuron<'a> {
    uid: u16,
    hotkey: &'a str,
    now: Earned,
    /// With the other vector, if there is one.
    then: Option<Earned>,
}

/// Shares as the chain stores them, of 65,535.
#[derive(Clone, Copy, PartialEq, Serialize)]
struct Earned {
    validator_trust: u16,
    dividends: u16,
    incentive: u16,
    consensus: u16,
    miner_rao: u64,
    validator_rao: u64,
}

pub(super) fn run(arguments: &SimulateArgs) -> Result<Exit, WeightsError> {
    let subnet = read_subnet("SUBNET", &arguments.subnet)?;
    let block = arguments.block.unwrap_or(subnet.block);
    let now = earned(&subnet, block, arguments.epochs)?;
    let mut uncounted = None;
    let then = match (&arguments.hotkey, &arguments.weights) {
        (Some(hotkey), Some(weights)) => {
            let neuron = subnet
                .neuron(hotkey)
                .map_err(|source| of_subnet(&arguments.subnet, source))?;
            let row = read_row(weights)?;
            uncounted = subnet.uncounted(neuron.uid).map(|why| why.to_string());
            let then = subnet.with_row(neuron.uid, &row, block);
            Some(earned(&then, block, arguments.epochs)?)
        }
        _ => None,
    };
    let neurons = subnet
        .neurons
        .iter()
        .enumerate()
        .map(|(uid, neuron)| Neuron {
            uid: neuron.uid,
            hotkey: &neuron.hotkey,
            now: now[uid],
            then: then.as_ref().map(|then| then[uid]),
        })
        .filter(|row| row.now.is_something() || row.then.is_some_and(Earned::is_something))
        .collect();
    let shown = Shown {
        netuid: subnet.netuid,
        block,
        epochs: arguments.epochs,
        emission_rao: subnet.emission_rao,
        validator: arguments.hotkey.as_deref(),
        uncounted,
        neurons,
    };
    match arguments.json {
        true => print_json(&shown)?,
        false => print(&text(&shown))?,
    }
    Ok(Exit::Done)
}

/// Runs epochs, each from the bonds that the one before left; what the last one gives.
fn earned(subnet: &Snapshot, block: u64, epochs: u16) -> Result<Vec<Earned>, WeightsError> {
    let mut input = subnet.epoch_input(block);
    let mut output = epoch(&input).map_err(WeightsError::Epoch)?;
    for _ in 1..epochs {
        for (bonds, neuron) in input.bonds.iter_mut().zip(output.neurons) {
            *bonds = neuron.bonds;
        }
        output = epoch(&input).map_err(WeightsError::Epoch)?;
    }
    Ok(output.neurons.iter().map(Earned::of).collect())
}

impl Earned {
    fn of(neuron: &NeuronOutput) -> Self {
        Self {
            validator_trust: neuron.validator_trust.to_proportion(),
            dividends: neuron.dividends.to_proportion(),
            incentive: neuron.incentive.to_proportion(),
            consensus: neuron.consensus.to_proportion(),
            miner_rao: neuron.server_emission_rao,
            validator_rao: neuron.validator_emission_rao,
        }
    }

    fn is_something(self) -> bool {
        self.miner_rao > 0 || self.validator_rao > 0 || self.validator_trust > 0
    }
}

/// A row of weights: of an audit file, or as pairs.
fn read_row(path: &Path) -> Result<Vec<(u16, u16)>, WeightsError> {
    Ok(match values::read("--weights", path)? {
        Values::Recipe(recipe) => recipe.values,
        Values::Pairs(pairs) => pairs,
    })
}

fn text(shown: &Shown<'_>) -> String {
    let mut text = format!(
        "subnet {} at block {}, epoch {} from here, {} rao\n\n",
        shown.netuid, shown.block, shown.epochs, shown.emission_rao
    );
    let _ = writeln!(
        text,
        "{:>5}  {:48}  {:>6}  {:>15}  {:>15}  {:>15}",
        "uid", "hotkey", "vtrust", "as miner", "as validator", "change"
    );
    for row in &shown.neurons {
        let after = row.then.unwrap_or(row.now);
        let sum = |earned: Earned| i128::from(earned.miner_rao) + i128::from(earned.validator_rao);
        let change = match row.then {
            Some(then) => format!("{:+}", sum(then) - sum(row.now)),
            None => String::new(),
        };
        let line = format!(
            "{:>5}  {:48}  {:>6.4}  {:>15}  {:>15}  {:>15}",
            row.uid,
            printable(row.hotkey),
            f64::from(after.validator_trust) / f64::from(u16::MAX),
            after.miner_rao,
            after.validator_rao,
            change
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let paid = |of: fn(&Earned) -> u64| -> u64 {
        let each = shown.neurons.iter().map(|row| row.then.unwrap_or(row.now));
        each.map(|earned| of(&earned)).sum()
    };
    let _ = writeln!(
        text,
        "\nrao: {} to miners, {} to validators",
        paid(|earned| earned.miner_rao),
        paid(|earned| earned.validator_rao)
    );
    if let (Some(hotkey), Some(why)) = (shown.validator, &shown.uncounted) {
        let _ = writeln!(
            text,
            "the vector of {} does not count: {why}",
            printable(hotkey)
        );
    }
    text
}
