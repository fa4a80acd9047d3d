//! Rows to token ids and labels, as axolotl's strategies do it.
//!
//! | module | strategy | what is scored |
//! |---|---|---|
//! | `instruct` | custom instruct (`user_defined`) | the answer and its EOS |
//! | `completion` | `completion` | everything |
//! | `chat` | `chat_template` | the assistant's turns and their EOS |
//! | `preference` | pairs for DPO | both completions |

pub(crate) mod chat;
pub(crate) mod completion;
pub(crate) mod instruct;
pub(crate) mod preference;

/// The label of a position that is not scored.
pub const IGNORE_LABEL: i32 = -100;

/// A row's tokens before the sequence length is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowTokens {
    /// Prompt and answer, tokenised apart.
    Instruct {
        prompt: Vec<u32>,
        response: Vec<u32>,
    },
    /// One text.
    Completion { text: Vec<u32> },
    /// A rendered conversation; its length does not change what is scored.
    Chat { ids: Vec<u32>, labels: Vec<i32> },
}

pub(crate) fn label_of(id: u32) -> i32 {
    i32::try_from(id).expect("vocabularies have fewer than 2^31 entries")
}
