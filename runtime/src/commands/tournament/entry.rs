//! `gradus tournament entry`: a file of answers and facts to who plays, who does not and why, and when.
//!
//! | module | is about |
//! |---|---|
//! | `known` | the file's answers and facts, as the gate takes them |
//! | `find` | facts that the gate asks for and that trees and the checker can say |
//! | `checkout` | trees on disk: files that count, licences, the commit |
//! | `table`, `report` | the decision, for people and for programs |
//! | `error` | why there is none |
//!
//! The gate says what it needs, so that no tree is read and no checker started for somebody who is out anyway. The file is
//! the operator's; answers and trees are strangers'.

mod checkout;
mod error;
mod find;
mod known;
mod report;
mod table;

pub use error::EntryError;

use super::print;
use crate::cli::tournament::EntryArgs;
use crate::exit::Exit;
use crate::input_file;
use crate::output_file::{OutputFile, OutputFileError, apart};
use find::Finder;
use gradus_tasks::entry::{EntryFile, Field, GateInput, GateOutcome, Start, decide, may_start};
use known::Known;
use std::path::Path;

/// Files above this are refused, bytes.
const FILE_BYTES_MAX: usize = 64 << 20;

pub(super) fn run(arguments: &EntryArgs) -> Result<Exit, EntryError> {
    let checked = |path: &Option<std::path::PathBuf>| -> Result<_, OutputFileError> {
        path.as_deref().map(OutputFile::checked).transpose()
    };
    let (json, list) = (checked(&arguments.json)?, checked(&arguments.entrants)?);
    let path = &arguments.file;
    let outputs: Vec<&OutputFile> = json.iter().chain(&list).collect();
    apart(&outputs, &[path])?;
    let bytes = input_file::read("FILE", path, FILE_BYTES_MAX)?;
    let failed = |source| EntryError::File {
        path: path.clone(),
        source,
    };
    let file = EntryFile::from_bytes(&bytes).map_err(failed)?;
    let rules = file.rule_set().map_err(failed)?;
    let ledger = file.balances().map_err(failed)?;
    let enrolled = file.enrolled(&rules).map_err(failed)?;
    // Paths in the file are from where it lies.
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    let known = Known::read(&file, &rules, &base)?;
    let start = may_start(
        &rules,
        file.tournament_type,
        file.now_unix_s,
        &file.previous,
    )?;
    let datasets = file.datasets.iter().cloned().collect();
    let mut finder = Finder::new(&file, &rules, &base, known);
    let decision = loop {
        let input = GateInput {
            rules: &rules,
            tournament: file.tournament_type,
            tournament_id: &file.tournament_id,
            now_unix_s: file.now_unix_s,
            boss: &rules.emission.burn_hotkey,
            enrolled: &enrolled,
            candidates: &finder.known.candidates,
            facts: &finder.known.facts,
            datasets: &datasets,
            ledger: &ledger,
        };
        match decide(&input)? {
            GateOutcome::Decided(decision) => break decision,
            GateOutcome::Needs(needs) => finder.find(&needs)?,
        }
    };
    print(&table::text(&file, &rules, &decision, &start))
        .map_err(|error| EntryError::Print(Box::new(error)))?;
    if let Some(place) = json {
        let text = report::text(&file, &decision, &start, &finder.checks);
        place.write(text.as_bytes())?;
    }
    if let Some(place) = list {
        let not_ready = |why| EntryError::NotReady {
            path: place.path().to_owned(),
            why,
        };
        let Field::Ready { bracket } = &decision.field else {
            return Err(not_ready("the field is not ready"));
        };
        if let Start::Held { .. } = start {
            return Err(not_ready("the start is held"));
        }
        let lines: String = bracket.iter().map(|hotkey| format!("{hotkey}\n")).collect();
        place.write(lines.as_bytes())?;
    }
    Ok(Exit::Done)
}
