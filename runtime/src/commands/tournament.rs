//! `gradus tournament`: events in, a champion out, and a file from which anyone can recompute it.

mod apply;
mod entry;
mod journal_file;
mod new;
mod replay;
mod report;
mod show;

pub use entry::EntryError;

use crate::cli::tournament::{TournamentArgs, TournamentCommand};
use crate::exit::Exit;
use crate::input_file::InputFileError;
use crate::output_file::OutputFileError;
use gradus_tasks::rules::RuleSetError;
use gradus_tasks::tournament::journal::ReplayError;
use gradus_tasks::tournament::{Finished, JournalError, Refusal, Running, SetupError};
use gradus_tasks::utc::utc;
use gradus_tasks::weights::TournamentType;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum TournamentError {
    /// A file that is read.
    #[error(transparent)]
    Input(#[from] InputFileError),
    /// A file that is written.
    #[error(transparent)]
    Output(#[from] OutputFileError),
    /// The rules that are named.
    #[error("--rules")]
    Rules(#[source] RuleSetError),
    /// What it would begin with.
    #[error("the tournament does not begin")]
    Setup(#[source] SetupError),
    /// Nobody to defend yet.
    #[error("--after {}: the tournament is not over\nhelp: `gradus tournament show` says what it waits for", .0.display())]
    AfterRunning(PathBuf),
    /// Somebody who has another title.
    #[error("--after {}: it is one of {found}, expected one of {expected}\nhelp: name the one before it of its own type", path.display())]
    AfterType {
        /// The file.
        path: PathBuf,
        /// What was competed in there.
        found: TournamentType,
        /// What is competed in here.
        expected: TournamentType,
    },
    /// Entrants that are no text.
    #[error("--entrants {} is not UTF-8\nhelp: one hotkey on a line", .0.display())]
    NotText(PathBuf),
    /// A file that is there.
    #[error("{} is there already\nhelp: a tournament's file is never made anew; name another, or move that one away", .0.display())]
    Exists(PathBuf),
    /// The tournament's file.
    #[error("{}", path.display())]
    Journal {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: JournalError,
    },
    /// The events do not make a tournament.
    #[error("{}", path.display())]
    Replay {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ReplayError,
    },
    /// An event that is none.
    #[error("EVENTS line {line} is no event{}: {message}\nhelp: nothing was added", if *.stamp { ", without its envelope" } else { "" })]
    Event {
        /// From 1.
        line: usize,
        /// Whether only what happened was expected.
        stamp: bool,
        /// Why.
        message: String,
    },
    /// An event that does not apply.
    #[error("EVENTS line {line} is refused, and nothing was added")]
    Refused {
        /// From 1.
        line: usize,
        /// Why.
        #[source]
        refusal: Refusal,
    },
    /// An event of a time that is not yet.
    #[error("EVENTS line {line} is refused, and nothing was added: it is of {}, and this machine's clock says {}\nhelp: set the clock that is wrong, and the event's at_unix_us; it may be a day ahead", utc(at_unix_us / 1_000_000), utc(now_unix_us / 1_000_000))]
    Future {
        /// From 1.
        line: usize,
        /// When it says that it was, microseconds since 1970.
        at_unix_us: i64,
        /// When it is, microseconds since 1970.
        now_unix_us: i64,
    },
    /// A file that could not be read again.
    #[error("{} would have {bytes} bytes with these events, and a tournament's file has at most {most}; nothing was added\nhelp: losses of rows take the most room: score fewer rows", path.display())]
    TooLarge {
        /// The tournament's file.
        path: PathBuf,
        /// How many it would have.
        bytes: usize,
        /// How many it can have.
        most: usize,
    },
    /// A file that could not be replaced.
    #[error("{} is as it was: the events were not added\nhelp: make room, or its directory writable, and do it again", path.display())]
    NotAdded {
        /// The tournament's file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file that has another name, which would go on without what is added.
    #[error("{} has {links} names (hard links), and events can only be added to one: there would be two tournaments\nhelp: remove the others; `find -samefile` lists them", path.display())]
    HardLinks {
        /// One of the names.
        path: PathBuf,
        /// How many there are.
        links: u64,
    },
    /// Standard input, where a file has to be.
    #[error(
        "FILE is `-`, and a tournament grows in a file\nhelp: name one; ./- is one that is called so"
    )]
    NoFile,
    /// A result that is not there yet.
    #[error("--result {}: the tournament is not over\nhelp: `gradus tournament show` says what it waits for", .0.display())]
    NotOver(PathBuf),
    /// A tournament that counts for nothing yet.
    #[error("{}: the tournament has not begun\nhelp: leave it out; those that run and those that are over count", .0.display())]
    NotBegun(PathBuf),
    /// More events asked for than there are.
    #[error("--until {asked}: there are {events} events")]
    Until {
        /// How many were asked for.
        asked: usize,
        /// How many there are.
        events: usize,
    },
    /// The clock is before 1970.
    #[error("this machine's clock says that it is before 1970\nhelp: set it")]
    Clock,
    /// The tournament's file cannot be held.
    #[error("{} cannot be {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The gate.
    #[error(transparent)]
    Entry(Box<EntryError>),
    /// Standard output.
    #[error("standard output")]
    Print(#[source] io::Error),
    /// Standard output, after the file was written.
    #[error("{what} in {}, and what follows could not be written to standard output\nhelp: do not do it again; `gradus tournament show` says where it stands", path.display())]
    Unsaid {
        /// The tournament's file.
        path: PathBuf,
        /// What the file has, and its verb.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl TournamentError {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Output(error) if error.is_usage() => 2,
            Self::NoFile => 2,
            _ => 1,
        }
    }
}

/// Does what the arguments say.
pub fn run(arguments: &TournamentArgs) -> Result<Exit, TournamentError> {
    match &arguments.command {
        TournamentCommand::Entry(arguments) => {
            entry::run(arguments).map_err(|error| TournamentError::Entry(Box::new(error)))
        }
        TournamentCommand::New(arguments) => new::run(arguments),
        TournamentCommand::Show(arguments) => show::run(arguments),
        TournamentCommand::Apply(arguments) => apply::run(arguments),
        TournamentCommand::Replay(arguments) => replay::run(arguments),
        TournamentCommand::Report(arguments) => report::run(arguments),
    }
}

/// A file that tournaments grow in.
fn is_file(path: &Path) -> Result<(), TournamentError> {
    match path == Path::new("-") {
        true => Err(TournamentError::NoFile),
        false => Ok(()),
    }
}

/// A tournament from its file, as weights count it.
pub(crate) enum Begun {
    /// It is over.
    Over(Box<Finished>),
    /// It is played.
    Runs(Running),
}

/// A tournament that has begun, from its file, and the rules that it is played by.
pub(crate) fn read_begun(path: &Path) -> Result<(Begun, String), TournamentError> {
    let journal_file::Read {
        journal,
        tournament,
    } = journal_file::read("FILE", path, None)?;
    let begun = match (Finished::of(&tournament), Running::of(&tournament)) {
        (Some(over), _) => Begun::Over(Box::new(over)),
        (None, Some(runs)) => Begun::Runs(runs),
        (None, None) => return Err(TournamentError::NotBegun(path.to_owned())),
    };
    Ok((begun, journal.setup.rules))
}

/// To standard output; a reader that went away is no failure.
fn print(text: &str) -> Result<(), TournamentError> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(TournamentError::Print(source))
        }
        _ => Ok(()),
    }
}
