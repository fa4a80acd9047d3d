//! The whole gate: candidates in order and what is known of them, to who is in, who is not and why, and what it costs.
//!
//! | step | a candidate falls if |
//! |---|---|
//! | answer | it gave none, or none that is an entry |
//! | identity | another of the same address, owner or coldkey stays |
//! | commit, data sets | they are none that the rules allow |
//! | obfuscation | the checker rejects the source, or takes too long |
//! | licence | licence or notice is not the validator's |
//! | fee | the coldkey's balance does not cover it |
//!
//! Then the field is large enough or waits. If it is, copies of one another fall, who have paid; the rest is the bracket.
//! The field is counted before copies fall and not again, as the subnet counts it: a bracket can be smaller than a field
//! has to be, and where copies leave no first round, nothing can be drawn ([`Field::Stuck`]).
//!
//! Who falls to another of the same operator falls before anything is known of that one's source, licence and balance, and
//! does not come back if that one is refused: the subnet's order, in all its versions that have the rule. A [`Note`] says
//! so, since it is hard on whoever shared an address. Copies by commit or source are only looked for among those who passed
//! everything else.
//!
//! Facts cost time, so the gate asks for those it needs: called with too few, it names them and decides nothing. The same
//! input gives the same decision, and no order of facts matters.

mod decide;
mod note;

pub use decide::decide;
pub use note::Note;

use super::duplicates::{Basis, Cluster};
use super::facts::{Facts, Need, Subject};
use super::identity::Duplicate;
use super::ledger::{Ledger, LedgerError, LedgerEvent};
use super::licence::LicenceRefusal;
use super::response::{Commit, ResponseError, TrainingRepoResponse};
use crate::Owner;
use crate::rules::RuleSet;
use crate::weights::TournamentType;
use std::collections::HashSet;
use std::net::IpAddr;

/// A miner of the metagraph that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub hotkey: String,
    /// Whose.
    pub coldkey: String,
    /// The address that it serves from.
    pub ip: IpAddr,
    /// What it answered; none if it did not.
    pub answer: Option<Result<TrainingRepoResponse, ResponseError>>,
}

/// An entrant that an earlier call admitted, and that is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Who.
    pub hotkey: String,
    /// Whose.
    pub coldkey: String,
    /// The address that it served from.
    pub ip: IpAddr,
    /// What it submitted.
    pub response: TrainingRepoResponse,
    /// The commit.
    pub commit: Commit,
    /// Data sets that it gets.
    pub datasets: Vec<String>,
}

/// Everything that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct GateInput<'a> {
    /// The rules.
    pub rules: &'a RuleSet,
    /// What is competed in.
    pub tournament: TournamentType,
    /// Which tournament.
    pub tournament_id: &'a str,
    /// The present, seconds since 1970.
    pub now_unix_s: i64,
    /// The hotkey that stands for the champion: no candidate, and never a copy.
    pub boss: &'a str,
    /// Those of earlier calls.
    pub enrolled: &'a [Enrolled],
    /// Miners in the order of the metagraph.
    pub candidates: &'a [Candidate],
    /// What was found out.
    pub facts: &'a Facts,
    /// Data sets that can be asked for.
    pub datasets: &'a HashSet<String>,
    /// Balances.
    pub ledger: &'a Ledger,
}

/// Why somebody is not in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was asked and did not answer.
    #[error("it did not answer")]
    Silent,
    /// It is a candidate twice.
    #[error("its hotkey was there before")]
    Twice,
    /// What it answered is no entry.
    #[error("{0}")]
    Response(ResponseError),
    /// Another of the same operator is in.
    #[error("{} stays, which has the same {}", .0.kept, .0.identity.word())]
    Identity(Duplicate),
    /// The obfuscation checker rejects the source.
    #[error("the obfuscation check ended with code {code}")]
    Obfuscated {
        /// The code that it ended with.
        code: i32,
    },
    /// The obfuscation checker did not end.
    #[error("the obfuscation check did not end within {limit_ms} ms")]
    ObfuscationTimedOut {
        /// The limit, milliseconds.
        limit_ms: u64,
    },
    /// Licence or notice.
    #[error("{0}")]
    Licence(LicenceRefusal),
    /// The fee.
    #[error("{0}")]
    Fee(LedgerError),
    /// A copy of another entrant, or another one of it. It has paid.
    #[error(
        "its {} is also that of {}",
        match .0.basis { Basis::Commit => "commit", Basis::Source => "source" },
        .0.hotkeys.join(", ")
    )]
    Copy(Cluster),
}

