//! What a subnet's epoch pays for the weights it holds: Yuma consensus, versions 2 and 3, as the chain computes it.
//!
//! Validators' rows of weights and their stakes go in; consensus, incentives, dividends, emissions and the bonds that
//! the next epoch starts from come out. The chain has no floats: it truncates after every step, and a tie may hang on
//! the last bit, so the numbers here are its numbers ([`Fixed`]) and not close ones. Nothing here takes a float, so
//! there is no NaN to refuse.
//!
//! | module | is about |
//! |---|---|
//! | [`fixed`] | numbers of 32 whole and 32 fractional bits, as the chain rounds them |
//! | [`input`] | what an epoch depends on, and what is refused |
//! | `matrix` | sparse rows of such numbers |
//! | `stake` | who counts, and how much |
//! | `consensus` | the weight that a majority of stake agrees on |
//! | `bonds` | what validators hold in miners: the difference between versions 2 and 3 |
//! | `emission` | shares to rao |
//! | [`output`] | what each uid gets |
//!
//! What depends on blocks and registrations is decided before, by whoever reads the chain, and is described at
//! [`EpochInput`]: the stake threshold, the owner's permit, outdated weights, weights under an unrevealed commit, bonds
//! in newcomers. Liquid alpha is refused rather than left out ([`InputError::LiquidAlpha`]). Which validators keep their
//! permits is not decided here: the chain throws away the bonds of those who lose theirs.
//!
//! Steps follow the chain's `epoch_mechanism`, June 2026; bonds and Yuma 3 are described in Opentensor's "Yuma
//! Consensus" documentation.

mod bonds;
mod consensus;
mod emission;
pub mod fixed;
pub mod input;
mod matrix;
pub mod output;
mod stake;

pub use fixed::Fixed;
pub use input::{EpochInput, Hyperparameters, InputError, Row, Uid, Version};
pub use output::{EpochOutput, NeuronOutput};

use matrix::Matrix;

/// Runs one epoch.
///
/// The same input gives the same output on every machine, to the last bit, whatever the order within rows.
///
/// # Errors
/// [`InputError`] where the input is not one that the chain could hold, or asks for what is not simulated.
pub fn epoch(input: &EpochInput) -> Result<EpochOutput, InputError> {
    input.check()?;
    let settings = &input.hyperparameters;
    let stakes = stake::Stakes::of(input);

    let mut weights = Matrix::of(&input.weights, |i, j| {
        input.permits[i.index()] && (i != j || input.owner == Some(i))
    });
    weights.normalize_rows();
    let kappa = Fixed::from_proportion(settings.kappa);
    let consensus = consensus::stake_weighted_medians(&stakes.active, &weights, kappa);
    let clipped = weights.zip_columns(&consensus, Fixed::min);
    let validator_trust = clipped.row_sums();

    let mut incentives = clipped.sum_rows_scaled(&stakes.active);
    fixed::normalize(&mut incentives);

    let penalty = Fixed::from_proportion(settings.bonds_penalty);
    let bought = weights.interpolate(&clipped, penalty);
    let (bonds, dividends) = bonds::step(input, &bought, &stakes.active, &incentives);
    let emissions = emission::split(input.emission_rao, &incentives, &dividends, &stakes);

    let neurons = emissions
        .into_iter()
        .enumerate()
        .map(|(i, emission)| NeuronOutput {
            stake: stakes.all[i],
            active_stake: stakes.active[i],
            consensus: consensus[i],
            validator_trust: validator_trust[i],
            incentive: incentives[i],
            dividends: dividends[i],
            server_emission_rao: emission.server_rao,
            validator_emission_rao: emission.validator_rao,
            combined_emission_rao: emission.combined_rao,
            bonds: bonds.row_as_u16(i),
        })
        .collect();
    Ok(EpochOutput { neurons })
}

#[cfg(test)]
mod tests;
