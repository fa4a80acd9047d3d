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
//!
//! Facts cost time, so the gate asks for those it needs: called with too few, it names them and decides nothing. The same
//! input gives the same decision, and no order of facts matters.

mod decide;

pub use decide::decide;

use super::duplicates::{Basis, Cluster, SourceFact};
use super::identity::Duplicate;
use super::ledger::{Ledger, LedgerError, LedgerEvent};
use super::licence::LicenceRefusal;
use super::response::{Commit, GithubToken, ResponseError, TrainingRepoResponse};
use crate::Owner;
use crate::rules::RuleSet;
use crate::weights::TournamentType;
use std::collections::{BTreeMap, HashSet};
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

/// Whether a token opens its repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFact {
    /// It does.
    Opens,
    /// It does not, or nobody could tell: it is dropped.
    Dropped,
}

/// What a checker said of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckVerdict {
    /// Nothing was found.
    Clean,
    /// Something was.
    Rejected {
        /// The code that it ended with.
        code: i32,
    },
    /// It did not end in time, which counts as found.
    TimedOut {
        /// The limit, milliseconds.
        limit_ms: u64,
    },
}

/// What is known of an entrant's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// It was read.
    Read(SourceFact),
    /// It could not be had: no copy of anything.
    Unavailable,
}

/// What was found out, by hotkey.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Of those that gave a token.
    pub tokens: BTreeMap<String, TokenFact>,
    /// What the obfuscation checker said.
    pub obfuscation: BTreeMap<String, CheckVerdict>,
    /// What the licence check said.
    pub licences: BTreeMap<String, Result<(), LicenceRefusal>>,
    /// Sources of entrants, and of the boss where it is compared too.
    pub sources: BTreeMap<String, SourceState>,
}

/// A fact that is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Whether a token opens its repository.
    Token {
        /// Whose.
        hotkey: String,
    },
    /// What the obfuscation checker says.
    Obfuscation {
        /// Of whom.
        hotkey: String,
    },
    /// What the licence check says.
    Licence {
        /// Of whom.
        hotkey: String,
    },
    /// Commit and digest of the source.
    Source {
        /// Of whom.
        hotkey: String,
    },
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
    #[error("{} stays, which has the same {:?}", .0.kept, .0.identity)]
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
}

impl GateError {
    /// Whose fault: the host's.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// A token that counts: given, and found to open its repository.
fn opens(facts: &Facts, hotkey: &str, token: Option<&GithubToken>) -> bool {
    token.is_some() && facts.tokens.get(hotkey) == Some(&TokenFact::Opens)
}

#[cfg(test)]
mod tests;