impl Refusal {
    /// The word of it, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Twice => "twice",
            Self::Response(_) => "response",
            Self::Identity(_) => "identity",
            Self::Obfuscated { .. } => "obfuscated",
            Self::ObfuscationTimedOut { .. } => "obfuscation_timed_out",
            Self::Licence(_) => "licence",
            Self::Fee(_) => "fee",
            Self::Copy(_) => "copy",
        }
    }

    /// Whose fault: nearly always the miner's.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Fee(error) => error.owner(),
            Self::Twice => Owner::Host,
            _ => Owner::Submission,
        }
    }
}

/// Somebody who is not in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who.
    pub hotkey: String,
    /// Why.
    pub refusal: Refusal,
}

/// Whether there are enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The tournament starts.
    Ready {
        /// Who plays, in the order of entry: all that are enrolled and admitted, without copies.
        bracket: Vec<String>,
    },
    /// Too few: ask again later.
    Waits {
        /// How many there are.
        entrants: usize,
        /// How many there must be.
        field_min: u32,
        /// When to ask again, seconds since 1970.
        until_unix_s: i64,
    },
    /// Enough came, but copies of one another left too few to draw a first round of: somebody has to look.
    Stuck {
        /// Who is left, in the order of entry.
        bracket: Vec<String>,
        /// How many a first round has at least.
        least: u32,
    },
}

/// A decision. Record it and apply the fees as one, or neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who is in now, besides those that were.
    pub admitted: Vec<Enrolled>,
    /// Who is not, in the order of the steps.
    pub refused: Vec<Refused>,
    /// Fees to apply to the ledger.
    pub fees: Vec<LedgerEvent>,
    /// Clusters of copies.
    pub copies: Vec<Cluster>,
    /// Whether there are enough.
    pub field: Field,
    /// What somebody should know of it.
    pub notes: Vec<Note>,
}

/// What the gate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateOutcome {
    /// It needs to know more; nothing is decided.
    Needs(Vec<Need>),
    /// It has decided.
    Decided(Decision),
}

/// Why the gate cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The rule set has no such tournaments.
    #[error(
        "rule set {rules} has no {tournament} tournaments\nhelp: use the rule set of the tournament's date"
    )]
    NoSuchType {
        /// Which set.
        rules: String,
        /// Which type.
        tournament: TournamentType,
    },
    /// The ledger has another event of a fee's name.
    #[error("the ledger does not fit the tournament")]
    Ledger(#[source] LedgerError),
    /// A fact of something that its hotkey does not submit.
    #[error(
        "the {fact} of {hotkey} is of {found}, but {hotkey} submits {expected}\nhelp: leave it out, and find out about what is submitted"
    )]
    Stale {
        /// Which fact.
        fact: &'static str,
        /// Whose.
        hotkey: String,
        /// What it is of: repository and commit.
        found: String,
        /// What the hotkey submits.
        expected: String,
    },
    /// A source that was read at another commit.
    #[error(
        "the source of {hotkey} was read at commit {found}, expected {expected}\nhelp: check out the commit that it submits"
    )]
    SourceCommit {
        /// Whose.
        hotkey: String,
        /// Where it was read.
        found: String,
        /// What the hotkey submits.
        expected: String,
    },
}

impl GateError {
    /// Whose fault: the host's.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl Enrolled {
    /// What its facts are about.
    pub fn subject(&self) -> Subject {
        self.response.subject(&self.hotkey)
    }
}

#[cfg(test)]
mod tests;
