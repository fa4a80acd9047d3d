//! Arguments of `gradus weights set`, `status` and `abandon`.

use super::RoundingArg;
use crate::cli::chain::{NetuidArgs, NodeArgs};
use clap::Args;
use gradus_chain::submission::IntentId;
use gradus_chain::timelock::Beacon;
use std::path::PathBuf;
use std::str::FromStr;

/// Which row of which chain, by which nodes, and where its state is kept.
#[derive(Clone, Debug, Args)]
pub struct LandingArgs {
    /// Who is asked. A state directory belongs to one network for good.
    #[command(flatten)]
    pub nodes: NodeArgs,

    /// About what.
    #[command(flatten)]
    pub subnet: NetuidArgs,

    /// The mechanism; 0 is the main one.
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=15))]
    pub mechanism: u8,

    /// Where intents are kept [default: weights/NETWORK-NETUID in gradus' state directory].
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// The beacon of a local chain that keeps another one's pulses than quicknet's: its public key, the time of round 1, seconds between rounds.
    #[arg(long, value_name = "KEY:GENESIS_S:PERIOD_S")]
    pub beacon: Option<BeaconArg>,
}

/// A beacon on the command line.
#[derive(Clone, Debug)]
pub struct BeaconArg(pub Beacon);

impl FromStr for BeaconArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let [key, genesis_s, period_s] = parts[..] else {
            return Err("expected KEY:GENESIS_S:PERIOD_S".into());
        };
        let genesis_s = genesis_s
            .parse()
            .map_err(|_| format!("{genesis_s:?} is no time in seconds"))?;
        let period_s = period_s
            .parse()
            .map_err(|_| format!("{period_s:?} is no number of seconds"))?;
        let beacon = Beacon::new(key, genesis_s, period_s);
        beacon.map(Self).map_err(|error| error.to_string())
    }
}

/// Arguments of `gradus weights set`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct SetArgs {
    /// Finished tournaments and what the rules ask besides, JSON; `-` is standard input.
    #[arg(group = "what")]
    pub results: Option<PathBuf>,

    /// The values themselves: an audit file of gradus, or a list of pairs of uid and value, JSON.
    #[arg(long, value_name = "FILE", group = "what")]
    pub values: Option<PathBuf>,

    /// The metagraph's incentives, where the rules have them stand in: own weights are too old, and enough attempts in a row failed.
    #[arg(long, group = "what")]
    pub fallback: bool,

    /// Go on with what is on disk and not through: by looking at the chain first.
    #[arg(long, group = "what", conflicts_with_all = ["audit", "subnet"])]
    pub resume: bool,

    /// The subnet that RESULTS are computed over, as `gradus chain metagraph --json` writes it [default: as the nodes have it now].
    #[arg(long, value_name = "FILE", conflicts_with_all = ["values", "fallback"])]
    pub subnet: Option<PathBuf>,

    /// Which row of which chain.
    #[command(flatten)]
    pub landing: LandingArgs,

    /// The hotkey's keyfile. Nobody else may be able to read it.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "signer",
        conflicts_with = "signer"
    )]
    pub keyfile: Option<PathBuf>,

    /// Take a keyfile, or a password's file, whose name is a link, as orchestrators mount them.
    #[arg(long, requires = "keyfile")]
    pub allow_keyfile_link: bool,

    /// The environment variable with the keyfile's password.
    #[arg(
        long,
        value_name = "VAR",
        requires = "keyfile",
        conflicts_with = "password_file"
    )]
    pub password_env: Option<String>,

    /// The file with the keyfile's password. Nobody else may be able to read it.
    #[arg(long, value_name = "FILE", requires = "keyfile")]
    pub password_file: Option<PathBuf>,

    /// A command that signs, so that the key can be elsewhere: its words, separated by spaces (docs/weights.md).
    #[arg(long, value_name = "COMMAND", requires = "hotkey")]
    pub signer: Option<String>,

    /// Seconds that the command may take for one signature: a person may have to press a key.
    #[arg(long, value_name = "SECONDS", default_value = "60", requires = "signer", value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub signer_timeout: u16,

    /// Whose weights: needed with --signer, checked with --keyfile.
    #[arg(long, value_name = "ADDRESS")]
    pub hotkey: Option<String>,

    /// Whose rule makes integers of weights.
    #[arg(long, value_enum, default_value = "sdk11")]
    pub rounding: RoundingArg,

    /// The validator's version; the chain refuses less than the subnet asks for [default: the rule set's].
    #[arg(long, value_name = "N")]
    pub version_key: Option<u64>,

    /// Wait for the block from which on the chain takes weights again, instead of ending.
    #[arg(long)]
    pub wait: bool,

    /// Do it. Without this nothing is signed, sent or written down.
    #[arg(long)]
    pub yes: bool,

    /// Write the audit record to this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["values", "fallback"])]
    pub audit: Option<PathBuf>,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `gradus weights status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Which row of which chain; nodes are asked only with --hotkey or --follow.
    #[command(flatten)]
    pub landing: LandingArgs,

    /// Also say how near this validator is to being inactive.
    #[arg(long, value_name = "ADDRESS")]
    pub hotkey: Option<String>,

    /// Go on by looking at what may land, without signing anything, until all is through.
    #[arg(long)]
    pub follow: bool,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `gradus weights abandon`.
#[derive(Debug, Args)]
pub struct AbandonArgs {
    /// Which, as `gradus weights status` lists it.
    #[arg(value_parser = IntentId::new)]
    pub intent: IntentId,

    /// Whose state directory; no node is asked.
    #[command(flatten)]
    pub landing: LandingArgs,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
