//! Arguments of `gradus chain`, and of whatever else asks nodes.

use clap::{Args, Subcommand, ValueEnum};
use gradus_chain::AccountId;
use gradus_chain::node::Network;

/// Arguments of `gradus chain`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ChainArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ChainCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum ChainCommand {
    /// Say which chain the nodes have, how far it is, and who agrees.
    Identity(IdentityArgs),
    /// Print a subnet's neurons; with --json all of the subnet, as `gradus weights` reads it.
    Metagraph(SubnetArgs),
    /// Print what a subnet demands of weights, and what its epochs are run with.
    Hyperparams(SubnetArgs),
    /// Check all that keeps weights from landing, and say what to do.
    Doctor(DoctorArgs),
}

/// Which network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NetworkArg {
    /// The main one.
    Finney,
    /// The public one for tests.
    Test,
    /// A chain of one's own.
    Local,
}

impl From<NetworkArg> for Network {
    fn from(argument: NetworkArg) -> Self {
        match argument {
            NetworkArg::Finney => Self::Finney,
            NetworkArg::Test => Self::Test,
            NetworkArg::Local => Self::Local,
        }
    }
}

/// Which nodes are asked, and how many of them are believed.
#[derive(Clone, Debug, Args)]
pub struct NodeArgs {
    /// Which network: nodes of another one are left out [default: finney].
    #[arg(long, value_enum)]
    pub network: Option<NetworkArg>,

    /// A node, such as wss://HOST:PORT; repeat for each. One that is named twice is one [default: the network's public ones].
    #[arg(long = "endpoint", value_name = "URL")]
    pub endpoints: Vec<String>,

    /// How many nodes have to agree [default: 2; on test and local as many as are named, if that is fewer].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub agree: Option<u8>,

    /// Seconds to wait for a connection or an answer, before it is tried once more; a whole question takes twice that at most.
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = clap::value_parser!(u16).range(1..=600))]
    pub timeout: u16,
}

impl NodeArgs {
    /// The network that is named, or the main one.
    pub fn network(&self) -> NetworkArg {
        self.network.unwrap_or(NetworkArg::Finney)
    }
}

/// Which subnet.
#[derive(Clone, Debug, Args)]
pub struct NetuidArgs {
    /// Which subnet [default: the network's own; 56 on finney and local, 241 on test].
    #[arg(long, value_name = "N")]
    pub netuid: Option<u16>,
}

/// Arguments of `gradus chain identity`.
#[derive(Debug, Args)]
pub struct IdentityArgs {
    /// Who is asked.
    #[command(flatten)]
    pub nodes: NodeArgs,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `gradus chain metagraph` and `gradus chain hyperparams`.
#[derive(Debug, Args)]
pub struct SubnetArgs {
    /// Who is asked.
    #[command(flatten)]
    pub nodes: NodeArgs,

    /// About what.
    #[command(flatten)]
    pub subnet: NetuidArgs,

    /// As of this block, where nodes keep its state [default: the newest that is final].
    #[arg(long, value_name = "N")]
    pub block: Option<u64>,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `gradus chain doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Who is asked.
    #[command(flatten)]
    pub nodes: NodeArgs,

    /// About what.
    #[command(flatten)]
    pub subnet: NetuidArgs,

    /// Whose weights shall land: check its registration, permit, stake, limits and activity too.
    #[arg(long, value_name = "ADDRESS")]
    pub hotkey: Option<AccountId>,

    /// Share of the activity cut-off from which weights count as old, per cent.
    #[arg(long, value_name = "PERCENT", default_value = "75", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub alarm: u8,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    it was done; doctor found nothing that keeps weights from landing
  1    the command failed: too few nodes agree, for instance; or a check of doctor failed
  2    the arguments do not fit

Examples:
  gradus chain identity
  gradus chain metagraph --json > subnet.json
  gradus chain doctor --hotkey 5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";
