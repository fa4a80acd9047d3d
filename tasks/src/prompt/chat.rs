//! Conversations through a chat template: only the assistant's turns are scored.
//!
//! Where a turn lies in the rendering is found by rendering again with its text replaced by a placeholder and
//! comparing: what differs is the turn. Two placeholders with different first and last characters are used, since
//! the template's own text may begin or end like one of them. An EOS within three tokens after a turn is scored
//! with it.
//!
//! That is two renderings of the whole conversation for every trained turn, so one row has a budget for all of them.

mod message;

use super::{IGNORE_LABEL, label_of};
use crate::chat::{ChatTemplate, RenderInput, TemplateError};
use crate::tokenizer::{Spans, TextTokenizer, TokenizerError};
use serde_json::{Map, Value};
use std::cell::Cell;

pub(crate) use message::{MessageFormat, tools_of, without_nulls};

const PLACEHOLDERS: [&str; 2] = ["[[dummy_message]]", "zzdummymessagezz"];
const EOS_REACH: usize = 3;
const TRAINED_ROLE: &str = "assistant";
/// Steps of the template that all renderings of one conversation may take together; a conversation of 1,000 turns
/// needs under half. [`STEP_BYTES`] of what goes into a rendering or comes out of it cost one as well.
const ROW_STEPS_MAX: u64 = 1_000_000_000;
const STEP_BYTES: u64 = 16;

/// Why a conversation could not become tokens.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChatError {
    #[error(transparent)]
    Template(TemplateError),
    #[error(transparent)]
    Tokenizer(TokenizerError),
    #[error("{0}")]
    Message(String),
}

/// A template with the tokenizer whose ids it becomes.
pub(crate) struct ChatStrategy<'a> {
    tokenizer: &'a TextTokenizer,
    template: &'a ChatTemplate,
    trained_role: String,
    eot_id: Option<u32>,
    variables: Map<String, Value>,
    longest: Option<usize>,
}

/// One row's conversation.
struct Conversation<'a> {
    turns: &'a [Turn],
    tools: Option<&'a Value>,
    /// What goes into every rendering, in steps.
    input_steps: u64,
    steps_left: Cell<u64>,
}

type Turn = Map<String, Value>;

impl<'a> ChatStrategy<'a> {
    /// `longest`: the most ids of a row that any candidate's sequence length admits, if there is such a number.
    pub(crate) fn new(
        tokenizer: &'a TextTokenizer,
        template: &'a ChatTemplate,
        format: &MessageFormat,
        longest: Option<usize>,
    ) -> Result<Self, TokenizerError> {
        let eot_id = match tokenizer.eos_token() {
            Some(eos) => match tokenizer.encode(eos, false)?.as_slice() {
                [id] => Some(*id),
                _ => None,
            },
            None => None,
        };
        let variables = tokenizer
            .special_tokens()
            .iter()
            .map(|(k, v)| (k.clone(), Value::String(v.clone())))
            .collect();
        Ok(Self {
            tokenizer,
            template,
            trained_role: format.map_role(TRAINED_ROLE),
            eot_id,
            variables,
            longest,
        })
    }

    /// Ids and labels of a conversation. One that is too long for every candidate has no labels.
    pub(crate) fn tokenize(
        &self,
        turns: &[Turn],
        tools: Option<&Value>,
    ) -> Result<(Vec<u32>, Vec<i32>), ChatError> {
        let row = Conversation::new(turns, tools);
        let text = self.render(&row, turns, None)?;
        let steps = ROW_STEPS_MAX - row.steps_left.get();
        let spans = self
            .tokenizer
            .encode_spans(&text)
            .map_err(ChatError::Tokenizer)?;
        let ids = &spans.ids;
        let mut labels = vec![IGNORE_LABEL; ids.len()];
        if self.longest.is_some_and(|longest| ids.len() > longest) {
            return Ok((spans.ids, labels));
        }
        let trained: Vec<usize> = (0..turns.len())
            .filter(|i| turns[*i].get("role").and_then(Value::as_str) == Some(&self.trained_role))
            .collect();
        let renderings = (PLACEHOLDERS.len() * trained.len()) as u64;
        row.need(steps.saturating_mul(renderings))?;
        let rendered: Vec<char> = text.chars().collect();
        let mut replaced = turns.to_vec();
        for index in trained {
            let span = self.find_turn(&row, &mut replaced, index, &rendered, &spans)?;
            if let Some((start, end)) = span {
                // A slice past the end is cut, as Python's are.
                for at in start..end.min(ids.len()) {
                    labels[at] = label_of(ids[at]);
                }
            }
            let end = span.map(|(_, end)| end);
            for eos in [self.eot_id, self.tokenizer.eos_id()].into_iter().flatten() {
                if let Some(at) = first_from(ids, end, eos)
                    && end.map_or(at + 1, |end| at - end) <= EOS_REACH
                {
                    labels[at] = label_of(ids[at]);
                }
            }
        }
        Ok((spans.ids, labels))
    }

    fn render(
        &self,
        row: &Conversation<'_>,
        turns: &[Turn],
        last: Option<usize>,
    ) -> Result<String, ChatError> {
        let mut variables = self.variables.clone();
        if let Some(last) = last.filter(|last| *last > 0) {
            variables.insert("real_last_index".to_owned(), Value::from(last));
        }
        let input = RenderInput {
            tools: row
                .tools
                .filter(|tools| tools.as_array().is_none_or(|list| !list.is_empty())),
            add_generation_prompt: false,
            variables,
        };
        let (text, steps) = self
            .template
            .render_counted(turns, &input)
            .map_err(ChatError::Template)?;
        row.charge(steps + row.input_steps + text.len() as u64 / STEP_BYTES)?;
        Ok(text)
    }

