//! Preference pairs: prompt and prompt + completion are tokenised as whole strings with special tokens, and the
//! completion is the suffix past the prompt's length, even where a token reaches across the boundary.

use crate::tokenizer::{TextTokenizer, TokenizerError};

/// Ids of one pair before `max_length` is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PairTokens {
    pub(crate) prompt: Vec<u32>,
    pub(crate) chosen: Vec<u32>,
    pub(crate) rejected: Vec<u32>,
    /// A token reached across the boundary: the prompt's ids are not a prefix of the whole's.
    pub(crate) merged: bool,
}

pub(crate) fn tokenize(
    tokenizer: &TextTokenizer,
    [prompt, chosen, rejected]: &[String; 3],
    append_eos: bool,
) -> Result<PairTokens, TokenizerError> {
    let eos = tokenizer.eos_token().filter(|_| append_eos);
    let whole = |completion: &str| {
        let mut text = prompt.clone();
        text.push_str(completion);
        match eos {
            Some(eos) if !completion.ends_with(eos) => text.push_str(eos),
            _ => {}
        }
        tokenizer.encode(&text, true)
    };
    let prompt_ids = tokenizer.encode(prompt, true)?;
    let (chosen, rejected) = (whole(chosen)?, whole(rejected)?);
    let merged = !(chosen.starts_with(&prompt_ids) && rejected.starts_with(&prompt_ids));
    let suffix = |ids: Vec<u32>| ids.get(prompt_ids.len()..).unwrap_or_default().to_vec();
    Ok(PairTokens {
        chosen: suffix(chosen),
        rejected: suffix(rejected),
        merged,
        prompt: prompt_ids,
    })
}
