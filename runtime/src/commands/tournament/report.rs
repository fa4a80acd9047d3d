//! `gradus tournament report`: the page.

use super::{TournamentError, journal_file};
use crate::cli::tournament::ReportArgs;
use crate::exit::Exit;
use crate::output_file::{OutputFile, apart};
use crate::report::tournament;

pub(super) fn run(arguments: &ReportArgs) -> Result<Exit, TournamentError> {
    let file = OutputFile::checked(&arguments.html)?;
    apart(&[&file], &[&arguments.file])?;
    let read = journal_file::read("FILE", &arguments.file, None)?;
    file.write(tournament::render(&read.tournament, &read.journal).as_bytes())?;
    Ok(Exit::Done)
}
