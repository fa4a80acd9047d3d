//! Who is left out and why, and what most say.

use crate::node::client::ReadError;
use crate::node::profile::ProfileError;
use crate::node::rpc::shown;
use gradus_owner::Owner;
use std::fmt;
use std::sync::Arc;

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

/// The answer that more gave than any other, who gave it, and why the rest is left out; a tie has no such answer.
pub(super) fn sort_out<T: PartialEq + Clone + fmt::Debug>(
    what: &'static str,
    answers: &[(String, T)],
) -> (Option<T>, Vec<usize>, Vec<Excluded>) {
    let same = |value: &T| -> Vec<usize> {
        let positions = answers.iter().enumerate();
        let equal = positions.filter(|(_, (_, other))| other == value);
        equal.map(|(position, _)| position).collect()
    };
    let groups: Vec<Vec<usize>> = answers.iter().map(|(_, value)| same(value)).collect();
    let most = groups.iter().map(Vec::len).max().unwrap_or_default();
    let first = groups.iter().find(|group| group.len() == most);
    let tie = groups
        .iter()
        .any(|group| group.len() == most && Some(group) != first);
    let kept = match first {
        Some(group) if !tie => group.clone(),
        _ => Vec::new(),
    };
    let mut excluded = Vec::new();
    for (position, (url, value)) in answers.iter().enumerate() {
        if kept.contains(&position) {
            continue;
        }
        // Somebody who says something else: there is one, or all would be kept.
        let other = kept
            .first()
            .copied()
            .or_else(|| (0..answers.len()).find(|other| !groups[position].contains(other)));
        let expected = other.map_or(value, |other| &answers[other].1);
        excluded.push(Excluded::new(
            url,
            Exclusion::differs(what, expected, value),
        ));
    }
    let value = kept.first().map(|position| answers[*position].1.clone());
    (value, kept, excluded)
}

/// Asks all at once, each in a thread of its own; answers in order.
pub(super) fn on_each<'t, T: Sync + ?Sized, R: Send>(
    targets: &[&'t T],
    ask: impl Fn(&'t T) -> R + Sync,
) -> Vec<(&'t T, R)> {
    let ask = &ask;
    std::thread::scope(|scope| {
        let threads: Vec<_> = targets
            .iter()
            .map(|target| (*target, scope.spawn(move || ask(target))))
            .collect();
        threads
            .into_iter()
            .map(|(target, thread)| match thread.join() {
                Ok(answer) => (target, answer),
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}
