//! Weights that provably land: from an intent on disk to a verdict that a finalized block proves.
//!
//! A node says "accepted" of extrinsics that never land, and the chain drops a timelocked commit without a word. So nothing here believes an
//! answer to a submission: what happened is read from finalized blocks, and what cannot be read there is not called a success.
//!
//! | module | is about |
//! |---|---|
//! | `intent` | what shall be set, for whom, by which method; the row that the chain will store |
//! | `record`, `verdict` | what is written down: attempts, what became of them, how it ended and why |
//! | `state` | an intent's records folded, each allowed only where it can happen |
//! | `machine` | pure: what to write down or look at next, from the state and the newest answers |
//! | `ask` | the questions that a machine has for a node, and the answers |
//! | `journal`, `ledger` | records as lines with checksums; the state directory that holds them, for one process and one chain |
//! | `drive` | the loop that asks a node, and the [`Chain`] that it asks |
//! | `status` | what came of all intents, for people and programs |
//! | `activity` | how near the validator is to being inactive; when fallback weights are due |
//!
//! **Nothing lands twice.** An attempt is on disk before it is submitted, and submitted by the process that wrote it down, once. Another is made
//! only when the last is proven dead at a finalized block:
//!
//! | proof | why it cannot land any more |
//! |---|---|
//! | every block of its era is final, it is in none | a mortal extrinsic is valid in the blocks after its birth block, `period - 1` of them |
//! | it is in no final block, the account's nonce at the last of them is beyond its own | an account's nonces are used once, in order |
//! | it is in no final block, the last of them has a newer `spec_version` | the version is signed, and every later block checks the newer one |
//! | it landed and its dispatch failed | it was applied, and what it did was undone |
//!
//! The next attempt takes the nonce that the account has at that finalized block. After the first and third proof that is the same nonce, so that
//! even a wrong proof could not make two land. Eras begin at a finalized block: one that is retracted would make the signature worthless. That a
//! node refused an extrinsic proves nothing (another may have it), so a refusal becomes the verdict only after one of the four. An account that is
//! removed and made again starts from nonce 0; then its attempts are still bound to their eras, and an answer with a smaller nonce is not used.
//!
//! **A restart looks.** Records fold to the same state; an attempt that is alive in it is looked for until one proof holds.
//!
//! ```no_run
//! use gradus_chain::submission::*;
//! use gradus_chain::timelock::Beacon;
//!
//! // The first time, after a stop, after a crash: the same lines.
//! fn submit(
//!     ledger: &mut Ledger,
//!     intent: &Intent,
//!     chain: &mut impl Chain,
//!     clock: &mut impl Clock,
//! ) -> Result<Driven, Box<dyn std::error::Error>> {
//!     ledger.plan(intent)?;
//!     let (records, mut journal) = ledger.resume(&intent.id)?;
//!     let mut machine = Machine::resume(&records)?;
//!     let mut cipher = BeaconCipher::new(Beacon::quicknet(), rand_core::OsRng);
//!     let limits = DriveLimits {
//!         block_time_ms: 12_000,
//!         errors_max: 20,
//!         silent_pauses_max: 100,
//!         birth_age_blocks_max: ERA_PERIOD_BLOCKS / 2,
//!     };
//!     Ok(drive(&mut machine, &mut journal, chain, &mut cipher, clock, &limits)?)
//! }
//! ```

mod activity;
mod ask;
mod drive;
mod hexed;
mod intent;
mod journal;
mod ledger;
mod machine;
mod record;
mod state;
mod status;
mod verdict;

pub use activity::{Activity, ActivityRules, FallbackRule, activity, fallback_due};
pub use ask::{
    Account, Answer, Ask, CommitSet, Found, Heads, NotOpened, Order, OwnCommit, Place, Row, Signed,
};
pub use drive::{
    BeaconCipher, Call, Chain, ChainError, Cipher, Clock, Drive, DriveError, DriveLimits, Driven,
    Turn, drive, drive_each,
};
pub use hexed::Bytes;
pub use intent::{
    ERA_PERIOD_BLOCKS, Intent, IntentError, IntentId, Limits, Method, Origin, Target,
};
pub use journal::{JOURNAL_BYTES_MAX, JournalError, Tail, read_journal};
pub use ledger::{IntentFile, Journal, Ledger, LedgerError, is_in_the_way, make_directory};
pub use machine::{Machine, Next, TellError};
pub use record::{Attempt, Death, Outcome, Postponement, Record, Refusal, RefusalKind, Timelock};
pub use state::{Disorder, Stage, State, Step};
pub use status::{HistoryRow, IntentStatus, Status, Word, failures_in_a_row};
pub use verdict::{Dropped, Expired, Refused, Verdict};

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::sample_journal;
