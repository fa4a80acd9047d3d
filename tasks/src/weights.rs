//! From tournaments to the vector that goes on chain: pure, in a stated order of operations, recomputable years later.
//!
//! | module | what it says |
//! |---|---|
//! | [`results`] | a tournament as an audit file records it, and who is champion |
//! | [`balance`] | base shares of the three types |
//! | [`pools`](mod@pools) | boosts, caps and decays: what each type has to give |
//! | [`shares`](mod@shares) | who gets which part of a type |
//! | [`metagraph`] | hotkeys and their uids, and what moved between two looks |
//! | [`vector`] | all of it over the uids: champions, participants, the burned rest |
//! | [`quantise`](mod@quantise) | weights to the chain's u16 by three rules |
//! | [`fallback`](mod@fallback) | when the metagraph's incentives stand in for results |
//! | [`plan`] | one file of results and one subnet to all of the above, and the record |
//! | [`audit`] | the published record, recomputed, with the first difference |
//!
//! Every constant comes from a rule set's [`EmissionRules`](crate::rules::EmissionRules). Sums run from left to
//! right in the order of types (text, image, environment), of records and of uids, one rounding per operation, as
//! Python up to 3.11 adds floats (`sum` compensates from 3.12 on, which can change a last bit). Powers are the C
//! library's `pow` on both sides.

pub mod audit;
pub mod balance;
pub mod error;
pub mod fallback;
pub mod metagraph;
pub mod plan;
pub mod pools;
pub mod quantise;
pub mod results;
pub mod shares;
pub mod vector;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

pub use audit::{AuditData, AuditError, AuditFile, Difference, Recipe, RowVerdict, judge_row};
pub use balance::base_shares;
pub use error::EmissionError;
pub use fallback::fallback;
pub use metagraph::{Metagraph, MetagraphError, Moved};
pub use plan::{Plan, PlanError, ResultsFile};
pub use pools::{EmissionInput, Performance, Pool, Reign, TypeInput, pools};
pub use quantise::{Limits, QuantiseError, Rounding, quantise};
pub use results::{PerType, Results, TournamentType};
pub use shares::{Share, shares};
pub use vector::{Lost, WeightVector, weight_vector};
