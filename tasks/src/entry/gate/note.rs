//! What an operator should know of a decision, and what changes nothing in it.

use super::{Refusal, Refused};
use crate::entry::ledger::LedgerError;
use crate::rules::Identity;

/// Something that follows from the rules and that somebody may want to look at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// Somebody fell to another of the same operator who is not in either.
    #[error(
        "{hotkey} fell to {kept}, which has the same {}, and {kept} is not in: {refusal}",
        .identity.word()
    )]
    FellToRefused {
        /// Who fell.
        hotkey: String,
        /// What both have.
        identity: Identity,
        /// To whom.
        kept: String,
        /// Why that one is not in.
        refusal: Refusal,
    },
    /// Copies left fewer than a field has to have. Rules count before they fall.
    #[error(
        "copies of one another left {bracket} of a field that has to have {field_min}; it is counted before they fall"
    )]
    FieldShrunk {
        /// How many are left.
        bracket: usize,
        /// How many a field has at least.
        field_min: u32,
    },
    /// Somebody is enrolled, and the ledger has no fee of that.
    #[error("{hotkey} is enrolled and the ledger had no fee of it, which is in fees again")]
    FeeMissing {
        /// Who.
        hotkey: String,
    },
    /// The same, of somebody whose balance is less than the fee.
    #[error("{hotkey} is enrolled, the ledger has no fee of it, and none can be taken: {error}")]
    Unpaid {
        /// Who.
        hotkey: String,
        /// Why none can be.
        error: LedgerError,
    },
}

impl Note {
    /// The word of it, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::FellToRefused { .. } => "fell_to_refused",
            Self::FieldShrunk { .. } => "field_shrunk",
            Self::FeeMissing { .. } => "fee_missing",
            Self::Unpaid { .. } => "unpaid",
        }
    }

    /// Notes of those who fell to somebody who was refused, in the order of refusals.
    pub(super) fn of_fallen(refused: &[Refused]) -> Vec<Self> {
        let why = |hotkey: &str| {
            // Being there twice puts nobody out.
            let mut found = refused.iter();
            found.find(|one| one.hotkey == hotkey && one.refusal != Refusal::Twice)
        };
        let note = |one: &Refused| {
            let Refusal::Identity(duplicate) = &one.refusal else {
                return None;
            };
            let kept = why(&duplicate.kept)?;
            Some(Self::FellToRefused {
                hotkey: one.hotkey.clone(),
                identity: duplicate.identity,
                kept: duplicate.kept.clone(),
                refusal: kept.refusal.clone(),
            })
        };
        refused.iter().filter_map(note).collect()
    }
}
