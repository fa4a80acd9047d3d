//! Losses of token ids, for whoever has ids already: no task, no tokenizer, no score.

use crate::engine::{Against, CpuExecutor, Group, Member, Monitor, PassError, order, run_chunk};
use crate::error::EvaluateError;
use crate::layout::Row;
use crate::model::Model;
use crate::plan::{AdapterLoad, Footprint, Load};
use gradus_checkpoint::Checkpoint;
use gradus_kernels::Cpu;
use std::path::Path;

/// Never stops, tells nobody.
struct Quiet;

impl Monitor for Quiet {
    fn step(&mut self, _: f64) -> Result<(), PassError> {
        Ok(())
    }
}

/// Negative log-likelihood, nats, of every token but the first of each row, under the model in `checkpoint`.
///
/// * `rows`: token ids
/// * `memory_bytes`: limit that decides how many tokens are in flight; changes no bit
///
/// # Errors
/// If the model cannot be read or computed, an id is outside its vocabulary, or the limit is too small.
pub fn token_losses(
    cpu: &Cpu,
    checkpoint: &Path,
    rows: &[Vec<u32>],
    memory_bytes: u64,
) -> Result<Vec<Vec<f64>>, EvaluateError> {
    let path = || checkpoint.display().to_string();
    let opened = Checkpoint::open(checkpoint).map_err(|source| EvaluateError::Base {
        path: path(),
        source,
    })?;
    let model = Model::resolve(&opened, &Default::default()).map_err(|source| {
        EvaluateError::BaseModel {
            path: path(),
            source,
        }
    })?;
    let rows: Vec<Row> = rows
        .iter()
        .map(|ids| Row {
            ids: ids.clone(),
            scored: (1..ids.len() as u32).collect(),
            kl: Vec::new(),
        })
        .collect();
    let mut losses = vec![Vec::new(); rows.len()];
    let mut group = Group {
        model,
        members: vec![Member::plain()],
        first_rope: 0,
    };
    let model = group.model.clone();
    let mut order = order(&[&model], &rows);
    let load = Load {
        model: &model,
        members: 1,
        replaces: false,
        adapters: AdapterLoad::default(),
        kept_token_bytes: 0,
    };
    let longest = order.longest();
    let tokens =
        Footprint::new(&[load], cpu.threads(), longest).tokens(memory_bytes, 1, longest)?;
    let mut executor = CpuExecutor::new(cpu);
    while let Some(chunk) = order.next_chunk(tokens) {
        let pass = run_chunk(
            &mut executor,
            &mut group,
            &chunk,
            &Against::Nothing,
            &mut Quiet,
        )
        .map_err(|error| EvaluateError::BaseFailed {
            reason: error.to_string(),
        })?;
        if let Some(error) = &group.members[0].failure {
            return Err(EvaluateError::BaseFailed {
                reason: crate::error::chain(error),
            });
        }
        for (&row, result) in chunk
            .rows
            .iter()
            .zip(pass.results.into_iter().flatten().flatten())
        {
            losses[row] = result.nll;
        }
    }
    Ok(losses)
}
