//! `gradus weights`: from finished tournaments to what a validator sets on chain, and what that earns.

mod abandon;
mod audit;
mod collect;
mod landing;
mod set;
mod show;
mod simulate;
mod status;
mod values;

pub use landing::LandError;
pub use values::ValuesError;

use crate::cli::weights::{WeightsArgs, WeightsCommand};
use crate::commands::tournament::TournamentError;
use crate::exit::Exit;
use crate::input_file::{self, InputFileError};
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::output_file::OutputFileError;
use gradus_tasks::rules::RuleSetError;
use gradus_tasks::subnet::{self, Snapshot, SnapshotError};
use gradus_tasks::tournament::{CollectError, HotkeysError};
use gradus_tasks::weights::{AuditError, Moved, PlanError};
use gradus_tasks::yuma::InputError;
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// A file that is read.
    #[error(transparent)]
    Input(#[from] InputFileError),
    /// A file that is written.
    #[error(transparent)]
    Output(#[from] OutputFileError),
    /// The results.
    #[error("RESULTS {}", path.display())]
    Results {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: PlanError,
    },
    /// The rules that are named.
    #[error("--rules")]
    Rules(#[source] RuleSetError),
    /// A list that is no text.
    #[error("--participants {} is not UTF-8\nhelp: one hotkey on a line", .0.display())]
    NotText(PathBuf),
    /// Participants that are no hotkeys.
    #[error("--participants {}", path.display())]
    Participants {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: HotkeysError,
    },
    /// A tournament's file.
    #[error(transparent)]
    Tournament(Box<TournamentError>),
    /// Tournaments that are no results.
    #[error("the tournaments give no results")]
    Collect(#[source] CollectError),
    /// A tournament by rules that came later.
    #[error("{} was played by rules {played}, which are newer than {rules}\nhelp: leave --rules out, or name rules of its time", path.display())]
    NewerRules {
        /// The tournament's file.
        path: PathBuf,
        /// Its rules.
        played: String,
        /// Those that weights would be computed by.
        rules: String,
    },
    /// The clock is before 1970.
    #[error("this machine's clock says that it is before 1970\nhelp: set it, or say --now")]
    Clock,
    /// The snapshot.
    #[error("{}", path.display())]
    Snapshot {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: SnapshotError,
    },
    /// The audit file.
    #[error("{}", path.display())]
    Audit {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: AuditError,
    },
    /// The file has no recipe, and nothing else says over which hotkeys.
    #[error(
        "{} does not say over which hotkeys it was computed\nhelp: --subnet names a snapshot of its time, from `gradus chain metagraph --block N --json > subnet.json`",
        .0.display()
    )]
    NoSubnet(PathBuf),
    /// A snapshot from which nothing would be read.
    #[error(
        "--subnet is not needed: {} says over which hotkeys it was computed\nhelp: leave it out, or name with --hotkey whose row there to compare",
        .0.display()
    )]
    NothingOfSubnet(PathBuf),
    /// A row of another subnet.
    #[error("{} is of subnet {found}, and the record is of {expected}\nhelp: name a snapshot of subnet {expected}", path.display())]
    OtherSubnet {
        /// The snapshot's file.
        path: PathBuf,
        /// Its subnet.
        found: u16,
        /// The record's.
        expected: u16,
    },
    /// Weights that a file does not hold.
    #[error(transparent)]
    Values(#[from] ValuesError),
    /// The epoch cannot be simulated.
    #[error("the epoch cannot be simulated")]
    Epoch(#[source] InputError),
    /// Standard output.
    #[error("standard output")]
    Print(#[source] io::Error),
    /// Setting weights.
    #[error(transparent)]
    Land(#[from] Box<LandError>),
    /// What did not end well because it was not to go on.
    #[error("interrupted")]
    Interrupted(#[source] Box<WeightsError>),
}

impl From<LandError> for WeightsError {
    fn from(error: LandError) -> Self {
        Self::Land(Box::new(error))
    }
}

impl WeightsError {
    /// A failure that came after somebody asked to stop is told, and is no failure.
    fn if_asked_to(interrupt: &Interrupt, result: Result<Exit, Self>) -> Result<Exit, Self> {
        result.map_err(|error| match interrupt.requested() {
            true => Self::Interrupted(Box::new(error)),
            false => error,
        })
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Land(error) => error.code(),
            Self::Output(error) if error.is_usage() => 2,
            Self::Interrupted(_) => INTERRUPTED,
            _ => 1,
        }
    }
}

/// Does what the arguments say.
pub fn run(arguments: &WeightsArgs) -> Result<Exit, WeightsError> {
    match &arguments.command {
        WeightsCommand::Collect(arguments) => collect::run(arguments),
        WeightsCommand::Show(arguments) => show::run(arguments),
        WeightsCommand::Audit(arguments) => audit::run(arguments),
        WeightsCommand::Simulate(arguments) => simulate::run(arguments),
        WeightsCommand::Set(arguments) => set::run(arguments),
        WeightsCommand::Status(arguments) => status::run(arguments),
        WeightsCommand::Abandon(arguments) => abandon::run(arguments),
    }
}

fn read_subnet(argument: &'static str, path: &Path) -> Result<Snapshot, WeightsError> {
    let bytes = input_file::read(argument, path, subnet::FILE_BYTES_MAX)?;
    Snapshot::parse(&bytes).map_err(|source| of_subnet(path, source))
}

fn of_subnet(path: &Path, source: SnapshotError) -> WeightsError {
    WeightsError::Snapshot {
        path: path.to_owned(),
        source,
    }
}

/// A uid that is somebody else's than it was, in words.
fn moved(moved: &Moved) -> String {
    let Moved { uid, was, is } = moved;
    match is {
        Some(is) => format!("uid {uid} was {was}'s and is {is}'s"),
        None => format!("uid {uid} was {was}'s and is gone"),
    }
}

/// To standard output; a reader that went away is no failure.
fn print(text: &str) -> Result<(), WeightsError> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(WeightsError::Print(source))
        }
        _ => Ok(()),
    }
}

fn print_json(value: &impl Serialize) -> Result<(), WeightsError> {
    print(&(serde_json::to_string_pretty(value).expect("plain data") + "\n"))
}

#[cfg(test)]
mod tests;
