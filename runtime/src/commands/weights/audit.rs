//! `gradus weights audit`: a published record, recomputed.

use super::{WeightsError, moved, of_subnet, print, print_json, read_subnet};
use crate::cli::weights::AuditArgs;
use crate::exit::Exit;
use crate::input_file;
use crate::printable::printable;
use gradus_tasks::rules::RuleSet;
use gradus_tasks::subnet::Snapshot;
use gradus_tasks::weights::audit::{FILE_BYTES_MAX, Recipe};
use gradus_tasks::weights::{
    AuditError, AuditFile, Difference, Metagraph, Moved, Rounding, RowVerdict, judge_row, quantise,
};
use serde::Serialize;
use std::path::Path;

/// What `--json` prints.
#[derive(Serialize)]
struct Shown {
    rule_set: String,
    /// Whether the file says what everything was computed from, so that all of it was recomputed.
    whole: bool,
    difference: Option<ShownDifference>,
    /// Against the row on chain.
    row: Option<ShownRow>,
}

#[derive(Serialize)]
struct ShownDifference {
    at: String,
    recorded: String,
    recomputed: String,
}

#[derive(Serialize)]
struct ShownRow {
    hotkey: String,
    cosine: Option<f64>,
    passes: bool,
    first: Option<ShownDifference>,
    /// Uids with a value that were somebody else's when the record was made: the row pays those who have them now.
    moved: Vec<ShownMoved>,
}

#[derive(Serialize)]
struct ShownMoved {
    uid: u16,
    was: String,
    is: Option<String>,
    #[serde(skip)]
    text: String,
}

impl From<Moved> for ShownMoved {
    fn from(one: Moved) -> Self {
        let text = moved(&one);
        let Moved { uid, was, is } = one;
        Self { uid, was, is, text }
    }
}

impl From<Difference> for ShownDifference {
    fn from(difference: Difference) -> Self {
        Self {
            at: difference.at,
            recorded: difference.recorded,
            recomputed: difference.recomputed,
        }
    }
}

pub(super) fn run(arguments: &AuditArgs) -> Result<Exit, WeightsError> {
    let path = &arguments.file;
    let failed = |source| WeightsError::Audit {
        path: path.clone(),
        source,
    };
    let bytes = input_file::read("FILE", path, FILE_BYTES_MAX)?;
    let file = AuditFile::parse(&bytes).map_err(failed)?;
    let subnet = match &arguments.subnet {
        Some(path) => Some((path.as_path(), read_subnet("--subnet", path)?)),
        None => None,
    };
    let rule_set = match (&file.gradus, &arguments.rules) {
        (Some(recipe), _) => recipe.rule_set.clone(),
        (None, Some(name)) => name.clone(),
        (None, None) => RuleSet::newest_name().to_owned(),
    };
    let rules = RuleSet::named(&rule_set).map_err(|error| failed(AuditError::Rules(error)))?;
    let difference = match file.gradus {
        Some(_) => file.first_difference().map_err(failed)?,
        None => None,
    };
    if let (Some(recipe), Some((of, subnet))) = (&file.gradus, &subnet) {
        if arguments.hotkey.is_none() {
            return Err(WeightsError::NothingOfSubnet(path.clone()));
        }
        if subnet.netuid != recipe.netuid {
            return Err(WeightsError::OtherSubnet {
                path: (*of).to_owned(),
                found: subnet.netuid,
                expected: recipe.netuid,
            });
        }
    }
    let values = match (&file.gradus, &subnet) {
        (Some(recipe), _) => recipe.values.clone(),
        (None, Some((_, subnet))) => {
            values(&file, &rules, subnet, arguments.rounding.into()).map_err(failed)?
        }
        (None, None) => return Err(WeightsError::NoSubnet(path.clone())),
    };
    let row = match (&arguments.hotkey, &subnet) {
        (Some(hotkey), Some((path, subnet))) => {
            let mut row = row(path, subnet, hotkey, &rules, &values, failed)?;
            if let Some(recipe) = &file.gradus {
                row.moved = moved_since(recipe, subnet).map_err(failed)?;
                row.passes &= row.moved.is_empty();
            }
            Some(row)
        }
        _ => None,
    };
    let differs = difference.is_some() || row.as_ref().is_some_and(|row| !row.passes);
    let shown = Shown {
        rule_set,
        whole: file.gradus.is_some(),
        difference: difference.map(Into::into),
        row,
    };
    match arguments.json {
        true => print_json(&shown)?,
        false => print(&text(&shown, values.len()))?,
    }
    Ok(match differs {
        true => Exit::Wrong,
        false => Exit::Done,
    })
}

