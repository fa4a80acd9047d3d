//! Whole texts: every token is scored, long texts are split every `sequence_len` tokens.

use super::instruct::close;
use super::label_of;
use crate::tokenizer::TextTokenizer;

/// Ids and labels of a text's pieces at a sequence length.
pub(crate) fn samples(
    tokenizer: &TextTokenizer,
    eos: u32,
    text: &[u32],
    sequence_len: usize,
    chunks_max: usize,
) -> Vec<(Vec<u32>, Vec<i32>)> {
    close(
        tokenizer,
        eos,
        text,
        sequence_len.saturating_mul(chunks_max),
    )
    .chunks(sequence_len)
    .map(|piece| {
        (
            piece.to_vec(),
            piece.iter().copied().map(label_of).collect(),
        )
    })
    .collect()
}
