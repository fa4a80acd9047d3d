//! Who enters a tournament: from what miners answer to the bracket's field.
//!
//! ```text
//! answers ─► response ─┐
//! tokens, checkers ────┼─► gate ─► admitted, refused with reasons, fees ─► the field is full, or until when to wait
//! ledger ──────────────┘                                                  └─► duplicates fall ─► bracket
//! ```
//!
//! | module | is about |
//! |---|---|
//! | [`response`] | a miner's answer: repository, commit, token, data sets |
//! | [`repository`] | the forms of GitHub's addresses |
//! | [`identity`] | one entrant for each address, owner and coldkey |
//! | [`licence`] | licence and notice, line by line |
//! | [`duplicates`] | copies of one another, by commit and by normalised source |
//! | [`ledger`] | balances and fees, as events |
//! | [`facts`] | what is found out, each of one hotkey, repository and commit |
//! | [`file`] | all that the gate is asked about, as a file |
//! | [`gate`] | all of it in order, as one function of facts |
//! | [`schedule`] | when the next tournament starts |
//! | [`review`] | reviews that hold a tournament, and what they decide |
//!
//! Nothing here asks anybody: what was found out comes in, what is still to be found out goes out.

pub mod duplicates;
pub mod facts;
pub mod file;
pub mod gate;
pub mod identity;
pub mod ledger;
pub mod licence;
pub mod repository;
pub mod response;
pub mod review;
pub mod schedule;
mod text;

pub use duplicates::{Basis, Cluster, SourceFact, SourceFile, find_duplicates, source_digest};
pub use facts::{CheckVerdict, Facts, Need, SourceState, Subject, TokenFact};
pub use file::{EntryFile, EntryFileError};
pub use gate::{
    Candidate, Decision, Enrolled, Field, GateError, GateInput, GateOutcome, Note, Refusal,
    Refused, decide,
};
pub use identity::{Duplicate, Entrant, deduplicate};
pub use ledger::{Applied, Ledger, LedgerError, LedgerEvent};
pub use licence::{LicenceRefusal, check_licence};
pub use repository::{Repository, RepositoryError};
pub use response::{Commit, GithubToken, ResponseError, TrainingRepoResponse, requested_datasets};
pub use review::{ChallengerState, Holds, PairwiseState, promoted};
pub use schedule::{NextStart, Previous, ScheduleError, Start, may_start, next_start};

/// One function of bytes for each hostile input, for fuzzers: whatever the bytes are, each returns.
pub mod fuzzing {
    use super::TrainingRepoResponse;
    use crate::rules::{ExtraFields, RuleSet};

    /// What a miner answers: what is accepted has a repository that is written as it is read, and shows no token.
    pub fn repo_response(bytes: &[u8]) {
        for extra in [ExtraFields::Ignored, ExtraFields::Refused] {
            if let Ok(answer) = TrainingRepoResponse::from_json(bytes, extra) {
                let url = answer.repository.url();
                assert_eq!(url.parse().as_ref(), Ok(&answer.repository));
                if let Some(token) = &answer.github_token {
                    assert_eq!(format!("{token:?}"), "GithubToken(…)");
                }
            }
        }
    }

    /// A rule set's text: what is accepted is written so that it is read the same.
    pub fn rule_set(bytes: &[u8]) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        for name in RuleSet::names() {
            if let Ok(rules) = RuleSet::from_toml(name, text) {
                let written = toml::to_string(&rules).expect("a rule set is plain data");
                assert_eq!(RuleSet::from_toml(name, &written).ok(), Some(rules));
            }
        }
    }
}
