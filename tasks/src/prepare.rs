//! A task's rows as token ids and labels, for one candidate.
//!
//! Tokenising is the slow part and the same for every candidate; how long a sample may be is not, because the
//! sequence length follows from the candidate's `max_position_embeddings`. So [`TokenizedTask`] is made once, and
//! [`TokenizedTask::derive`] is cheap.

mod error;
mod sequence_len;
mod sets;

pub use error::PrepareError;
pub use sets::{DpoPair, DpoSet, DropCounts, EvalRow, EvalSet, Prepared};

use crate::chat::{ChatTemplate, TemplateDate, TemplateError, named_template};
use crate::data::{DataDrops, DataSet, chat_rows, preference_rows, text_rows};
use crate::prompt::chat::{ChatError, ChatStrategy, MessageFormat, tools_of, without_nulls};
use crate::prompt::instruct::{self, InstructFormat};
use crate::prompt::preference::{self, PairTokens};
use crate::prompt::{RowTokens, completion};
use crate::rules::RuleSet;
use crate::spec::{ChatType, DatasetType, InstructType, TaskSpec};
use crate::tokenizer::TextTokenizer;
use rayon::prelude::*;
use serde_json::Value;

enum Tokens {
    Rows(Vec<(usize, RowTokens)>),
    Pairs(Vec<(usize, [String; 3], PairTokens)>),
}

/// A task's rows as tokens, before the candidate is known.
pub struct TokenizedTask<'a> {
    rules: &'a RuleSet,
    tokenizer: &'a TextTokenizer,
    sequence_len: u64,
    eos: u32,
    rows_read: usize,
    data_drops: DataDrops,
    tokens: Tokens,
}

/// Asked before each row; `true` ends the work with [`PrepareError::Cancelled`].
pub type Cancelled<'a> = &'a (dyn Fn() -> bool + Sync);

/// Tokenises and derives in one call.
///
/// * `candidate_max_position`: `max_position_embeddings` of the candidate's config; `None` if it has none
///
/// # Errors
/// See [`PrepareError`].
pub fn prepare(
    task: &TaskSpec,
    rules: &RuleSet,
    data: &DataSet,
    tokenizer: &TextTokenizer,
    candidate_max_position: Option<u64>,
) -> Result<Prepared, PrepareError> {
    TokenizedTask::new(task, rules, data, tokenizer, &|| false)?.derive(candidate_max_position)
}

impl<'a> TokenizedTask<'a> {
    /// Tokenises every row. Rows are independent and done in parallel; their order is kept.
    ///
    /// # Errors
    /// See [`PrepareError`]; of several failing rows the first in the file is reported.
    pub fn new(
        task: &TaskSpec,
        rules: &'a RuleSet,
        data: &DataSet,
        tokenizer: &'a TextTokenizer,
        cancelled: Cancelled<'_>,
    ) -> Result<Self, PrepareError> {
        let mut made = Self {
            rules,
            tokenizer,
            sequence_len: task.sequence_len.unwrap_or(rules.text.sequence_len),
            eos: 0,
            rows_read: data.rows.len(),
            data_drops: DataDrops::default(),
            tokens: Tokens::Rows(Vec::new()),
        };
        match &task.dataset_type {
            DatasetType::Env(_) | DatasetType::Grpo(_) => {
                return Err(PrepareError::NotATextLoss {
                    task: task.id.clone(),
                    kind: task.task_type.name(),
                });
            }
            DatasetType::Instruct(columns) => {
                made.eos = tokenizer
                    .eos_id()
                    .ok_or(PrepareError::NoEos { kind: "instruct" })?;
                made.tokens = Tokens::Rows(match columns.field_output.as_deref() {
                    Some(output) if !output.is_empty() => {
                        made.instruct(columns, output, data, cancelled)?
                    }
                    _ => made.completion(columns, data, cancelled)?,
                });
            }
            DatasetType::Chat(columns) => {
                let (rows, drops) = made.chat(columns, data, cancelled)?;
                (made.tokens, made.data_drops) = (Tokens::Rows(rows), drops);
            }
            DatasetType::Dpo(columns) => {
                let (rows, drops) =
                    preference_rows(data, columns, &rules.data).map_err(PrepareError::Data)?;
                made.data_drops = drops;
                let tokenize = |(row, texts): (usize, [String; 3])| {
                    go_on(cancelled)?;
                    preference::tokenize(tokenizer, &texts, rules.dpo.append_eos)
                        .map(|pair| (row, texts, pair))
                        .map_err(|source| PrepareError::Tokenize {
                            row: row + 1,
                            source,
                        })
                };
                made.tokens =
                    Tokens::Pairs(in_order(rows.into_par_iter().map(tokenize).collect())?);
            }
        }
        Ok(made)
    }