/// The values of a record that holds results and pools alone.
fn values(
    file: &AuditFile,
    rules: &RuleSet,
    subnet: &Snapshot,
    rounding: Rounding,
) -> Result<Vec<(u16, u16)>, AuditError> {
    let metagraph = subnet.metagraph().map_err(AuditError::Metagraph)?;
    let vector = file.tournament_audit_data.vector(rules, &metagraph)?;
    let uids: Vec<u16> = (0u16..).take(vector.weights.len()).collect();
    quantise(rounding, &uids, &vector.weights, &subnet.limits(None)).map_err(AuditError::Quantise)
}

/// Uids to which the record gives something and which are somebody else's in the snapshot.
fn moved_since(recipe: &Recipe, subnet: &Snapshot) -> Result<Vec<ShownMoved>, AuditError> {
    let then = Metagraph::new(recipe.hotkeys.clone()).map_err(AuditError::Metagraph)?;
    let now = subnet.metagraph().map_err(AuditError::Metagraph)?;
    let given = recipe.values.iter().filter(|(_, value)| *value > 0);
    let moved = then.moved(&now, given.map(|(uid, _)| *uid));
    Ok(moved.into_iter().map(Into::into).collect())
}

fn row(
    path: &Path,
    subnet: &Snapshot,
    hotkey: &str,
    rules: &RuleSet,
    values: &[(u16, u16)],
    failed: impl FnOnce(AuditError) -> WeightsError,
) -> Result<ShownRow, WeightsError> {
    let neuron = subnet
        .neuron(hotkey)
        .map_err(|source| of_subnet(path, source))?;
    let verdict = judge_row(rules, values, &neuron.weights).map_err(failed)?;
    let RowVerdict {
        cosine,
        passes,
        first,
    } = verdict;
    Ok(ShownRow {
        hotkey: hotkey.to_owned(),
        cosine,
        passes,
        first: first.map(Into::into),
        moved: Vec::new(),
    })
}

fn text(shown: &Shown, values: usize) -> String {
    let mut text = match (&shown.difference, shown.whole) {
        (Some(first), _) => format!(
            "differs by rules {}: {} is recorded as {}, recomputed as {}\n",
            shown.rule_set, first.at, first.recorded, first.recomputed
        ),
        (None, true) => format!(
            "all of it comes out again by rules {}: pools, weights, {values} values\n",
            shown.rule_set
        ),
        (None, false) => format!(
            "by rules {} the record gives {values} values; where its pools come from it does not say\n",
            shown.rule_set
        ),
    };
    if let Some(row) = &shown.row {
        let cosine = row.cosine.map_or("none".to_owned(), |c| c.to_string());
        let verdict = match row.passes {
            true => "passes",
            false => "does not pass",
        };
        text += &format!("the row of {} {verdict}: cosine {cosine}", row.hotkey);
        text += &match &row.first {
            Some(first) => format!(
                "; first difference at {}: {} on chain, {} recomputed\n",
                first.at, first.recorded, first.recomputed
            ),
            None => "; equal to the last unit\n".to_owned(),
        };
        for moved in &row.moved {
            text += &format!("{}\n", printable(&moved.text));
        }
    }
    text
}
