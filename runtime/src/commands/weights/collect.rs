//! `gradus weights collect`: tournaments' files to the file that weights are computed from.

use super::{WeightsError, print};
use crate::cli::weights::CollectArgs;
use crate::commands::tournament::{Begun, read_begun};
use crate::exit::Exit;
use crate::input_file;
use crate::output_file::{OutputFile, apart};
use gradus_tasks::rules::RuleSet;
use gradus_tasks::tournament::{collect, hotkeys};
use gradus_tasks::weights::plan::FILE_BYTES_MAX;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn run(arguments: &CollectArgs) -> Result<Exit, WeightsError> {
    let file = arguments.output.as_deref().map(OutputFile::checked);
    let file = file.transpose()?;
    let tournaments = arguments.tournaments.iter().map(PathBuf::as_path);
    let inputs: Vec<&Path> = tournaments.chain([&*arguments.participants]).collect();
    apart(&file.iter().collect::<Vec<_>>(), &inputs)?;
    let rules = match &arguments.rules {
        Some(name) => RuleSet::named(name).map_err(WeightsError::Rules)?,
        None => RuleSet::newest(),
    };
    let path = &arguments.participants;
    let bytes = input_file::read("--participants", path, FILE_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| WeightsError::NotText(path.clone()))?;
    let participants = hotkeys(&text).map_err(|source| WeightsError::Participants {
        path: path.clone(),
        source,
    })?;
    let (mut finished, mut running) = (Vec::new(), Vec::new());
    for path in &arguments.tournaments {
        let read = read_begun(path);
        let (one, played) = read.map_err(|error| WeightsError::Tournament(Box::new(error)))?;
        // Names of rule sets begin with their dates.
        if played > rules.id {
            return Err(WeightsError::NewerRules {
                path: path.clone(),
                played,
                rules: rules.id,
            });
        }
        match one {
            Begun::Over(one) => finished.push(*one),
            Begun::Runs(one) => running.push(one),
        }
    }
    let now = match arguments.now {
        Some(now) => now.saturating_mul(1_000_000),
        None => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            let since = since
                .ok()
                .and_then(|since| i64::try_from(since.as_micros()).ok());
            since.ok_or(WeightsError::Clock)?
        }
    };
    let results = collect::collect(&rules, finished, &running, participants, Vec::new(), now)
        .map_err(WeightsError::Collect)?;
    let text = serde_json::to_string_pretty(&results).expect("plain data") + "\n";
    match file {
        Some(file) => file.write(text.as_bytes())?,
        None => print(&text)?,
    }
    Ok(Exit::Done)
}
