//! Who counts, and how much.

use super::fixed::{Fixed, normalize};
use super::input::EpochInput;

/// Shares of stake, `[n]` each.
pub(super) struct Stakes {
    /// Of all stake; sums to at most 1.
    pub(super) all: Vec<Fixed>,
    /// Of the stake of active validators with a permit, 0 for others; sums to at most 1.
    pub(super) active: Vec<Fixed>,
}

impl Stakes {
    pub(super) fn of(input: &EpochInput) -> Self {
        let all = shares(&input.stakes_rao);
        let mut active: Vec<Fixed> = all
            .iter()
            .zip(input.active.iter().zip(&input.permits))
            .map(|(share, (active, permit))| {
                if *active && *permit {
                    *share
                } else {
                    Fixed::ZERO
                }
            })
            .collect();
        normalize(&mut active);
        Self { all, active }
    }
}

/// Each stake over their sum.
///
/// The chain divides numbers with 64 fractional bits and then drops 32 of them; both round down, so once is enough.
fn shares(stakes_rao: &[u64]) -> Vec<Fixed> {
    let sum: u128 = stakes_rao.iter().map(|stake| u128::from(*stake)).sum();
    stakes_rao
        .iter()
        .map(|stake| {
            let share = (u128::from(*stake) << 32).checked_div(sum).unwrap_or(0);
            // At most 2³²: no stake is above the sum.
            Fixed::from_bits(share as i64)
        })
        .collect()
}
