//! What a task is: plain data in, token ids and labels out.
//!
//! Nothing here reads files, clocks, the environment or randomness: bytes come in as arguments, so a task can be
//! hashed, replayed and fuzzed.
//!
//! | module | is about |
//! |---|---|
//! | [`spec`] | the task file: versioned, strict, content-hashed |
//! | [`rules`] | rule sets: every constant that decides a score, as versioned data |
//! | [`data`] | data files to rows, and which rows count |
//! | [`tokenizer`] | text to ids, as transformers does it |
//! | [`chat`] | conversations to text through chat templates, within limits |
//! | [`prompt`] | rows to ids and labels, as axolotl does it |
//! | [`prepare`](mod@prepare) | all of it for one candidate: sequence length, drops, order, fingerprint |
//! | [`entry`] | who enters a tournament: answers, identities, licences, copies, fees |
//! | [`resources`] | how many GPUs a task gets, and for how long |
//! | [`scoring`] | per-row losses to places, duels and their bounds |
//! | [`tournament`](mod@tournament) | brackets, boss rounds, reviews: events to a champion and places |
//! | [`subnet`] | a subnet at one block, as a file |
//! | [`weights`](mod@weights) | tournaments to emissions, to the vector that goes on chain, to its audit record |
//! | [`yuma`] | what a subnet's epoch pays for the weights it holds, as the chain computes it |
//! | [`utc`](mod@utc) | times as people read them |
//! | [`strict`] | files read as they are written: structs are objects, errors name their path |
//! | [`python`] | how Python writes values, where the reference lets it |
#![forbid(unsafe_code)]

mod canonical;
pub mod chat;
pub mod data;
pub mod entry;
pub mod prepare;
pub mod prompt;
pub mod python;
pub mod resources;
pub mod rules;
pub mod scoring;
pub mod spec;
pub mod strict;
pub mod subnet;
pub mod tokenizer;
pub mod tournament;
pub mod utc;
pub mod weights;
pub mod yuma;

pub use canonical::{canonical_json, sha256_hex};
pub use chat::{ChatTemplate, RenderInput, TemplateDate, TemplateError};
pub use data::{DataError, DataFormat, DataSet};
pub use gradus_owner::Owner;
pub use prepare::{
    Cancelled, DpoPair, DpoSet, DropCounts, EvalRow, EvalSet, PrepareError, Prepared,
    TokenizedTask, prepare,
};
pub use prompt::IGNORE_LABEL;
pub use rules::{RuleSet, RuleSetError};
pub use spec::{DatasetType, SpecError, TaskSpec, TaskType};
pub use tokenizer::{TextTokenizer, TokenizerError, TokenizerFiles};
