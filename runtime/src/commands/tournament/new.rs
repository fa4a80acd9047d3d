//! `gradus tournament new`: a file with a setup.

use super::{TournamentError, is_file, journal_file, print};
use crate::cli::tournament::NewArgs;
use crate::exit::Exit;
use crate::input_file;
use crate::output_file::{OutputFile, OutputFileError};
use gradus_tasks::rules::RuleSet;
use gradus_tasks::tournament::{Champion, Journal, Setup, Tournament};
use gradus_tasks::weights::TournamentType;
use std::path::Path;
use std::sync::Arc;

pub(super) fn run(arguments: &NewArgs) -> Result<Exit, TournamentError> {
    let path = &arguments.file;
    is_file(path)?;
    if path.symlink_metadata().is_ok() {
        return Err(TournamentError::Exists(path.clone()));
    }
    let file = OutputFile::checked(path)?;
    let rules = match &arguments.rules {
        Some(name) => RuleSet::named(name).map_err(TournamentError::Rules)?,
        None => RuleSet::newest(),
    };
    let champion = match &arguments.after {
        Some(earlier) => Some(after(earlier, arguments.kind.into())?),
        None => {
            let named = arguments.champion.as_ref().zip(arguments.wins);
            named.map(|(hotkey, wins)| Champion {
                hotkey: hotkey.clone(),
                consecutive_wins: wins,
                stored_difference: arguments.stored_difference,
            })
        }
    };
    let bytes = input_file::read("--entrants", &arguments.entrants, Journal::BYTES_MAX)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| TournamentError::NotText(arguments.entrants.clone()))?;
    let lines = text.lines().map(str::trim);
    let setup = Setup {
        version: Setup::VERSION,
        tournament_id: arguments.id.clone(),
        tournament_type: arguments.kind.into(),
        rules: rules.id.clone(),
        seed: arguments.seed,
        entrants: lines
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect(),
        champion,
    };
    let entrants = setup.entrants.len();
    Tournament::new(setup.clone(), Arc::new(rules)).map_err(TournamentError::Setup)?;
    let events = Vec::new();
    let journal = Journal { setup, events };
    // Somebody may have made it meanwhile.
    file.create(journal.to_text().as_bytes())
        .map_err(|error| match error {
            OutputFileError::Exists(path) => TournamentError::Exists(path),
            error => error.into(),
        })?;
    let said = format!(
        "{}: {entrants} entrants, waits for {{\"event\":\"started\"}}\n",
        path.display()
    );
    match print(&said) {
        Err(TournamentError::Print(source)) => Err(TournamentError::Unsaid {
            path: path.clone(),
            what: "the tournament is",
            source,
        }),
        said => said.map(|()| Exit::Done),
    }
}

/// Whom an earlier tournament left.
fn after(earlier: &Path, expected: TournamentType) -> Result<Champion, TournamentError> {
    let path = || earlier.to_owned();
    let read = journal_file::read("--after", earlier, None)?;
    let found = read.journal.setup.tournament_type;
    if found != expected {
        return Err(TournamentError::AfterType {
            path: path(),
            found,
            expected,
        });
    }
    let left = read.tournament.leaves();
    left.ok_or_else(|| TournamentError::AfterRunning(path()))
}