    fn instruct(
        &self,
        columns: &InstructType,
        output: &str,
        data: &DataSet,
        cancelled: Cancelled<'_>,
    ) -> Result<Vec<(usize, RowTokens)>, PrepareError> {
        let format = InstructFormat::new(columns, output).map_err(PrepareError::Format)?;
        let wanted = [
            (format.system_column.as_str(), None),
            (
                format.instruction_column.as_str(),
                Some("dataset_type.field_instruction"),
            ),
            (format.input_column.as_str(), None),
            (
                format.output_column.as_str(),
                Some("dataset_type.field_output"),
            ),
        ];
        let texts = text_rows(data, &wanted, &self.rules.data)
            .map_err(PrepareError::Data)?
            .texts;
        let tokenize = |(row, texts): (usize, Vec<Option<String>>)| {
            go_on(cancelled)?;
            let text = |at: usize| texts[at].as_deref();
            let prompt = format.prompt(text(0), text(1).unwrap_or_default(), text(2));
            let encode = |text: &str| {
                instruct::encode(self.tokenizer, text).map_err(|source| PrepareError::Tokenize {
                    row: row + 1,
                    source,
                })
            };
            Ok((
                row,
                RowTokens::Instruct {
                    prompt: encode(&prompt)?,
                    response: encode(text(3).unwrap_or_default())?,
                },
            ))
        };
        in_order(texts.into_par_iter().enumerate().map(tokenize).collect())
    }

    fn completion(
        &self,
        columns: &InstructType,
        data: &DataSet,
        cancelled: Cancelled<'_>,
    ) -> Result<Vec<(usize, RowTokens)>, PrepareError> {
        let column = columns.field_instruction.as_deref().unwrap_or("text");
        let wanted = [(column, Some("dataset_type.field_instruction"))];
        let texts = text_rows(data, &wanted, &self.rules.data)
            .map_err(PrepareError::Data)?
            .texts;
        let tokenize = |(row, texts): (usize, Vec<Option<String>>)| {
            go_on(cancelled)?;
            instruct::encode(self.tokenizer, texts[0].as_deref().unwrap_or_default())
                .map(|text| (row, RowTokens::Completion { text }))
                .map_err(|source| PrepareError::Tokenize {
                    row: row + 1,
                    source,
                })
        };
        in_order(texts.into_par_iter().enumerate().map(tokenize).collect())
    }

    fn chat(
        &self,
        columns: &ChatType,
        data: &DataSet,
        cancelled: Cancelled<'_>,
    ) -> Result<(Vec<(usize, RowTokens)>, DataDrops), PrepareError> {
        let template = compile_template(columns, self.tokenizer, self.rules)
            .map_err(PrepareError::Template)?;
        let format = MessageFormat::new(columns, template.source());
        let longest = sequence_len::longest(
            self.sequence_len,
            self.tokenizer.model_max_length(),
            &self.rules.text,
        )
        .map(|len| usize::try_from(len).unwrap_or(usize::MAX));
        let strategy = ChatStrategy::new(self.tokenizer, &template, &format, longest)
            .map_err(|source| PrepareError::Tokenize { row: 0, source })?;
        let (rows, drops) =
            chat_rows(data, columns, &self.rules.data).map_err(PrepareError::Data)?;
        let tokenize = |(row, messages): (usize, Vec<serde_json::Map<String, Value>>)| {
            go_on(cancelled)?;
            let tokens = || {
                let messages: Vec<_> = messages
                    .into_iter()
                    .filter_map(|message| match without_nulls(&Value::Object(message)) {
                        Value::Object(message) => Some(message),
                        _ => None,
                    })
                    .collect();
                let tools = tools_of(data.rows[row].get("tools"))?;
                let turns = format.turns(&messages, data.rows[row].get("system"))?;
                strategy.tokenize(&turns, tools.as_ref())
            };
            match tokens() {
                Ok((ids, labels)) => Ok((row, RowTokens::Chat { ids, labels })),
                Err(ChatError::Template(source)) => Err(PrepareError::Render {
                    row: row + 1,
                    source,
                }),
                Err(ChatError::Tokenizer(source)) => Err(PrepareError::Tokenize {
                    row: row + 1,
                    source,
                }),
                Err(ChatError::Message(message)) => Err(PrepareError::Conversation {
                    row: row + 1,
                    message,
                }),
            }
        };
        Ok((
            in_order(rows.into_par_iter().map(tokenize).collect())?,
            drops,
        ))
    }

    /// The samples of one candidate.
    ///
    /// # Errors
    /// `NothingLeft` if every row is dropped.
    pub fn derive(&self, candidate_max_position: Option<u64>) -> Result<Prepared, PrepareError> {
        match &self.tokens {
            Tokens::Rows(rows) => self
                .derive_rows(rows, candidate_max_position)
                .map(Prepared::Sft),
            Tokens::Pairs(pairs) => self
                .derive_pairs(pairs, candidate_max_position)
                .map(Prepared::Dpo),
        }
    }

