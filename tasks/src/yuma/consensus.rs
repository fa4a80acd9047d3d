//! The weight that a majority of stake agrees on.

use super::fixed::{Fixed, normalize};
use super::matrix::Matrix;

/// Stake-weighted median of every column: the largest weight that validators with at least a share `kappa` of the
/// stake set or exceed.
///
/// * `stakes`: `[n]`, at least 0, summing to at most 1; rows without stake have no say
/// * `weights`: `[n, n]`, at least 0
/// * returns `[n]`; all 0 where nobody has stake
///
/// The chain finds it by partitioning around pivots. Its sums are exact, so the pivots do not show in what it finds,
/// and sorting finds the same.
pub(super) fn stake_weighted_medians(
    stakes: &[Fixed],
    weights: &Matrix,
    kappa: Fixed,
) -> Vec<Fixed> {
    // Rounding down twice is the chain's doing, and can be seen in the last bit of the sum.
    let mut stakes = stakes.to_vec();
    normalize(&mut stakes);
    let total: Fixed = stakes.iter().copied().sum();
    // Negative where kappa is 1 and rounding left the stakes' sum below it: then the smallest weight wins.
    let minority = total.saturating_sub(kappa);

    let mut columns: Vec<Vec<(Fixed, Fixed)>> = vec![Vec::new(); stakes.len()];
    for (row, stake) in weights.rows().zip(&stakes) {
        if *stake > Fixed::ZERO {
            for (uid, weight) in row {
                columns[uid.index()].push((*weight, *stake));
            }
        }
    }
    columns
        .into_iter()
        .map(|column| median(column, total, minority))
        .collect()
}

/// The median of `(weight, stake)` pairs, where stake of `total` that is not among them is for weight 0.
fn median(mut column: Vec<(Fixed, Fixed)>, total: Fixed, minority: Fixed) -> Fixed {
    let present: Fixed = column.iter().map(|(_, stake)| *stake).sum();
    let absent = total.saturating_sub(present);
    if absent > Fixed::ZERO {
        column.push((Fixed::ZERO, absent));
    }
    column.sort_unstable();
    let mut below = Fixed::ZERO;
    for (weight, stake) in &column {
        below = below.saturating_add(*stake);
        if below > minority {
            return *weight;
        }
    }
    // Where kappa is 0 nobody has to agree: the largest weight.
    column.last().map_or(Fixed::ZERO, |(weight, _)| *weight)
}
