//! What the chain does with a weights call, in its order: before the pool takes it, when it is dispatched, and at the beginning of a block.
//!
//! | module | is about |
//! |---|---|
//! | `subnet` | facts that the rules ask storage for |
//! | `pool` | what is refused before it costs anybody anything |
//! | `dispatch` | commits and hash reveals |
//! | `set` | weights being set |
//! | `epoch` | when a subnet's epoch is due, and what its end changes |
//! | `reveal` | timelocked commits that open, or are dropped without a word |

pub(crate) mod dispatch;
pub(crate) mod epoch;
pub(crate) mod pool;
pub(crate) mod reveal;
pub(crate) mod set;
pub(crate) mod subnet;

pub(crate) use dispatch::dispatch;

/// The name of one of the pallet's errors.
pub(crate) type ErrorName = &'static str;
