//! What came of intents: one word each, the reason, and a line for everything that was written down.

use super::intent::{Intent, IntentId, Origin};
use super::state::{Stage, State, Step};
use super::verdict::Verdict;
use crate::AccountId;
use crate::BlockRef;
use serde::Serialize;
use std::fmt;

/// The version of [`Status`] as it is serialised.
const STATUS_VERSION: u32 = 1;

/// Where an intent is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Nothing of it can land now.
    Planned,
    /// An extrinsic of it may land.
    Submitted,
    /// In a block that is not final.
    InBlock,
    /// In a final block: set and to be looked at, or committed and to be revealed.
    Finalized,
    /// Revealed, and to be looked at.
    Revealed,
    /// In effect.
    Verified,
    /// Out of time.
    Expired,
    /// Not done, or undone, by the chain.
    Dropped,
    /// Against a rule.
    Refused,
}

/// A line of an intent's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HistoryRow {
    /// The newest finalized block then.
    pub at_block: u64,
    /// Where the intent was from then on.
    pub word: Word,
    /// The block that it is about.
    pub block: Option<BlockRef>,
    /// What happened; for the last, why it ended so.
    pub what: String,
}

/// All intents of a state directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Version 1.
    pub version: u32,
    /// The network.
    pub profile: String,
    /// Intents, in order of creation.
    pub intents: Vec<IntentStatus>,
}

/// One intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IntentStatus {
    /// Its name.
    pub id: IntentId,
    /// The subnet.
    pub netuid: u16,
    /// The mechanism.
    pub mechanism: u8,
    /// Who signs.
    pub hotkey: AccountId,
    /// Whether its weights are the fallback.
    pub fallback: bool,
    /// Where it is.
    pub word: Word,
    /// The last thing that happened, or how it ended and why.
    pub reason: String,
    /// How it ended, if it has.
    pub verdict: Option<Verdict>,
    /// Extrinsics signed.
    pub attempts: u32,
    /// The finalized block at which it was made.
    pub created_at_block: u64,
    /// The finalized block of its last line.
    pub last_block: u64,
    /// The block from which on another attempt may land, if it waits for one.
    pub retry_at_block: Option<u64>,
    /// All that happened.
    pub history: Vec<HistoryRow>,
}

impl Word {
    /// The word for a state.
    pub fn of(state: &State) -> Self {
        match state.stage() {
            Stage::Idle {
                step: Step::Reveal, ..
            } => Self::Finalized,
            Stage::Idle { .. } => Self::Planned,
            Stage::Alive {
                in_block: Some(_), ..
            } => Self::InBlock,
            Stage::Alive { .. } => Self::Submitted,
            Stage::Landed { .. } | Stage::Committed => Self::Finalized,
            Stage::Revealed { .. } => Self::Revealed,
            Stage::Ended { verdict } => Self::of_verdict(verdict),
        }
    }

    /// The word for an end.
    pub fn of_verdict(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Verified { .. } => Self::Verified,
            Verdict::Expired { .. } => Self::Expired,
            Verdict::Dropped { .. } => Self::Dropped,
            Verdict::Refused { .. } => Self::Refused,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Planned => "planned",
            Self::Submitted => "submitted",
            Self::InBlock => "in_block",
            Self::Finalized => "finalized",
            Self::Revealed => "revealed",
            Self::Verified => "verified",
            Self::Expired => "expired",
            Self::Dropped => "dropped",
            Self::Refused => "refused",
        })
    }
}

impl IntentStatus {
    /// Of one state.
    pub fn of(state: &State) -> Self {
        let intent: &Intent = state.intent();
        let history = state.history().to_vec();
        let retry_at_block = match state.stage() {
            Stage::Idle { retry_at_block, .. } if *retry_at_block > 0 => Some(*retry_at_block),
            _ => None,
        };
        Self {
            id: intent.id.clone(),
            netuid: intent.netuid,
            mechanism: intent.mechanism,
            hotkey: intent.hotkey,
            fallback: intent.origin != Origin::Results,
            word: Word::of(state),
            reason: history
                .last()
                .map_or_else(String::new, |row| row.what.clone()),
            verdict: match state.stage() {
                Stage::Ended { verdict } => Some(verdict.clone()),
                _ => None,
            },
            attempts: u32::try_from(state.attempts().len()).unwrap_or(u32::MAX),
            created_at_block: intent.created_at_block,
            last_block: state.last_block(),
            retry_at_block,
            history,
        }
    }
}

impl Status {
    /// Of all states of a directory.
    pub fn of<'a>(profile: &str, states: impl IntoIterator<Item = &'a State>) -> Self {
        let mut intents: Vec<_> = states.into_iter().map(IntentStatus::of).collect();
        intents.sort_by(|a, b| (a.created_at_block, &a.id).cmp(&(b.created_at_block, &b.id)));
        Self {
            version: STATUS_VERSION,
            profile: profile.to_owned(),
            intents,
        }
    }
}

/// Intents for results of one mechanism that ended since the last that is in effect, none of which is: what fallback weights wait for.
pub fn failures_in_a_row(status: &Status, netuid: u16, mechanism: u8, hotkey: AccountId) -> u32 {
    let of = |intent: &&IntentStatus| {
        (intent.netuid, intent.mechanism, intent.hotkey) == (netuid, mechanism, hotkey)
    };
    let mut ended: Vec<_> = status
        .intents
        .iter()
        .filter(of)
        .filter_map(|intent| Some((intent.last_block, intent.fallback, intent.verdict.as_ref()?)))
        .collect();
    ended.sort_by_key(|(last_block, ..)| std::cmp::Reverse(*last_block));
    let failed = ended
        .iter()
        .take_while(|(_, fallback, verdict)| *fallback || !verdict.is_verified())
        .filter(|(_, fallback, _)| !fallback);
    u32::try_from(failed.count()).unwrap_or(u32::MAX)
}
