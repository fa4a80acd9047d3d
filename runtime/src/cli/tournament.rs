//! Arguments of `gradus tournament`.

use clap::{Args, Subcommand, ValueEnum};
use gradus_tasks::weights::TournamentType;
use std::path::PathBuf;

/// Arguments of `gradus tournament`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct TournamentArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: TournamentCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum TournamentCommand {
    /// Decide who may enter: a file of answers and facts to who is in, who is not and why, and when it may start.
    Entry(EntryArgs),
    /// Begin a tournament: a file with its setup, to which events are added.
    New(NewArgs),
    /// Show where it stands and what it waits for.
    Show(ShowArgs),
    /// Add events to it, all of them or none.
    Apply(ApplyArgs),
    /// Recompute it from its setup and events, and say where that leads.
    Replay(ReplayArgs),
    /// Write a page for people: rounds, duels, bounds, places.
    Report(ReportArgs),
}

/// What is competed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TypeArg {
    /// Language models.
    Text,
    /// Diffusion models.
    Image,
    /// Agents in environments.
    Environment,
}

impl From<TypeArg> for TournamentType {
    fn from(argument: TypeArg) -> Self {
        match argument {
            TypeArg::Text => Self::Text,
            TypeArg::Image => Self::Image,
            TypeArg::Environment => Self::Environment,
        }
    }
}

/// Arguments of `gradus tournament entry`.
#[derive(Debug, Args)]
pub struct EntryArgs {
    /// Answers, facts, payments: JSON or TOML; `-` is standard input. Paths in it are from its own directory.
    pub file: PathBuf,

    /// Write the decision to this file, with the fees to take and the entrants for the next call.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the field to this file, as `gradus tournament new --entrants` reads it; the field has to be ready and the start not held.
    #[arg(long, value_name = "FILE")]
    pub entrants: Option<PathBuf>,
}

/// Arguments of `gradus tournament new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The file to make; it must not be there.
    pub file: PathBuf,

    /// Its name: 1 to 100 characters of A-Z a-z 0-9 _ -.
    #[arg(long, value_name = "NAME")]
    pub id: String,

    /// What is competed in.
    #[arg(long = "type", value_enum)]
    pub kind: TypeArg,

    /// By which rules [default: the newest].
    #[arg(long, value_name = "RULE SET")]
    pub rules: Option<String>,

    /// Seed of every draw. Say it before the field is known, or nobody can tell that it was not chosen.
    #[arg(long, value_name = "N")]
    pub seed: u64,

    /// Hotkeys of those who were admitted, one on a line, in the order of admission; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub entrants: PathBuf,

    /// The type's tournament before this one: its champion defends, with his wins in a row and the margin that is his; the burn hotkey where
    /// nobody has the title. Without it and --champion it is the type's first. `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["champion", "wins", "stored_difference"])]
    pub after: Option<PathBuf>,

    /// Instead of --after: hotkey of the champion who defends. The burn hotkey where nobody has the title and it has been kept for nobody before.
    #[arg(long, value_name = "ADDRESS", requires = "wins")]
    pub champion: Option<String>,

    /// Tournaments that the champion has won in a row: one more than the setup of the last one says, if he defended there.
    #[arg(long, value_name = "N", requires = "champion")]
    pub wins: Option<u32>,

    /// The margin by which he won last under his own hotkey; without it his title is worth no boost if he defends.
    #[arg(
        long,
        value_name = "NUMBER",
        requires = "champion",
        allow_negative_numbers = true
    )]
    pub stored_difference: Option<f64>,
}

/// Arguments of `gradus tournament show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The tournament's file.
    pub file: PathBuf,

    /// Print JSON: the whole state, what is pending, and what it came to.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `gradus tournament apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The tournament's file.
    pub file: PathBuf,

    /// Events, JSON, one on a line; `-` is standard input.
    pub events: PathBuf,

    /// Each line is only what happened, such as {"event":"started"}: number, name and time are added.
    #[arg(long)]
    pub stamp: bool,

    /// Say what would follow, and add nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `gradus tournament replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The tournament's file; `-` is standard input.
    pub file: PathBuf,

    /// Only the first N events.
    #[arg(long, value_name = "N")]
    pub until: Option<usize>,

    /// Write the state to this file.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,

    /// Write what it came to, as `gradus weights` reads it; the tournament has to be over.
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,
}

/// Arguments of `gradus tournament report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The tournament's file; `-` is standard input.
    pub file: PathBuf,

    /// Where the page goes.
    #[arg(long, value_name = "FILE")]
    pub html: PathBuf,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    it was done
  1    the command failed: an event is refused, a file does not fit
  2    the arguments do not fit

Examples:
  gradus tournament entry entry.toml --json decision.json --entrants hotkeys.txt
  gradus tournament new t.jsonl --id t-1 --type text --seed 7 --entrants hotkeys.txt
  gradus tournament new t2.jsonl --id t-2 --type text --seed 9 --entrants hotkeys.txt --after t.jsonl
  echo '{\"event\":\"started\"}' | gradus tournament apply t.jsonl - --stamp
  gradus tournament show t.jsonl";
