//! From per-row losses to decisions: who won which rows, by how much, and how sure that is.
//!
//! | module | what it says |
//! |---|---|
//! | [`bootstrap`] | what a mean could have been on other rows of the same kind |
//! | [`duel`] | two candidates over one set: wins, gap, bounds, the boss round's decision |
//! | [`boss`] | one task of a boss round: who has it, and why |
//! | [`title`] | a whole boss round: who has the title, or what is played first |
//! | [`ranking`] | places and points inside one task |
//! | [`pcg64`] | the random numbers, equal to numpy's bit for bit |
//!
//! All of it is a function of its arguments: the seed comes from the rule set, so everyone who has the vectors gets
//! the same bounds to the last bit.

pub mod bootstrap;
pub mod boss;
pub mod duel;
pub mod pcg64;
pub mod ranking;
pub mod title;

pub use bootstrap::Resampled;
pub use boss::{Rows, Showing, TaskDecision, TaskReason, decide_task};
pub use duel::{Bounds, Duel, IncomparableError, Tally, Verdict};
pub use ranking::{Entry, Standing};
pub use title::{RoundTask, TitleDecision, TitleOutcome, TitleReason, decide_title};
