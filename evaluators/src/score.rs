//! Per-token numbers to the losses that rank, as the subnet defines them.

use crate::engine::RowResult;
use crate::layout::Row;
use gradus_tasks::rules::KlMask;
use gradus_tasks::{DpoPair, EvalRow, IGNORE_LABEL};

/// A row to be scored: every labelled token but the first, which nothing predicts.
pub(crate) fn sft_row(row: &EvalRow, kl: Option<KlMask>) -> Row {
    let labelled = |from: usize| {
        row.labels
            .iter()
            .enumerate()
            .skip(from)
            .filter(|(_, label)| **label != IGNORE_LABEL)
            .map(|(t, _)| t as u32)
    };
    let kl = match kl {
        None => Vec::new(),
        // The reference applies the label mask to the logits at the same index, one after those that the loss reads.
        Some(KlMask::Unshifted) => labelled(0).collect(),
        Some(KlMask::Shifted) => labelled(1).map(|t| t - 1).collect(),
    };
    Row {
        ids: row.ids.clone(),
        scored: labelled(1).collect(),
        kl,
    }
}

/// A pair's two rows: every token of the completions. A side that was cut away has none.
pub(crate) fn dpo_rows(pair: &DpoPair) -> [Row; 2] {
    [&pair.chosen, &pair.rejected].map(|ids| Row {
        ids: ids.clone(),
        scored: (pair.prompt_len.max(1) as u32..ids.len() as u32).collect(),
        kl: Vec::new(),
    })
}

/// Mean of a row's token losses, nats.
pub(crate) fn row_mean(result: &RowResult) -> f64 {
    mean(&result.nll)
}

/// Mean in order; NaN for nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// KL over all positions of all rows, each position counting the same, nats.
pub(crate) fn kl_mean(results: &[RowResult]) -> f64 {
    let count: usize = results.iter().map(|r| r.kl.len()).sum();
    results.iter().flat_map(|r| &r.kl).sum::<f64>() / count as f64
}

/// `-ln sigma(beta ((c - c_ref) - (r - r_ref)))` with the sums of log-probabilities of the chosen and rejected completions.
pub(crate) fn dpo_loss(beta: f64, policy: [&RowResult; 2], reference: [&RowResult; 2]) -> f64 {
    let log_prob = |result: &RowResult| -result.nll.iter().sum::<f64>();
    let gain = |side: usize| log_prob(policy[side]) - log_prob(reference[side]);
    let margin = beta * (gain(0) - gain(1));
    // ln(1 + e^-m), without overflow on either side.
    if margin > 0.0 {
        libm::log1p(libm::exp(-margin))
    } else {
        libm::log1p(libm::exp(margin)) - margin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(nll: &[f64]) -> RowResult {
        RowResult {
            nll: nll.to_vec(),
            kl: Vec::new(),
        }
    }

    #[test]
    fn labels_become_scored_tokens_and_the_first_position_never_is() {
        let row = EvalRow {
            ids: vec![5, 6, 7, 8],
            labels: vec![5, IGNORE_LABEL, 7, 8],
            source_row: 0,
        };
        let unshifted = sft_row(&row, Some(KlMask::Unshifted));
        assert_eq!(
            (unshifted.scored, unshifted.kl),
            (vec![2, 3], vec![0, 2, 3])
        );
        assert_eq!(sft_row(&row, Some(KlMask::Shifted)).kl, [1, 2]);
        assert!(sft_row(&row, None).kl.is_empty());
    }

    #[test]
    fn a_pair_scores_its_completions_and_a_cut_side_nothing() {
        let pair = DpoPair {
            prompt_len: 2,
            chosen: vec![1, 2, 3, 4],
            rejected: vec![1, 2],
            chosen_cut: false,
            rejected_cut: true,
            merged: false,
            source_row: 0,
        };
        let [chosen, rejected] = dpo_rows(&pair);
        assert_eq!(chosen.scored, [2, 3]);
        assert!(rejected.scored.is_empty());
    }

    #[test]
    fn dpo_loss_is_ln_2_without_learning_and_finite_far_out() {
        let (a, b) = (result(&[1.0, 2.0]), result(&[3.0]));
        assert_eq!(dpo_loss(0.1, [&a, &b], [&a, &b]), core::f64::consts::LN_2);
        // Chosen gained 2 nats, rejected lost 1: margin 0.3.
        let (better, worse) = (result(&[0.5, 0.5]), result(&[4.0]));
        let want = (1.0 + (-0.3f64).exp()).ln();
        assert!((dpo_loss(0.1, [&better, &worse], [&a, &b]) - want).abs() < 1e-15);
        let far = result(&[1e6]);
        assert!((dpo_loss(0.1, [&far, &a], [&a, &a]) - 0.1 * (1e6 - 3.0)).abs() < 1e-6);
        assert_eq!(dpo_loss(0.1, [&a, &far], [&a, &a]), 0.0);
    }

    #[test]
    fn kl_weighs_positions_not_rows() {
        let rows = [(vec![1.0], vec![0.3]), (vec![], vec![0.1, 0.2, 0.6])]
            .map(|(nll, kl)| RowResult { nll, kl });
        assert!((kl_mean(&rows) - 0.3).abs() < 1e-15);
    }
}
