//! Rows' numbers to a candidate's score.

use super::Request;
use super::candidates::Entrant;
use super::sets::Set;
use crate::engine::RowResult;
use crate::evaluation::{CandidateOutcome, CandidateResult, Failure, RowInfo, Score};
use crate::score::{dpo_loss, kl_mean, mean, row_mean};
use gradus_tasks::{Owner, Prepared};

/// A candidate's line in the result.
pub(super) fn outcome(entrant: &Entrant, result: CandidateResult) -> CandidateOutcome {
    CandidateOutcome {
        name: entrant.name.clone(),
        source: entrant.source.clone(),
        kind: entrant.kind,
        result,
    }
}

/// Whether any number of a row is none.
pub(super) fn overflows(row: &RowResult) -> bool {
    row.nll.iter().chain(&row.kl).any(|v| !v.is_finite())
}

/// A candidate's score out of its rows' numbers.
pub(super) fn score(
    request: &Request<'_>,
    entrant: &Entrant,
    set: &Set,
    rows: &[RowResult],
    base: Option<&[RowResult]>,
) -> CandidateResult {
    if let Some(row) = rows.iter().position(overflows) {
        let row = set.file_row(row);
        return CandidateResult::Failed(Failure {
            owner: Owner::Submission,
            reason: format!(
                "the loss of row {row} is not a number: the model's activations overflow"
            ),
        });
    }
    let mut notes = entrant.notes.clone();
    let (losses, infos): (Vec<f64>, Vec<RowInfo>) = match (&set.prepared, base) {
        (Prepared::Sft(prepared), _) => {
            let info = |row: &gradus_tasks::EvalRow| RowInfo {
                source_row: row.source_row,
                num_tokens: row.ids.len(),
                num_labels: row.num_scored(),
            };
            (
                rows.iter().map(row_mean).collect(),
                prepared.rows.iter().map(info).collect(),
            )
        }
        (Prepared::Dpo(prepared), base) => {
            let base = base.unwrap_or(&[]);
            let side = |numbers: &[RowResult], pair: usize| -> [RowResult; 2] {
                [0, 1].map(|s| numbers.get(2 * pair + s).cloned().unwrap_or_default())
            };
            let losses = prepared.pairs.iter().enumerate().map(|(i, pair)| {
                if pair.chosen_cut || pair.rejected_cut {
                    return f64::NAN;
                }
                let (policy, reference) = (side(rows, i), side(base, i));
                dpo_loss(prepared.beta, policy.each_ref(), reference.each_ref())
            });
            let infos = prepared.pairs.iter().map(|pair| RowInfo {
                source_row: pair.source_row,
                num_tokens: pair.chosen.len() + pair.rejected.len(),
                num_labels: pair.chosen.len() + pair.rejected.len() - 2 * pair.prompt_len,
            });
            (losses.collect(), infos.collect())
        }
    };
    let finite: Vec<f64> = losses
        .iter()
        .copied()
        .filter(|loss| loss.is_finite())
        .collect();
    let cut = losses.len() - finite.len();
    if cut > 0 {
        notes.push(format!(
            "{cut} of {} pairs have a completion that was cut away; they do not count",
            losses.len()
        ));
    }
    if finite.is_empty() {
        let (owner, why) = match entrant.shorter_context {
            Some(positions) => (
                Owner::Submission,
                format!("max_position_embeddings is {positions}"),
            ),
            None => (Owner::Host, "the task's prompts are too long".to_owned()),
        };
        return CandidateResult::Failed(Failure {
            owner,
            reason: format!("every pair's completion was cut away: {why}"),
        });
    }
    let raw = mean(&finite);
    let kl = request.task.use_kl.then(|| kl_mean(rows));
    let dropped = set.prepared.dropped();
    if dropped.rows > dropped.samples {
        notes.push(dropped.to_string());
    }
    let (sequence_len, fingerprint) = match &set.prepared {
        Prepared::Sft(set) => (set.sequence_len, &set.fingerprint),
        Prepared::Dpo(set) => (set.max_length, &set.fingerprint),
    };
    CandidateResult::Scored(Score {
        is_finetune: entrant.is_finetune,
        finetune_note: entrant.finetune_note.clone(),
        eval_loss: kl.map_or(raw, |kl| raw + request.task.kl_coef.unwrap_or(0.0) * kl),
        eval_loss_raw: kl.map(|_| raw),
        kl_divergence: kl,
        per_example_losses: losses
            .iter()
            .map(|loss| loss.is_finite().then_some(*loss))
            .collect(),
        rows: infos,
        eval_set_fingerprint: fingerprint.clone(),
        sequence_len,
        notes,
    })
}