    /// Token span of a turn's text; `None` if it is not in the rendering. `replaced` is the row's turns, before and
    /// after.
    fn find_turn(
        &self,
        row: &Conversation<'_>,
        replaced: &mut [Turn],
        index: usize,
        rendered: &[char],
        spans: &Spans,
    ) -> Result<Option<(usize, usize)>, ChatError> {
        let mut start = usize::MAX;
        let mut end = 0;
        for placeholder in PLACEHOLDERS {
            replaced[index] = dummy_turn(&row.turns[index], placeholder);
            let dummy: Vec<char> = self.render(row, replaced, None)?.chars().collect();
            replaced[index].clone_from(&row.turns[index]);
            if rendered.is_empty() || dummy.is_empty() {
                return self.find_turn_in_prefix(row, index);
            }
            let (from, to) = differing(rendered, &dummy);
            start = start.min(from);
            end = end.max(to);
        }
        if end <= start {
            return Ok(None);
        }
        // One character may be split over tokens that share its span, so the end is sought among starts.
        let first = bisect(&spans.ends, |at| start < at);
        let past = bisect(&spans.starts, |at| end <= at);
        if first >= spans.ends.len() {
            return self.find_turn_in_prefix(row, index);
        }
        Ok((first < past).then_some((first, past)))
    }

    /// The slower way: tokenise the conversation up to the turn, with its text and with a placeholder, and compare
    /// ids from both ends.
    fn find_turn_in_prefix(
        &self,
        row: &Conversation<'_>,
        index: usize,
    ) -> Result<Option<(usize, usize)>, ChatError> {
        let mut prefix = row.turns[..=index].to_vec();
        let last = row.turns.len() - 1;
        let ids = |turns: &[Turn]| {
            let text = self.render(row, turns, Some(last))?;
            self.tokenizer
                .encode(&text, false)
                .map_err(ChatError::Tokenizer)
        };
        let full = ids(&prefix)?;
        prefix[index] = dummy_turn(&row.turns[index], PLACEHOLDERS[0]);
        let dummy = ids(&prefix)?;
        let limit = full.len().min(dummy.len());
        let start = (0..limit).find(|&i| full[i] != dummy[i]);
        let end = (0..limit).find(|&i| full[full.len() - 1 - i] != dummy[dummy.len() - 1 - i]);
        Ok(match (start, end.map(|i| full.len() - i)) {
            (Some(start), Some(end)) if start < end => Some((start, end)),
            _ => None,
        })
    }
}

impl<'a> Conversation<'a> {
    fn new(turns: &'a [Turn], tools: Option<&'a Value>) -> Self {
        let members = turns.iter().flat_map(|turn| turn.values());
        let input: u64 = members.chain(tools).map(weight).sum();
        Self {
            turns,
            tools,
            input_steps: input / STEP_BYTES,
            steps_left: Cell::new(ROW_STEPS_MAX),
        }
    }

    fn charge(&self, steps: u64) -> Result<(), ChatError> {
        self.need(steps)?;
        self.steps_left.set(self.steps_left.get() - steps);
        Ok(())
    }

    fn need(&self, steps: u64) -> Result<(), ChatError> {
        if steps <= self.steps_left.get() {
            return Ok(());
        }
        Err(ChatError::Message(format!(
            "to find what is scored in its {} turns takes the template more than the {ROW_STEPS_MAX} steps that a \
             conversation may take",
            self.turns.len()
        )))
    }
}

/// Roughly what copying a value costs, in bytes.
fn weight(value: &Value) -> u64 {
    let own = STEP_BYTES + value.as_str().map_or(0, |text| text.len() as u64);
    own + match value {
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(k, v)| k.len() as u64 + weight(v))
            .sum(),
        _ => 0,
    }
}

/// The turn with nothing but its role and a placeholder.
fn dummy_turn(turn: &Turn, placeholder: &str) -> Turn {
    let mut dummy = Map::new();
    dummy.insert(
        "role".to_owned(),
        turn.get("role").cloned().unwrap_or(Value::Null),
    );
    dummy.insert("content".to_owned(), Value::String(placeholder.to_owned()));
    dummy
}

/// The characters of `full` that are not in `other`: from the first difference to the last.
fn differing(full: &[char], other: &[char]) -> (usize, usize) {
    let limit = full.len().min(other.len());
    let start = full.iter().zip(other).take_while(|(a, b)| a == b).count();
    let same = full
        .iter()
        .rev()
        .zip(other.iter().rev())
        .take(limit - start)
        .take_while(|(a, b)| a == b)
        .count();
    (start, full.len() - same)
}

/// The first index for which `left_of` holds, by halving: the same steps, so the same answer on spans that are not
/// in order.
fn bisect(sorted: &[usize], left_of: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, sorted.len());
    while low < high {
        let middle = (low + high) / 2;
        if left_of(sorted[middle]) {
            high = middle
        } else {
            low = middle + 1
        }
    }
    low
}

/// The first `id` at or after `start`. Without a start the search begins one before the first token, which for the
/// reference is the last one: if that is the id, it counts as not found.
fn first_from(ids: &[u32], start: Option<usize>, id: u32) -> Option<usize> {
    match start {
        Some(start) => (start..ids.len()).find(|&at| ids[at] == id),
        None if ids.last() == Some(&id) => None,
        None => ids.iter().position(|at| *at == id),
    }
}

#[cfg(test)]
mod tests;
