//! Instruction, optional input and system text, and an answer.
//!
//! The prompt and the answer are tokenised apart, each with the tokenizer's special tokens and each cut to the
//! sequence length; the answer loses a leading BOS and gains an EOS.

use super::{IGNORE_LABEL, label_of};
use crate::python::{FormatError, FormatString};
use crate::spec::InstructType;
use crate::tokenizer::TextTokenizer;

/// Columns and formats with the reference's defaults filled in.
#[derive(Debug)]
pub(crate) struct InstructFormat {
    pub(crate) system_column: String,
    pub(crate) instruction_column: String,
    pub(crate) input_column: String,
    pub(crate) output_column: String,
    system_prompt: String,
    system_format: Option<FormatString>,
    format: FormatString,
    no_input_format: FormatString,
}

impl InstructFormat {
    /// Fields that are null take the strategy's own column names, so a `system` or `input` column is read even when
    /// the task names none: that is what the reference does.
    pub(crate) fn new(columns: &InstructType, output: &str) -> Result<Self, FormatError> {
        let or = |field: &Option<String>, default: &str| {
            field.clone().unwrap_or_else(|| default.to_owned())
        };
        let has_input = columns
            .field_input
            .as_deref()
            .is_some_and(|field| !field.is_empty());
        let format = or(
            &columns.format,
            if has_input {
                "{instruction} {input}"
            } else {
                "{instruction}"
            },
        );
        let system_format = or(&columns.system_format, "{system}");
        Ok(Self {
            system_column: or(&columns.field_system, "system"),
            instruction_column: or(&columns.field_instruction, "instruction"),
            input_column: or(&columns.field_input, "input"),
            output_column: output.to_owned(),
            system_prompt: or(&columns.system_prompt, ""),
            system_format: match system_format.as_str() {
                "" => None,
                text => Some(FormatString::parse(text, &["system"])?),
            },
            format: FormatString::parse(&format, &["instruction", "input"])?,
            no_input_format: FormatString::parse(
                &or(&columns.no_input_format, "{instruction}"),
                &["instruction"],
            )?,
        })
    }

    /// The prompt of a row. `system` and `input` are `None` where the data has no such column.
    pub(crate) fn prompt(
        &self,
        system: Option<&str>,
        instruction: &str,
        input: Option<&str>,
    ) -> String {
        let system = system.unwrap_or(&self.system_prompt);
        let head = match &self.system_format {
            Some(format) if !system.is_empty() => format.fill(&[("system", system)]),
            _ => String::new(),
        };
        match input {
            Some(input) if !input.is_empty() => {
                head + &self
                    .format
                    .fill(&[("instruction", instruction), ("input", input)])
            }
            _ => head + &self.no_input_format.fill(&[("instruction", instruction)]),
        }
    }
}

/// Ids of a text with special tokens; nothing for the empty text, whatever the tokenizer would add to it.
pub(crate) fn encode(
    tokenizer: &TextTokenizer,
    text: &str,
) -> Result<Vec<u32>, crate::tokenizer::TokenizerError> {
    if text.is_empty() {
        Ok(Vec::new())
    } else {
        tokenizer.encode(text, true)
    }
}

/// Cuts a text to `max_length` and closes it with EOS if there is room.
pub(crate) fn close(
    tokenizer: &TextTokenizer,
    eos: u32,
    ids: &[u32],
    max_length: usize,
) -> Vec<u32> {
    let mut ids = tokenizer.truncate(ids, max_length);
    if ids.last().is_some_and(|last| *last != eos) && ids.len() < max_length {
        ids.push(eos);
    }
    ids
}

/// Ids and labels of a row at a sequence length.
pub(crate) fn sample(
    tokenizer: &TextTokenizer,
    eos: u32,
    prompt: &[u32],
    response: &[u32],
    sequence_len: usize,
) -> (Vec<u32>, Vec<i32>) {
    let mut ids = tokenizer.truncate(prompt, sequence_len);
    let mut labels = vec![IGNORE_LABEL; ids.len()];
    let closed = close(tokenizer, eos, response, sequence_len);
    let answer = match closed.split_first() {
        Some((first, rest)) if Some(*first) == tokenizer.bos_id() => rest,
        _ => &closed,
    };
    ids.extend_from_slice(answer);
    labels.extend(answer.iter().copied().map(label_of));
    (ids, labels)
}
