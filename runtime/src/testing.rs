//! Hand-written evaluations for tests.

use gradus_evaluators::{
    CandidateKind, CandidateOutcome, CandidateResult, Evaluation, Failure, Provenance, RowInfo,
    Score,
};
use gradus_tasks::{Owner, RuleSet};

pub(crate) fn scored(name: &str, losses: &[f64]) -> CandidateOutcome {
    let rows = (0..losses.len())
        .map(|row| RowInfo {
            source_row: row * 3 + 1,
            num_tokens: 40 + 7 * (row % 11),
            num_labels: 12 + row % 5,
        })
        .collect();
    let score = Score {
        is_finetune: true,
        finetune_note: None,
        eval_loss: losses.iter().sum::<f64>() / losses.len() as f64,
        eval_loss_raw: None,
        kl_divergence: None,
        per_example_losses: losses
            .iter()
            .map(|loss| loss.is_finite().then_some(*loss))
            .collect(),
        rows,
        eval_set_fingerprint: "5f0c1d".repeat(10),
        sequence_len: 4096,
        notes: Vec::new(),
    };
    CandidateOutcome {
        name: name.to_owned(),
        source: format!("out/{name}"),
        kind: Some(CandidateKind::Adapter),
        result: CandidateResult::Scored(score),
    }
}

pub(crate) fn failed(name: &str) -> CandidateOutcome {
    CandidateOutcome {
        name: name.to_owned(),
        source: format!("out/{name}"),
        kind: None,
        result: CandidateResult::Failed(Failure {
            owner: Owner::Submission,
            reason: "adapter_model.safetensors: header is cut off after 17 of 2048 bytes"
                .to_owned(),
        }),
    }
}

pub(crate) fn evaluation(candidates: Vec<CandidateOutcome>) -> Evaluation {
    Evaluation {
        schema: gradus_evaluators::evaluation::SCHEMA.to_owned(),
        task_id: "pairs-of-words".to_owned(),
        task_hash: "9b71".repeat(16),
        task_type: "InstructTextTask".to_owned(),
        rule_set: RuleSet::newest_name().to_owned(),
        model_params_count: 1_234_567,
        candidates,
        provenance: Provenance {
            gradus_version: "0.1.0".to_owned(),
            device: "cpu".to_owned(),
            isa: "avx2".to_owned(),
            threads: 2,
            compute_dtype: "f32".to_owned(),
            memory_bytes: 1 << 30,
            numerics: "1".to_owned(),
        },
    }
}

/// Losses that look like a real task's: skewed, and correlated between candidates.
pub(crate) fn realistic(rows: usize, shift: f64, spread: f64, salt: u64) -> Vec<f64> {
    let mut shared = gradus_tasks::scoring::pcg64::Pcg64::new(1);
    let mut own = gradus_tasks::scoring::pcg64::Pcg64::new(1000 + salt);
    let uniform = |random: &mut gradus_tasks::scoring::pcg64::Pcg64| {
        (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..rows)
        .map(|_| {
            let level = uniform(&mut shared);
            let noise = (0..6).map(|_| uniform(&mut own)).sum::<f64>() - 3.0;
            (0.4 - (1.0 - level * 0.98).ln() * 1.1 + shift + spread * noise).max(0.01)
        })
        .collect()
}