    fn derive_rows(
        &self,
        rows: &[(usize, RowTokens)],
        max_position: Option<u64>,
    ) -> Result<EvalSet, PrepareError> {
        let lens = sequence_len::candidates(
            self.sequence_len,
            max_position,
            self.tokenizer.model_max_length(),
            &self.rules.text,
        );
        let mut drops = DropCounts::default();
        for len in &lens {
            let set = self.rows_at(rows, *len);
            if !set.rows.is_empty() {
                return Ok(set);
            }
            drops = set.dropped;
        }
        Err(PrepareError::NothingLeft { tried: lens, drops })
    }

    fn rows_at(&self, rows: &[(usize, RowTokens)], sequence_len: u64) -> EvalSet {
        let len = usize::try_from(sequence_len).unwrap_or(usize::MAX);
        let mut dropped = DropCounts::from_data(self.rows_read, self.data_drops);
        let mut kept = Vec::new();
        for (source_row, tokens) in rows {
            let samples = match tokens {
                RowTokens::Instruct { prompt, response } => {
                    vec![instruct::sample(
                        self.tokenizer,
                        self.eos,
                        prompt,
                        response,
                        len,
                    )]
                }
                RowTokens::Completion { text } => {
                    let chunks = usize::try_from(self.rules.text.completion_chunks_max)
                        .unwrap_or(usize::MAX);
                    completion::samples(self.tokenizer, self.eos, text, len, chunks)
                }
                RowTokens::Chat { ids, labels } if ids.len() <= len => {
                    vec![(ids.clone(), labels.clone())]
                }
                RowTokens::Chat { .. } => {
                    dropped.too_long += 1;
                    continue;
                }
            };
            if samples.is_empty() {
                dropped.too_short += 1;
            }
            for (ids, labels) in samples {
                let row = EvalRow {
                    ids,
                    labels,
                    source_row: *source_row,
                };
                if row.ids.len() > len {
                    dropped.too_long += 1;
                } else if row.ids.len() < self.rules.text.sample_len_min {
                    dropped.too_short += 1;
                } else if row.num_labels() == 0 {
                    dropped.unlabelled += 1;
                } else if row.num_scored() == 0 {
                    dropped.label_on_first_only += 1;
                } else {
                    kept.push(row);
                }
            }
        }
        kept.sort_by_key(|row| row.ids.len());
        EvalSet::new(kept, sequence_len, dropped)
    }

    fn derive_pairs(
        &self,
        pairs: &[(usize, [String; 3], PairTokens)],
        max_position: Option<u64>,
    ) -> Result<DpoSet, PrepareError> {
        let dpo = &self.rules.dpo;
        let max_length = max_position
            .filter(|_| dpo.max_length_from_candidate)
            .unwrap_or(dpo.max_length_default);
        let dropped = DropCounts::from_data(self.rows_read, self.data_drops);
        if pairs.is_empty() {
            return Err(PrepareError::NothingLeft {
                tried: vec![max_length],
                drops: dropped,
            });
        }
        Ok(DpoSet::new(pairs, max_length, dpo.beta, dropped))
    }
}

/// The template that a chat task names: the tokenizer's own, or one of the named ones.
///
/// # Errors
/// `Unknown`, `NoTokenizerTemplate`, or what compiling says.
pub fn compile_template(
    columns: &ChatType,
    tokenizer: &TextTokenizer,
    rules: &RuleSet,
) -> Result<ChatTemplate, TemplateError> {
    const OWN: &str = "tokenizer_default";
    let choice = columns
        .chat_template
        .as_deref()
        .filter(|name| !name.is_empty())
        .unwrap_or(OWN);
    let own = tokenizer.chat_template();
    let source = if choice == OWN {
        own.ok_or(TemplateError::NoTokenizerTemplate)?
    } else {
        let fallback = choice.strip_prefix("tokenizer_default_fallback_");
        match fallback
            .and(own)
            .or_else(|| named_template(fallback.unwrap_or(choice)))
        {
            Some(source) => source,
            None => {
                return Err(TemplateError::Unknown {
                    name: choice.to_owned(),
                    known: crate::chat::template_names(),
                });
            }
        }
    };
    let date =
        TemplateDate::parse(&rules.text.template_date).expect("rule sets are checked on loading");
    ChatTemplate::new(source, date)
}

/// The values, or the first error in order. A parallel collect into `Result` would report whichever came first in
/// time.
fn go_on(cancelled: Cancelled<'_>) -> Result<(), PrepareError> {
    match cancelled() {
        true => Err(PrepareError::Cancelled),
        false => Ok(()),
    }
}

fn in_order<T, E>(results: Vec<Result<T, E>>) -> Result<Vec<T>, E> {
    results.into_iter().collect()
}

#[cfg(test)]
mod tests;
