//! Rows for candidates: tokenised once, one set for each sequence length among them.

use super::candidates::{Base, Entrant};
use super::{Request, failure};
use crate::error::{EvaluateError, chain};
use crate::evaluation::Failure;
use crate::layout::Row;
use crate::model::Model;
use crate::plan::{AdapterLoad, Footprint, Load};
use crate::score::{dpo_rows, sft_row};
use gradus_checkpoint::tokenizer::TokenizerFiles;
use gradus_tasks::rules::KlMask;
use gradus_tasks::{Cancelled, Owner, Prepared, TextTokenizer, TokenizedTask};
use std::path::Path;

/// One evaluation set: the rows of all candidates with the same sequence length.
pub(super) struct Set {
    pub(super) prepared: Prepared,
    pub(super) rows: Vec<Row>,
    /// Candidates that it is for.
    pub(super) entrants: Vec<usize>,
}

impl Set {
    /// Row of the file, counted from 1, that the `row`-th of [`Set::rows`] comes from.
    pub(super) fn file_row(&self, row: usize) -> usize {
        1 + match &self.prepared {
            Prepared::Sft(set) => set.rows[row].source_row,
            Prepared::Dpo(set) => set.pairs[row / 2].source_row,
        }
    }
}

/// Takes out models that do not fit in `memory_bytes` although the base does: the others need not wait for them.
pub(super) fn refuse_oversized(
    set: &mut Set,
    base: &Base,
    entrants: &mut [Entrant],
    memory_bytes: u64,
    threads: usize,
) {
    let longest = set.rows.iter().map(Row::needed).max().unwrap_or(0);
    let fits = |model: &Model| {
        let load = Load {
            model,
            members: 1,
            replaces: false,
            adapters: AdapterLoad::default(),
            kept_token_bytes: 0,
        };
        let footprint = Footprint::new(&[load], threads, longest);
        footprint.tokens(memory_bytes, 1, longest).map(drop)
    };
    if fits(&base.model).is_err() {
        return;
    }
    let given = [Load {
        model: &base.model,
        members: 1,
        replaces: false,
        adapters: AdapterLoad::default(),
        kept_token_bytes: 0,
    }];
    let least = Footprint::new(&given, threads, longest);
    let spare = memory_bytes.saturating_sub(least.fixed + least.token * longest as u64);
    set.entrants.retain(|&i| {
        let adapter = entrants[i].adapter_load().layer_bytes;
        // One that is larger than all the rest together is not what the limit was set for.
        if adapter > spare && adapter > least.fixed {
            entrants[i].refuse(Failure {
                owner: Owner::Submission,
                reason: format!(
                    "the adapter's largest layer takes {adapter} bytes to compute, beside the base {spare} of \
                     {memory_bytes} are left\nhelp: lower its rank"
                ),
            });
            return false;
        }
        let Some(Err(error)) = entrants[i].full_model().map(fits) else {
            return true;
        };
        // What is larger about a fine-tune is the dtype that it may well have.
        let owner = entrants[i].owner_of_shape();
        entrants[i].refuse(failure(owner, &error));
        false
    });
}

/// Tokenises once and derives a set for each sequence length among the entrants.
pub(super) fn sets(
    request: &Request<'_>,
    base: &Base,
    entrants: &mut [Entrant],
    kl: Option<KlMask>,
    cancelled: Cancelled<'_>,
) -> Result<Vec<Set>, EvaluateError> {
    let tokenizer = tokenizer(
        request.tokenizer_dir.unwrap_or(request.base),
        &base.checkpoint.config().model_type,
    )?;
    let tokenized = TokenizedTask::new(
        request.task,
        request.rules,
        request.data,
        &tokenizer,
        cancelled,
    )?;
    let mut sets: Vec<Set> = Vec::new();
    let mut derived: Vec<(u64, usize)> = Vec::new();
    let of_base = base.model.config.max_position_embeddings as u64;
    for (i, entrant) in entrants.iter_mut().enumerate() {
        if entrant.failure().is_some() {
            continue;
        }
        let positions = entrant.max_position(base) as u64;
        if let Some(&(_, set)) = derived.iter().find(|(p, _)| *p == positions) {
            sets[set].entrants.push(i);
            continue;
        }
        let prepared = match tokenized.derive(Some(positions)) {
            Ok(prepared) => prepared,
            // The rows fit the base: that they do not fit this model is the model's doing.
            Err(error) if positions != of_base && tokenized.derive(Some(of_base)).is_ok() => {
                entrant.refuse(Failure {
                    owner: Owner::Submission,
                    reason: format!(
                        "max_position_embeddings is {positions}, the base has {of_base}: {}",
                        chain(&error)
                    ),
                });
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let same = sets.iter().position(|set| set.prepared == prepared);
        let at = same.unwrap_or_else(|| {
            let rows = match &prepared {
                Prepared::Sft(set) => set.rows.iter().map(|row| sft_row(row, kl)).collect(),
                Prepared::Dpo(set) => set.pairs.iter().flat_map(dpo_rows).collect(),
            };
            sets.push(Set {
                prepared,
                rows,
                entrants: Vec::new(),
            });
            sets.len() - 1
        });
        sets[at].entrants.push(i);
        derived.push((positions, at));
    }
    Ok(sets)
}

fn tokenizer(dir: &Path, model_type: &str) -> Result<TextTokenizer, EvaluateError> {
    let path = || dir.display().to_string();
    let files = TokenizerFiles::read(dir).map_err(|source| EvaluateError::TokenizerFiles {
        path: path(),
        source,
    })?;
    let json = files
        .tokenizer
        .as_deref()
        .ok_or_else(|| EvaluateError::NoTokenizer { path: path() })?;
    TextTokenizer::from_bytes(gradus_tasks::TokenizerFiles {
        tokenizer_json: json,
        tokenizer_config: files.tokenizer_config.as_deref(),
        special_tokens_map: files.special_tokens_map.as_deref(),
        chat_template_jinja: files.chat_template_jinja.as_deref(),
        model_type: Some(model_type),
    })
    .map_err(|source| EvaluateError::Tokenizer {
        path: path(),
        source,
    })
}
