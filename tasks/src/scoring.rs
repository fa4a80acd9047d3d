//! From per-row losses to decisions: who won which rows, by how much, and how sure that is.
//!
//! | module | what it says |
//! |---|---|
//! | [`ranking`] | places and points inside one task |
//! | [`degenerate`](mod@degenerate) | tasks that decide nothing |
//! | [`grpo`] | rewards of several candidates to scores |
//! | [`duel`] | two candidates over one set: wins, gap, bounds |
//! | [`knockout`] | one task of a pair: who goes on |
//! | [`boss`] | one task of a boss round: who has it, and why |
//! | [`title`] | a whole boss round: who has the title, or what is played first |
//! | [`environment`] | games to standings, who goes on, who has the title |
//! | [`performance`] | by how much a challenger was better |
//! | [`bootstrap`] | what a mean could have been on other rows of the same kind |
//! | [`pcg64`] | the random numbers, equal to numpy's bit for bit |
//!
//! All of it is a function of its arguments: the seed comes from the rule set, so everyone who has the vectors gets
//! the same bounds to the last bit.

pub mod bootstrap;
pub mod boss;
pub mod degenerate;
pub mod duel;
pub mod environment;
pub mod grpo;
pub mod knockout;
pub mod pcg64;
pub mod performance;
pub mod ranking;
pub mod title;

pub use bootstrap::Resampled;
pub use boss::{Rows, Showing, TaskDecision, TaskReason, decide_task};
pub use degenerate::{Degenerate, degenerate};
pub use duel::{Bounds, Duel, IncomparableError, Tally, Verdict};
pub use knockout::{Contender, KnockoutDecision, KnockoutReason, decide_knockout};
pub use ranking::{Entry, Standing};
pub use title::{RoundTask, TitleDecision, TitleOutcome, TitleReason, decide_title};
