//! Inputs of random shapes, good and broken: what holds for all of them.

use super::*;
use crate::scoring::pcg64::Pcg64;

fn below(random: &mut Pcg64, end: u64) -> u64 {
    random.next_u64() % end
}

/// A number that is often at an end of its range.
fn edgy(random: &mut Pcg64, max: u64) -> u64 {
    match below(random, 5) {
        0 => 0,
        1 => max,
        2 => below(random, 3).min(max),
        _ => random.next_u64() % max.saturating_add(1).max(1),
    }
}

fn share(random: &mut Pcg64) -> u16 {
    edgy(random, u64::from(u16::MAX)) as u16
}

fn rows(random: &mut Pcg64, uids: usize) -> Vec<Row> {
    let density = below(random, 5);
    (0..uids)
        .map(|_| {
            let mut row: Row = (0..uids as u16)
                .filter(|_| below(random, 4) < density)
                .map(Uid)
                .map(|uid| (uid, 0))
                .collect();
            for (_, value) in &mut row {
                *value = share(random);
            }
            shuffle(random, &mut row);
            row
        })
        .collect()
}

fn shuffle(random: &mut Pcg64, row: &mut Row) {
    for last in (1..row.len()).rev() {
        row.swap(last, below(random, last as u64 + 1) as usize);
    }
}

fn input(random: &mut Pcg64) -> EpochInput {
    let uids = below(random, 20) as usize;
    let stake_max = if uids > 0 {
        (i64::MAX as u64 / uids as u64) >> below(random, 63)
    } else {
        0
    };
    let permit_odds = below(random, 4);
    EpochInput {
        stakes_rao: (0..uids).map(|_| edgy(random, stake_max)).collect(),
        active: (0..uids).map(|_| below(random, 8) > 0).collect(),
        permits: (0..uids).map(|_| below(random, 3) < permit_odds).collect(),
        owner: (uids > 0 && below(random, 2) == 0).then(|| Uid(below(random, uids as u64) as u16)),
        weights: rows(random, uids),
        bonds: rows(random, uids),
        hyperparameters: Hyperparameters {
            version: if below(random, 2) == 0 {
                Version::Yuma2
            } else {
                Version::Yuma3
            },
            kappa: share(random),
            bonds_penalty: share(random),
            bonds_moving_average_ppm: edgy(random, 1_000_000) as u32,
            liquid_alpha: false,
        },
        emission_rao: edgy(random, u64::MAX),
    }
}

/// Damages an input in up to three places; it may stay valid.
fn damage(random: &mut Pcg64, input: &mut EpochInput) {
    for _ in 0..below(random, 4) {
        let row = below(random, input.weights.len() as u64 + 1) as usize;
        let entry = (Uid(share(random)), share(random));
        match below(random, 10) {
            0 => input.stakes_rao.push(random.next_u64()),
            1 => drop(input.active.pop()),
            2 => input.permits.push(true),
            3 => input.owner = Some(Uid(share(random))),
            4 => drop(input.weights.pop()),
            5 => drop(input.bonds.pop()),
            6 => input
                .weights
                .iter_mut()
                .skip(row)
                .take(1)
                .for_each(|row| row.push(entry)),
            7 => input
                .bonds
                .iter_mut()
                .skip(row)
                .take(1)
                .for_each(|row| row.push(entry)),
            8 => input.hyperparameters.bonds_moving_average_ppm = random.next_u32(),
            _ => input.hyperparameters.liquid_alpha = true,
        }
    }
}

/// Shares sum to at most 1 and are never negative; payments sum to at most the emission.
fn check_sums(input: &EpochInput, output: &EpochOutput) {
    let one = i128::from(Fixed::ONE.to_bits());
    let neurons = &output.neurons;
    for field in [
        (|neuron| neuron.stake) as fn(&NeuronOutput) -> Fixed,
        |neuron| neuron.active_stake,
        |neuron| neuron.incentive,
        |neuron| neuron.dividends,
    ] {
        assert!(neurons.iter().all(|neuron| field(neuron) >= Fixed::ZERO));
        assert!(sum(neurons.iter().map(field)) <= one, "{input:?}");
    }
    for neuron in neurons {
        assert!((Fixed::ZERO..=Fixed::ONE).contains(&neuron.validator_trust));
        assert!((Fixed::ZERO..=Fixed::ONE).contains(&neuron.consensus));
        assert!(neuron.bonds.is_sorted());
    }
    let paid = |of: fn(&NeuronOutput) -> u64| -> u128 {
        neurons.iter().map(|neuron| u128::from(of(neuron))).sum()
    };
    let emission = u128::from(input.emission_rao);
    let split =
        paid(|neuron| neuron.server_emission_rao) + paid(|neuron| neuron.validator_emission_rao);
    assert!(split <= emission, "{input:?}");
    assert!(paid(|neuron| neuron.combined_emission_rao) <= emission);
}

#[test]
fn whatever_the_input_nothing_panics_and_shares_sum_to_at_most_one() {
    let mut random = Pcg64::new(56);
    let (mut good, mut refused, mut paid) = (0, 0, 0);
    for _ in 0..4_000 {
        let mut input = input(&mut random);
        if below(&mut random, 3) == 0 {
            damage(&mut random, &mut input);
        }
        match epoch(&input) {
            Ok(output) => {
                good += 1;
                let earned = |neuron: &NeuronOutput| neuron.incentive > Fixed::ZERO;
                paid += usize::from(output.neurons.iter().any(earned));
                assert_eq!(output.neurons.len(), input.stakes_rao.len());
                check_sums(&input, &output);
                let mut reordered = input.clone();
                for row in reordered.weights.iter_mut().chain(&mut reordered.bonds) {
                    shuffle(&mut random, row);
                }
                assert_eq!(run(&reordered), output, "{input:?}");
                // What comes out is what the next epoch takes.
                let mut next = input;
                next.bonds = output.neurons.iter().map(|of| of.bonds.clone()).collect();
                check_sums(&next, &run(&next));
            }
            Err(error) => {
                refused += 1;
                assert_eq!(epoch(&input), Err(error));
            }
        }
    }
    // Each kind is there in numbers.
    assert!(
        good > 2_000 && refused > 500 && paid > 1_000,
        "{good} good, {refused} refused, {paid} with incentives"
    );
}
