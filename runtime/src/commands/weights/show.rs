//! `gradus weights show`: the vector, and where each part of it comes from.

use super::{WeightsError, of_subnet, print, print_json, read_subnet};
use crate::cli::weights::ShowArgs;
use crate::exit::Exit;
use crate::input_file;
use crate::output_file::{OutputFile, apart};
use crate::printable::printable;
use gradus_tasks::subnet::Snapshot;
use gradus_tasks::weights::plan::FILE_BYTES_MAX;
use gradus_tasks::weights::pools::Pools;
use gradus_tasks::weights::vector::{Lost, LostFor};
use gradus_tasks::weights::{Plan, ResultsFile};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// What `--json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    rule_set: &'a str,
    netuid: u16,
    block: u64,
    pools: &'a Pools,
    weights: Vec<Weight<'a>>,
    lost: Vec<ShownLost<'a>>,
    total: f64,
}

#[derive(Serialize)]
struct Weight<'a> {
    uid: u16,
    hotkey: &'a str,
    weight: f64,
    value: u16,
}

#[derive(Serialize)]
struct ShownLost<'a> {
    hotkey: &'a str,
    what: String,
    weight: f64,
}

pub(super) fn run(arguments: &ShowArgs) -> Result<Exit, WeightsError> {
    let audit = arguments.audit.as_deref().map(OutputFile::checked);
    let audit = audit.transpose()?;
    let inputs: [&Path; 2] = [&arguments.results, &arguments.subnet];
    apart(&audit.iter().collect::<Vec<_>>(), &inputs)?;
    let subnet = read_subnet("--subnet", &arguments.subnet)?;
    let own = match &arguments.hotkey {
        Some(hotkey) => {
            let neuron = subnet.neuron(hotkey);
            Some(
                neuron
                    .map_err(|source| of_subnet(&arguments.subnet, source))?
                    .uid,
            )
        }
        None => None,
    };
    let path = &arguments.results;
    let failed = |source| WeightsError::Results {
        path: path.clone(),
        source,
    };
    let bytes = input_file::read("RESULTS", path, FILE_BYTES_MAX)?;
    let results = ResultsFile::parse(&bytes).map_err(failed)?;
    let plan = results
        .plan(&subnet, arguments.rounding.into(), own)
        .map_err(failed)?;
    if let Some(file) = audit {
        file.write((plan.audit.to_json() + "\n").as_bytes())?;
    }
    match arguments.json {
        true => print_json(&shown(&plan, &subnet))?,
        false => print(&text(&plan, &subnet))?,
    }
    Ok(Exit::Done)
}

fn shown<'a>(plan: &'a Plan, subnet: &'a Snapshot) -> Shown<'a> {
    Shown {
        rule_set: &plan.rules.id,
        netuid: subnet.netuid,
        block: subnet.block,
        pools: &plan.pools,
        weights: weights(plan, subnet),
        lost: plan.vector.lost.iter().map(shown_lost).collect(),
        total: plan.vector.total,
    }
}

/// Uids that have weight or a value.
fn weights<'a>(plan: &Plan, subnet: &'a Snapshot) -> Vec<Weight<'a>> {
    let value = |uid: u16| {
        let found = plan.values.iter().find(|(other, _)| *other == uid);
        found.map_or(0, |(_, value)| *value)
    };
    subnet
        .neurons
        .iter()
        .zip(&plan.vector.weights)
        .map(|(neuron, weight)| Weight {
            uid: neuron.uid,
            hotkey: &neuron.hotkey,
            weight: *weight,
            value: value(neuron.uid),
        })
        .filter(|row| row.weight > 0.0 || row.value > 0)
        .collect()
}

fn shown_lost(lost: &Lost) -> ShownLost<'_> {
    let what = match lost.what {
        LostFor::Tournament(kind) => format!("{kind} tournament: not registered, burned"),
        LostFor::Participation => "participation: not registered, nobody's".to_owned(),
        LostFor::BurnUid => "earned by the burn uid: replaced by what is burned".to_owned(),
        LostFor::Burn => "burned: the burn hotkey is not registered, nobody's".to_owned(),
    };
    ShownLost {
        hotkey: &lost.hotkey,
        what,
        weight: lost.weight,
    }
}

fn text(plan: &Plan, subnet: &Snapshot) -> String {
    let mut text = format!(
        "subnet {} at block {}, rules {}\n\n",
        subnet.netuid, subnet.block, plan.rules.id
    );
    let _ = writeln!(text, "{:12}  {:>12}  {:>12}", "type", "champion", "others");
    for (kind, pool) in plan.pools.types.iter() {
        let _ = writeln!(
            text,
            "{:12}  {:>12.6}  {:>12.6}",
            kind.to_string(),
            pool.champion,
            pool.others
        );
    }
    let _ = writeln!(text, "{:12}  {:>12.6}\n", "burned", plan.pools.burn);
    let _ = writeln!(
        text,
        "{:>5}  {:48}  {:>12}  {:>6}",
        "uid", "hotkey", "weight", "value"
    );
    for row in weights(plan, subnet) {
        let _ = writeln!(
            text,
            "{:>5}  {:48}  {:>12.8}  {:>6}",
            row.uid,
            printable(row.hotkey),
            row.weight,
            row.value
        );
    }
    let _ = writeln!(
        text,
        "\ntotal {} over {} uids",
        plan.vector.total,
        subnet.neurons.len()
    );
    for lost in plan.vector.lost.iter().map(shown_lost) {
        let hotkey = printable(lost.hotkey);
        let _ = writeln!(
            text,
            "reached nobody: {} of {hotkey} ({})",
            lost.weight, lost.what
        );
    }
    text
}
