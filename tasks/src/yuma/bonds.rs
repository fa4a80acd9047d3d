//! What validators hold in miners, and what that pays them.

use super::fixed::{Fixed, normalize};
use super::input::{EpochInput, Version};
use super::matrix::Matrix;

/// Bonds after this epoch, as shares of 65,535 to be, and every validator's share of the dividends.
///
/// * `bought`: `[n, n]`, weights with the penalty for what the majority does not share
/// * `active_stakes`, `incentives`: `[n]`
pub(super) fn step(
    input: &EpochInput,
    bought: &Matrix,
    active_stakes: &[Fixed],
    incentives: &[Fixed],
) -> (Matrix, Vec<Fixed>) {
    let alpha = alpha(input.hyperparameters.bonds_moving_average_ppm);
    let held = Matrix::of(&input.bonds, |_, _| true);
    let (bonds, mut dividends) = match input.hyperparameters.version {
        Version::Yuma2 => yuma2(held, bought.scale_rows(active_stakes), alpha, incentives),
        Version::Yuma3 => yuma3(held, bought, alpha, active_stakes, incentives),
    };
    normalize(&mut dividends);
    (bonds, dividends)
}

/// The weight of what is new: 1 less the moving average, which the chain keeps in millionths.
fn alpha(bonds_moving_average_ppm: u32) -> Fixed {
    let average = (i64::from(bonds_moving_average_ppm) << 32) / 1_000_000;
    Fixed::ONE.saturating_sub(Fixed::from_bits(average))
}

/// Bonds are shares of a miner: columns sum to 1, bought with weight times stake, stored with the largest as 1.
fn yuma2(
    mut held: Matrix,
    mut bought: Matrix,
    alpha: Fixed,
    incentives: &[Fixed],
) -> (Matrix, Vec<Fixed>) {
    held.normalize_columns();
    bought.normalize_columns();
    let mut bonds = moving_average(&bought, &held, alpha);
    bonds.normalize_columns();
    let dividends = bonds.sum_columns_scaled(incentives);
    bonds.upscale_columns();
    (bonds, dividends)
}

/// Bonds are a validator's own, between 0 and 1, bought with weight alone; stake counts when dividends are paid.
fn yuma3(
    held: Matrix,
    bought: &Matrix,
    alpha: Fixed,
    active_stakes: &[Fixed],
    incentives: &[Fixed],
) -> (Matrix, Vec<Fixed>) {
    let bonds = moving_average(bought, &held.as_proportions(), alpha);
    let mut shares = bonds.clone();
    shares.normalize_columns();
    let dividends = shares
        .sum_columns_scaled(incentives)
        .into_iter()
        .zip(active_stakes)
        .map(|(bond, stake)| bond.saturating_mul(*stake))
        .collect();
    (bonds, dividends)
}

fn moving_average(new: &Matrix, old: &Matrix, alpha: Fixed) -> Matrix {
    let rest = Fixed::ONE.saturating_sub(alpha);
    new.scale(alpha).plus(&old.scale(rest))
}
