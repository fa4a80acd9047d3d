//! Who is left out and why, and what most say.

use crate::node::client::ReadError;
use crate::node::profile::ProfileError;
use crate::node::rpc::shown;
use gradus_owner::Owner;
use std::fmt;
use std::sync::Arc;

/// What is asked of a node when it is connected.
pub const GENESIS: &str = "the genesis";
/// What is asked of a block that may be replaced.
pub(super) const BLOCK_HASH: &str = "a block's hash";
/// What has to be the same of a block's state.
pub(super) const STATE: &str = "runtime, metadata and time";

/// A node whose answers are not taken.
#[derive(Clone, Debug)]
pub struct Excluded {
    /// Its address.
    pub url: String,
    /// Why.
    pub why: Arc<Exclusion>,
}

/// Why a node's answers are not taken.
#[derive(Debug)]
pub enum Exclusion {
    /// It has another chain.
    OtherChain(ProfileError),
    /// It does not answer, or what it answers is nothing.
    Unreadable(ReadError),
    /// It has not answered, and is not waited for any longer.
    Late {
        /// What was asked.
        what: &'static str,
        /// How long was waited, milliseconds.
        waited_ms: u64,
        /// Whether enough others had agreed by then; else it was the question's deadline.
        others_agreed: bool,
    },
    /// Its answers are taken, but it is one voice with another node: they are of one operator.
    CountsWith {
        /// The other.
        other: String,
        /// The host or the address that they share.
        shared: String,
    },
    /// It is behind.
    Lags {
        /// Its newest finalized block.
        own: u64,
        /// What the others have reached.
        others: u64,
    },
    /// It is so far ahead that nobody can confirm it.
    AloneAhead {
        /// Its newest finalized block.
        own: u64,
        /// What the others have reached.
        others: u64,
    },
    /// Its newest block is too old, or of the future, and other nodes' is not.
    Stale {
        /// This machine's clock less the block's time, milliseconds.
        skew_ms: i128,
        /// The limit.
        limit_ms: i128,
    },
    /// It answers something else than the others.
    Differs {
        /// What was asked.
        what: &'static str,
        /// The others' answer, its beginning.
        expected: String,
        /// Its own, its beginning.
        found: String,
    },
}

/// Too few nodes that agree, or a clock that does not.
#[derive(Debug, thiserror::Error)]
pub enum AgreeError {
    /// Too few.
    #[error(
        "{found} of at least {required} nodes agree ({what}): name more nodes, or mend these{}",
        listed(.excluded)
    )]
    TooFew {
        /// What they should have agreed on.
        what: &'static str,
        /// How many do.
        found: usize,
        /// How many have to.
        required: usize,
        /// Who does not.
        excluded: Vec<Excluded>,
    },
    /// The clock.
    #[error(
        "this machine's clock is {skew_ms} ms from the newest block of every node, at most {limit_ms} are allowed: set the clock, or wait for the chain"
    )]
    ClockSkew {
        /// This machine's clock less the nearest block's time.
        skew_ms: i128,
        /// The limit.
        limit_ms: i128,
    },
    /// A block of the future, or one that may be replaced.
    #[error(
        "block {number} is not final, the newest that is has the number {finalized}: wait, or name one up to it"
    )]
    NotFinal {
        /// Which was asked for.
        number: u64,
        /// The newest.
        finalized: u64,
    },
}

impl AgreeError {
    pub(super) fn too_few(
        what: &'static str,
        found: usize,
        required: usize,
        excluded: Vec<Excluded>,
    ) -> Self {
        Self::TooFew {
            what,
            found,
            required,
            excluded,
        }
    }

    /// Whose fault: the host's, which names its nodes and keeps its clock.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }

    /// Whether nodes differ about a block that may be replaced, so that a final one may be in common nevertheless.
    pub fn is_of_a_fork(&self) -> bool {
        matches!(
            self,
            Self::TooFew {
                what: BLOCK_HASH | STATE,
                ..
            }
        )
    }

    /// How many gave the answer that most gave.
    pub fn found(&self) -> usize {
        match self {
            Self::TooFew { found, .. } => *found,
            Self::ClockSkew { .. } | Self::NotFinal { .. } => 0,
        }
    }

    /// Who was left out.
    pub fn excluded(&self) -> &[Excluded] {
        match self {
            Self::TooFew { excluded, .. } => excluded,
            Self::ClockSkew { .. } | Self::NotFinal { .. } => &[],
        }
    }
}

fn listed(excluded: &[Excluded]) -> String {
    excluded
        .iter()
        .map(|excluded| format!("\n  {excluded}"))
        .collect()
}

impl Excluded {
    pub(super) fn new(url: &str, why: Exclusion) -> Self {
        Self {
            url: url.to_owned(),
            why: Arc::new(why),
        }
    }
}

impl PartialEq for Excluded {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Excluded {}

impl Exclusion {
    pub(super) fn differs<T: fmt::Debug>(what: &'static str, expected: &T, found: &T) -> Self {
        Self::Differs {
            what,
            expected: shown(&format!("{expected:?}")),
            found: shown(&format!("{found:?}")),
        }
    }
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, self.why)
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherChain(error) => write!(f, "{error}"),
            Self::Unreadable(error) => {
                // The chain of causes, in one line.
                write!(f, "{error}")?;
                let mut source = std::error::Error::source(error);
                while let Some(cause) = source {
                    write!(f, ": {cause}")?;
                    source = cause.source();
                }
                Ok(())
            }
            Self::Late {
                what,
                waited_ms,
                others_agreed,
            } => {
                write!(f, "no answer ({what}) within {waited_ms} ms")?;
                f.write_str(match others_agreed {
                    true => ", when enough others had agreed: it is slow or hangs",
                    false => ": it is slow or hangs",
                })
            }
            Self::CountsWith { other, shared } => write!(
                f,
                "it counts as one with {other}, both are at {shared}: name a node of another operator"
            ),
            Self::Lags { own, others } => {
                write!(f, "it is at block {own}, others are at {others}")
            }
            Self::AloneAhead { own, others } => write!(
                f,
                "it claims block {own}, others are at {others}: it lies, or they lag"
            ),
            Self::Stale { skew_ms, limit_ms } => write!(
                f,
                "its newest block is {skew_ms} ms old by this machine's clock, at most {limit_ms} are allowed"
            ),
            Self::Differs {
                what,
                expected,
                found,
            } => write!(f, "{what} is {found} there, {expected} elsewhere"),
        }
    }
}
