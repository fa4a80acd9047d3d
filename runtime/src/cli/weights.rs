//! Arguments of `gradus weights`.

mod landing;

pub use landing::{AbandonArgs, BeaconArg, LandingArgs, SetArgs, StatusArgs};

use clap::{Args, Subcommand, ValueEnum};
use gradus_tasks::weights::Rounding;
use std::path::PathBuf;

/// Arguments of `gradus weights`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct WeightsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: WeightsCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum WeightsCommand {
    /// Make the results file of tournaments' files.
    Collect(CollectArgs),
    /// Compute the vector that finished tournaments give, and where each part of it comes from.
    Show(ShowArgs),
    /// Recompute a published audit file, and name the first number that does not come out again.
    Audit(AuditArgs),
    /// Say what the subnet's next epoch pays, now and with another vector.
    Simulate(SimulateArgs),
    /// Set a vector on chain, and stay until a final block proves that it is in effect. Without --yes: show what would change.
    Set(Box<SetArgs>),
    /// List what was set, is on its way, or failed and why; and how near the validator is to being inactive.
    Status(Box<StatusArgs>),
    /// Give up an intent of which nothing can land, so that other weights can be set.
    Abandon(Box<AbandonArgs>),
}

/// Whose rule makes integers of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoundingArg {
    /// The reference validator's, through fiber: zeros stay, nothing is clipped.
    Reference,
    /// The official SDK's up to 10, in single precision.
    Sdk10,
    /// The official SDK's from 11 on.
    Sdk11,
}

impl From<RoundingArg> for Rounding {
    fn from(argument: RoundingArg) -> Self {
        match argument {
            RoundingArg::Reference => Self::Reference,
            RoundingArg::Sdk10 => Self::Sdk10,
            RoundingArg::Sdk11 => Self::Sdk11,
        }
    }
}

/// Arguments of `gradus weights collect`.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// Files of tournaments that have begun, of all types, in any order. Of each type the one that ended last counts; the others
    /// say how many entered before, and since when a champion reigns. Those that run have to be named too: the newest rules take
    /// one for a type's newest.
    #[arg(required = true)]
    pub tournaments: Vec<PathBuf>,

    /// Hotkeys of active participants, one on a line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub participants: PathBuf,

    /// By which rules [default: the newest].
    #[arg(long, value_name = "RULE SET")]
    pub rules: Option<String>,

    /// The time, seconds since 1970, where the rules count days [default: now].
    #[arg(long, value_name = "N")]
    pub now: Option<i64>,

    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of `gradus weights show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Finished tournaments and what the rules ask besides, JSON; `-` is standard input.
    pub results: PathBuf,

    /// The subnet, as `gradus chain metagraph --json` writes it.
    #[arg(long, value_name = "FILE")]
    pub subnet: PathBuf,

    /// Who sets the weights: a vector of this hotkey alone is exempt from the subnet's limits.
    #[arg(long, value_name = "ADDRESS")]
    pub hotkey: Option<String>,

    /// Whose rule makes integers of weights.
    #[arg(long, value_enum, default_value = "sdk11")]
    pub rounding: RoundingArg,

    /// Write the audit record to this file.
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `gradus weights audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// A published audit file; `-` is standard input. One that gradus wrote says by which rules, and over which hotkeys.
    pub file: PathBuf,

    /// The subnet of the file's time: needed for files of the reference, which do not hold it, and for --hotkey.
    #[arg(long, value_name = "FILE")]
    pub subnet: Option<PathBuf>,

    /// The rules of the file's time, for files that do not say [default: the newest].
    #[arg(long, value_name = "RULE SET")]
    pub rules: Option<String>,

    /// Compare with the weights that this hotkey has on chain.
    #[arg(long, value_name = "ADDRESS", requires = "subnet")]
    pub hotkey: Option<String>,

    /// Whose rule made integers of weights, for files that do not say.
    #[arg(long, value_enum, default_value = "reference")]
    pub rounding: RoundingArg,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `gradus weights simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The subnet, as `gradus chain metagraph --json` writes it; `-` is standard input.
    pub subnet: PathBuf,

    /// The validator whose weights change.
    #[arg(long, value_name = "ADDRESS", requires = "weights")]
    pub hotkey: Option<String>,

    /// Its new weights: an audit file, or a list of pairs of uid and value, JSON.
    #[arg(long, value_name = "FILE", requires = "hotkey")]
    pub weights: Option<PathBuf>,

    /// The epoch's block [default: the snapshot's].
    #[arg(long, value_name = "N")]
    pub block: Option<u64>,

    /// Epochs to run, each from the bonds that the one before leaves; the last one is shown.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub epochs: u16,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    it was done, and nothing differs; `set --yes`: the weights are proven to be in effect
  1    the command failed, or a recomputed number differs; `set`: the chain refuses the weights, or what came of them is proven to be something else
  2    the arguments do not fit
  3    `set`: the intent is on disk and not through, `set --resume` goes on
  130  interrupted: as 3 if an intent is on disk

Examples:
  gradus weights show examples/weights/results.json --subnet examples/weights/subnet.json --audit audit.json
  gradus weights audit audit.json
  gradus weights simulate examples/weights/subnet.json
  gradus weights set results.json --keyfile ~/.bittensor/wallets/validator/hotkeys/default
  gradus weights set results.json --signer ./sign --hotkey 5F… --yes --wait
  gradus weights status --hotkey 5F…";
