//! Why weights were not set, or not known to be.

use super::super::values::ValuesError;
use super::NOT_THROUGH;
use crate::chain::connect::PlanError;
use crate::chain::subnet::ReadSubnetError;
use crate::input_file::InputFileError;
use gradus_chain::keyfile::ReadKeyfileError;
use gradus_chain::land::PrepareError;
use gradus_chain::node::{AgreeError, ProfileError};
use gradus_chain::submission::{Disorder, DriveError, LedgerError};
use gradus_chain::{AccountId, ParseAddressError};
use gradus_tasks::rules::RuleSetError;
use gradus_tasks::weights::{MetagraphError, QuantiseError};
use std::path::PathBuf;

/// Why weights were not set, or not known to be.
#[derive(Debug, thiserror::Error)]
pub enum LandError {
    /// Arguments that do not fit together.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A beacon for a network that has one.
    #[error("--beacon is for network local: {network} keeps quicknet's pulses")]
    Beacon {
        /// Which.
        network: String,
    },
    /// No state directory.
    #[error(
        "there is no place for intents: neither GRADUS_STATE_DIR, XDG_STATE_HOME nor HOME is set\nhelp: --state DIR"
    )]
    NoState,
    /// The nodes.
    #[error("the nodes cannot be used")]
    Agree(#[from] AgreeError),
    /// Another network's nodes or directory.
    #[error("networks are never mixed")]
    Profile(#[from] ProfileError),
    /// The intents.
    #[error("the intents cannot be used")]
    Ledger(#[from] LedgerError),
    /// Their records.
    #[error("an intent's records do not follow each other")]
    Disorder(#[from] Disorder),
    /// This process could be dumped, with the key in it.
    #[error(
        "the kernel does not keep this process out of core dumps, and the key would be in them\nhelp: use --signer, whose key is elsewhere"
    )]
    Dumpable(#[source] std::io::Error),
    /// The keyfile.
    #[error("nobody can sign")]
    Keyfile(#[from] ReadKeyfileError),
    /// No command.
    #[error("--signer is empty\nhelp: name a program and its arguments, separated by spaces")]
    SignerEmpty,
    /// No such command.
    #[error(
        "--signer {program}: there is no such program{looked}\nhelp: name a program and its arguments, separated by spaces"
    )]
    SignerMissing {
        /// The command's first word.
        program: String,
        /// Where it was looked for, if that is not said by its name.
        looked: &'static str,
    },
    /// A command that cannot be started.
    #[error("--signer {} is no program that this user may run\nhelp: chmod +x it, or name another", .0.display())]
    SignerNotExecutable(PathBuf),
    /// An address.
    #[error("--hotkey {text:?}")]
    Hotkey {
        /// As it was given.
        text: String,
        /// Why it is none.
        #[source]
        source: ParseAddressError,
    },
    /// An address in a file.
    #[error("the hotkey of uid {uid}, {text:?}")]
    Target {
        /// Whose.
        uid: u16,
        /// As the file has it.
        text: String,
        /// Why it is none.
        #[source]
        source: ParseAddressError,
    },
    /// The subnet as the nodes have it.
    #[error("the subnet")]
    Subnet(#[from] ReadSubnetError),
    /// Hotkeys that are no metagraph's.
    #[error("the subnet's hotkeys")]
    Metagraph(#[from] MetagraphError),
    /// Another subnet's file.
    #[error(
        "{what} of {} is {found}, the nodes have {expected}\nhelp: compute the weights over this subnet",
        path.display()
    )]
    OtherSubnet {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// The file's.
        found: String,
        /// The chain's.
        expected: String,
    },
    /// A file of pairs that the subnet has no uids for.
    #[error("uid {uid} of {} is not on the subnet, which has {num_uids} uids", path.display())]
    NoUid {
        /// The file.
        path: PathBuf,
        /// Which.
        uid: u16,
        /// How many there are.
        num_uids: usize,
    },
    /// Values that a file does not hold.
    #[error(transparent)]
    Values(#[from] ValuesError),
    /// A record by rules that are not there.
    #[error("--values {} was computed by rules that are not there", path.display())]
    Rules {
        /// The file.
        path: PathBuf,
        /// Which rules there are.
        #[source]
        source: RuleSetError,
    },
    /// A file that is read.
    #[error(transparent)]
    Input(#[from] InputFileError),
    /// Uids that others have by now.
    #[error("{} uids changed hands since the weights were computed{}\nhelp: compute them anew", .0.len(), listed(.0))]
    Moved(Vec<String>),
    /// The incentives may not stand in.
    #[error(
        "the fallback is not due: {failures} failures in a row of at least {failures_min}, own weights are {blocks} blocks old, of at least {stale_blocks}"
    )]
    NotDue {
        /// So many.
        failures: u32,
        /// Of so many.
        failures_min: u32,
        /// How old own weights are.
        blocks: u64,
        /// How old they have to be.
        stale_blocks: u64,
    },
    /// The incentives cannot be sent.
    #[error("the metagraph's incentives make no vector")]
    Quantise(#[source] QuantiseError),
    /// No intent.
    #[error("no intent can be made")]
    Prepare(#[from] PrepareError),
    /// Rules are broken.
    #[error("the chain would refuse the weights, so nothing was signed or written down{}{}", listed(.refusals), retry(.retry_at_block))]
    Refused {
        /// Which.
        refusals: Vec<String>,
        /// From which block on it would not, if time is all that is missing.
        retry_at_block: Option<u64>,
    },
    /// Nothing to go on with.
    #[error("nothing is on its way in {}", .0.display())]
    NothingOpen(PathBuf),
    /// Something to go on with, of others.
    #[error("nothing of {hotkey} is on its way in {}, only {}\nhelp: go on with the key of the hotkey that an intent is for", state.display(), others.join(", "))]
    OthersOpen {
        /// Whose was looked for.
        hotkey: AccountId,
        /// The directory.
        state: PathBuf,
        /// What there is, and whose.
        others: Vec<String>,
    },
    /// It could not be driven to its end.
    #[error(
        "the intent is on disk and not through\nhelp: `gradus weights set --resume` goes on by looking at the chain"
    )]
    Drive(#[source] DriveError),
    /// The nodes, while something is on its way.
    #[error(
        "the intent is on disk and not through, and the nodes cannot be used\nhelp: `gradus weights set --resume` goes on by looking at the chain"
    )]
    Lost(#[source] AgreeError),
}

impl LandError {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Plan(_) | Self::Beacon { .. } | Self::SignerEmpty | Self::Hotkey { .. } => 2,
            Self::Drive(_) | Self::Lost(_) => NOT_THROUGH,
            _ => 1,
        }
    }

    /// Whether nodes may answer otherwise later.
    pub(in super::super) fn is_of_nodes(&self) -> bool {
        matches!(
            self,
            Self::Agree(_) | Self::Subnet(ReadSubnetError::Agree(_))
        )
    }
}

fn listed(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

fn retry(block: &Option<u64>) -> String {
    block.map_or_else(String::new, |block| {
        format!("\nhelp: retry at block {block}; --wait does")
    })
}
