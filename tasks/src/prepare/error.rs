//! Why rows cannot be evaluated, and whose fault that is.

use super::DropCounts;
use crate::Owner;
use crate::chat::TemplateError;
use crate::data::DataError;
use crate::python::FormatError;
use crate::tokenizer::TokenizerError;

/// Why a task's rows cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The caller said stop.
    #[error("stopped while rows were tokenised")]
    Cancelled,
    /// The task is not scored by a loss on texts.
    #[error("task {task} is a {kind} task, which is not scored by a loss on given texts")]
    NotATextLoss {
        /// The task.
        task: String,
        /// What it is.
        kind: &'static str,
    },
    /// The rows do not fit.
    #[error("the task's rows cannot be used")]
    Data(#[source] DataError),
    /// A prompt format does not fit.
    #[error("a prompt format of the task cannot be used")]
    Format(#[source] FormatError),
    /// Answers are closed with EOS, and the tokenizer has none.
    #[error(
        "the base model's tokenizer has no EOS token, and {kind} samples end with it\nhelp: set eos_token in tokenizer_config.json"
    )]
    NoEos {
        /// What kind of samples.
        kind: &'static str,
    },
    /// The chat template cannot be used at all.
    #[error("the task's chat template cannot be used")]
    Template(#[source] TemplateError),
    /// A conversation could not be rendered.
    #[error("row {row} cannot be rendered")]
    Render {
        /// Row of the file, counted from 1.
        row: usize,
        /// Why.
        #[source]
        source: TemplateError,
    },
    /// A conversation does not fit.
    #[error("row {row}: {message}")]
    Conversation {
        /// Row of the file, counted from 1.
        row: usize,
        /// What does not fit.
        message: String,
    },
    /// A text could not be tokenised.
    #[error("row {row} cannot be tokenised")]
    Tokenize {
        /// Row of the file, counted from 1.
        row: usize,
        /// Why.
        #[source]
        source: TokenizerError,
    },
    /// Nothing is left to score.
    #[error("no row is left to score at sequence length {}: {drops}", .tried.iter().map(u64::to_string).collect::<Vec<_>>().join(", "))]
    NothingLeft {
        /// Sequence lengths that were tried.
        tried: Vec<u64>,
        /// Where the rows went, at the last of them.
        drops: DropCounts,
    },
}

impl PrepareError {
    /// Whose fault: task, rows, tokenizer and template all come with the task.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}
