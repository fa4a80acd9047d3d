//! `gradus chain`: what the chain's nodes agree on.

mod doctor;
mod hyperparams;
mod identity;
mod metagraph;

use crate::chain::connect::{Plan, PlanError};
use crate::chain::subnet::ReadSubnetError;
use crate::cli::chain::{ChainArgs, ChainCommand};
use crate::exit::Exit;
use crate::printable::printable;
use gradus_chain::node::{AgreeError, Endpoints, Excluded, Exclusion, Head, Pinned};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// Arguments that do not fit together.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Too few nodes agree.
    #[error("the nodes do not agree")]
    Agree(#[source] AgreeError),
    /// A block whose state too few nodes keep.
    #[error(
        "block {block} cannot be read\nhelp: most nodes keep the state of the newest 256 blocks alone; name archive nodes with --endpoint"
    )]
    Gone {
        /// Which block.
        block: u64,
        /// Who says what.
        #[source]
        source: AgreeError,
    },
    /// A subnet.
    #[error("subnet {netuid}")]
    Subnet {
        /// Which.
        netuid: u16,
        /// Why.
        #[source]
        source: ReadSubnetError,
    },
    /// Standard output.
    #[error("standard output")]
    Print(#[source] io::Error),
}

impl ChainError {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Plan(_) => 2,
            _ => 1,
        }
    }
}

/// Does what the arguments say.
pub fn run(arguments: &ChainArgs) -> Result<Exit, ChainError> {
    match &arguments.command {
        ChainCommand::Identity(arguments) => identity::run(arguments),
        ChainCommand::Metagraph(arguments) => metagraph::run(arguments),
        ChainCommand::Hyperparams(arguments) => hyperparams::run(arguments),
        ChainCommand::Doctor(arguments) => doctor::run(arguments),
    }
}

fn connect(plan: &Plan) -> Result<Endpoints, ChainError> {
    plan.connect().map_err(ChainError::Agree)
}

/// The newest final block, or the one that was named.
fn pin(endpoints: &Endpoints, block: Option<u64>) -> Result<Pinned<'_>, ChainError> {
    let head = block.map_or(Head::Finalized, Head::At);
    endpoints
        .pin(head)
        .map_err(|source| of_block(block, source))
}

/// Says what helps where the block is what is missing.
fn of_block(block: Option<u64>, source: AgreeError) -> ChainError {
    let is_gone = |excluded: &Excluded| match &*excluded.why {
        Exclusion::Unreadable(error) => error.is_pruned(),
        _ => false,
    };
    match block {
        Some(block) if source.excluded().iter().any(is_gone) => ChainError::Gone { block, source },
        _ => ChainError::Agree(source),
    }
}

/// As [`of_block`], for what is read at it.
fn of_subnet(block: Option<u64>, netuid: u16, source: ReadSubnetError) -> ChainError {
    match source {
        ReadSubnetError::Agree(source) => match of_block(block, source) {
            ChainError::Agree(source) => ChainError::Subnet {
                netuid,
                source: source.into(),
            },
            other => other,
        },
        source => ChainError::Subnet { netuid, source },
    }
}

/// What a program that reads standard error is told of a node that was left out.
#[derive(Serialize)]
struct LeftOut<'a> {
    event: &'static str,
    url: &'a str,
    why: String,
}

/// Nodes that were left out, beside a result that has no place for them.
fn tell(excluded: &[Excluded]) {
    let mut stderr = io::stderr();
    for one in excluded {
        let line = match stderr.is_terminal() {
            true => format!("left out: {}", printable(&one.to_string())),
            false => {
                let why = one.why.to_string();
                let (event, url) = ("excluded", one.url.as_str());
                serde_json::to_string(&LeftOut { event, url, why }).expect("plain data")
            }
        };
        // Nobody may be reading: no reason to stop.
        let _ = writeln!(stderr, "{line}");
    }
}

/// The same as lines of a text.
fn left_out(excluded: impl IntoIterator<Item = String>) -> String {
    let lines = excluded.into_iter();
    lines
        .map(|one| format!("left out: {}\n", printable(&one)))
        .collect()
}

/// To standard output; a reader that went away is no failure.
fn print(text: &str) -> Result<(), ChainError> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => Err(ChainError::Print(source)),
        _ => Ok(()),
    }
}

fn print_json(value: &impl Serialize) -> Result<(), ChainError> {
    print(&(serde_json::to_string_pretty(value).expect("plain data") + "\n"))
}
