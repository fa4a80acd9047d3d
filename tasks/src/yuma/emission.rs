//! Shares to rao.

use super::fixed::{Fixed, divide};
use super::stake::Stakes;

/// What one uid is paid, in rao.
pub(super) struct Emission {
    pub(super) server_rao: u64,
    pub(super) validator_rao: u64,
    pub(super) combined_rao: u64,
}

/// Splits the epoch's emission between incentives and dividends; by stake where nobody earned either.
///
/// The combined figure is rounded by itself, so it may differ by a few rao from the sum of the other two.
pub(super) fn split(
    emission_rao: u64,
    incentives: &[Fixed],
    dividends: &[Fixed],
    stakes: &Stakes,
) -> Vec<Emission> {
    let mut server = incentives.to_vec();
    let mut validator = dividends.to_vec();
    let mut combined: Vec<Fixed> = incentives
        .iter()
        .zip(dividends)
        .map(|(incentive, dividend)| incentive.saturating_add(*dividend))
        .collect();
    let sum: Fixed = combined.iter().copied().sum();
    if sum == Fixed::ZERO {
        let nobody_is_active = stakes.active.iter().all(|share| *share == Fixed::ZERO);
        let fallback = if nobody_is_active {
            &stakes.all
        } else {
            &stakes.active
        };
        validator.clone_from(fallback);
        combined.clone_from(fallback);
    } else {
        divide(&mut server, sum);
        divide(&mut validator, sum);
        divide(&mut combined, sum);
    }
    server
        .iter()
        .zip(&validator)
        .zip(&combined)
        .map(|((server, validator), combined)| Emission {
            server_rao: server.of_amount(emission_rao),
            validator_rao: validator.of_amount(emission_rao),
            combined_rao: combined.of_amount(emission_rao),
        })
        .collect()
}
