//! Why there is no decision.

use crate::checker::CheckerError;
use crate::input_file::InputFileError;
use crate::output_file::OutputFileError;
use gradus_tasks::entry::{EntryFileError, GateError, ScheduleError};
use std::io;
use std::path::PathBuf;

/// Why there is no decision.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// A file that is read.
    #[error(transparent)]
    Input(#[from] InputFileError),
    /// A file that is written.
    #[error(transparent)]
    Output(#[from] OutputFileError),
    /// The file says nothing that the gate can be asked.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: EntryFileError,
    },
    /// The validator's own licence or notice is no text.
    #[error("{what} {} is not UTF-8\nhelp: name the validator's own file", path.display())]
    NotText {
        /// Which.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Texts that there is nothing to compare with.
    #[error(
        "the licence of {hotkey} is given as texts, and the file does not say what the validator's own are\nhelp: add [licence] with the paths of licence and notice"
    )]
    NoOwnTexts {
        /// Whose.
        hotkey: String,
    },
    /// The gate refuses what it is asked.
    #[error("the gate cannot decide")]
    Gate(#[from] GateError),
    /// There is no time to start.
    #[error("there is no next start")]
    Schedule(#[from] ScheduleError),
    /// The checker gave no verdict.
    #[error("{hotkey}'s source was not checked")]
    Checker {
        /// Whose.
        hotkey: String,
        /// Why.
        #[source]
        source: CheckerError,
    },
    /// A tree that cannot be read.
    #[error("{} cannot be {what}", path.display())]
    Tree {
        /// Which file or directory.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A tree that is larger than any source.
    #[error("{} has more than {max} {what}, which is no source's size\nhelp: check which directory is named", path.display())]
    TreeSize {
        /// Its root.
        path: PathBuf,
        /// Of what.
        what: &'static str,
        /// How many are read.
        max: u64,
    },
    /// A tree of another commit.
    #[error(
        "{} is at commit {found}, but {hotkey} submits {expected}\nhelp: check out the commit that it submits", path.display()
    )]
    TreeCommit {
        /// Its root.
        path: PathBuf,
        /// Whose.
        hotkey: String,
        /// Where it is.
        found: String,
        /// What is submitted.
        expected: String,
    },
    /// A clone whose commit cannot be read.
    #[error(
        "{} has a .git, and at which commit it is cannot be read there\nhelp: name a clone or a worktree of git's, or a tree without .git", .0.display()
    )]
    Head(PathBuf),
    /// A tree that does not say its commit, where that is asked for.
    #[error(
        "{} does not say at which commit it is, and {hotkey} submits main\nhelp: name a clone, or give source with its commit", path.display()
    )]
    NoCommit {
        /// Its root.
        path: PathBuf,
        /// Whose.
        hotkey: String,
    },
    /// Facts that are not there and that nothing here can say.
    #[error(
        "nothing is decided: {} not known{}\nhelp: add them to facts, each with hotkey, repository and commit",
        match .needs.len() { 1 => "a fact is".to_owned(), number => format!("{number} facts are") },
        .needs.iter().map(|need| format!("\n  {need}")).collect::<String>()
    )]
    Needs {
        /// What, and how it can be said.
        needs: Vec<String>,
    },
    /// A list of entrants where there is no field, or where nothing may start.
    #[error("--entrants {} is not written: {why}\nhelp: see above what it waits for", path.display())]
    NotReady {
        /// The list.
        path: PathBuf,
        /// What is missing.
        why: &'static str,
    },
    /// Standard output.
    #[error(transparent)]
    Print(Box<super::super::TournamentError>),
}
