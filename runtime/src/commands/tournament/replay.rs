//! `gradus tournament replay`: the state again, from the setup and the events alone.

use super::{TournamentError, journal_file, print};
use crate::cli::tournament::ReplayArgs;
use crate::exit::Exit;
use crate::output_file::{OutputFile, apart};
use gradus_tasks::sha256_hex;
use serde_json::json;

pub(super) fn run(arguments: &ReplayArgs) -> Result<Exit, TournamentError> {
    let checked =
        |path: &Option<std::path::PathBuf>| path.as_deref().map(OutputFile::checked).transpose();
    let (state, result) = (checked(&arguments.state)?, checked(&arguments.result)?);
    let path = &arguments.file;
    let outputs: Vec<&OutputFile> = state.iter().chain(&result).collect();
    apart(&outputs, &[path])?;
    let read = journal_file::read("FILE", path, arguments.until)?;
    let tournament = &read.tournament;
    let outcome = tournament.result();
    if let (Some(path), None) = (&arguments.result, &outcome) {
        return Err(TournamentError::NotOver(path.clone()));
    }
    let text = tournament.to_json();
    if let Some(file) = state {
        file.write(text.as_bytes())?;
    }
    if let (Some(file), Some(outcome)) = (result, &outcome) {
        let text = serde_json::to_string_pretty(outcome).expect("plain data");
        file.write((text + "\n").as_bytes())?;
    }
    let said = json!({
        "tournament_id": tournament.state().setup.tournament_id,
        "rules": tournament.rules().id,
        "events": read.journal.events.len(),
        "stage": tournament.state().stage,
        "state_sha256": sha256_hex(text.as_bytes()),
        "champion": outcome.as_ref().and_then(|outcome| outcome.champion.clone()),
    });
    print(&format!("{said:#}\n"))?;
    Ok(Exit::Done)
}
