use super::*;

mod consensus;
mod fixed;
mod golden;
mod random;
mod refusals;

/// Validators 0 and 1 with a permit and stake, miners 2 and 3, all weights on miners.
fn small() -> EpochInput {
    let weights = |pairs: [(u16, u16); 2]| pairs.map(|(uid, weight)| (Uid(uid), weight)).to_vec();
    EpochInput {
        stakes_rao: vec![3_000, 1_000, 0, 0],
        active: vec![true; 4],
        permits: vec![true, true, false, false],
        owner: None,
        weights: vec![
            weights([(2, 65_535), (3, 20_000)]),
            weights([(2, 1), (3, 65_535)]),
            vec![],
            vec![],
        ],
        bonds: vec![vec![]; 4],
        hyperparameters: Hyperparameters {
            version: Version::Yuma3,
            kappa: 32_767,
            bonds_penalty: 65_535,
            bonds_moving_average_ppm: 900_000,
            liquid_alpha: false,
        },
        emission_rao: 1_000_000_000,
    }
}

fn run(input: &EpochInput) -> EpochOutput {
    epoch(input).expect("a valid input")
}

fn sum(numbers: impl Iterator<Item = Fixed>) -> i128 {
    numbers.map(|number| i128::from(number.to_bits())).sum()
}

#[test]
fn only_the_owners_weight_for_itself_counts() {
    let mut input = small();
    input.weights[0].push((Uid(0), 65_535));
    assert_eq!(run(&input), run(&small()));
    input.owner = Some(Uid(0));
    let output = run(&input);
    assert!(output.neurons[0].incentive > Fixed::ZERO);
}

#[test]
fn without_a_permit_neither_stake_nor_weights_count() {
    let mut input = small();
    input.permits[0] = false;
    let output = run(&input);
    assert_eq!(output.neurons[0].active_stake, Fixed::ZERO);
    assert_eq!(output.neurons[0].validator_trust, Fixed::ZERO);
    assert_eq!(output.neurons[1].active_stake, Fixed::ONE);
    input.weights[0].clear();
    assert_eq!(run(&input), output);
}

#[test]
fn an_inactive_validator_has_no_say_but_is_measured() {
    let mut input = small();
    input.active[0] = false;
    let output = run(&input);
    assert_eq!(output.neurons[0].active_stake, Fixed::ZERO);
    assert_eq!(output.neurons[0].dividends, Fixed::ZERO);
    assert!(output.neurons[0].validator_trust > Fixed::ZERO);
    assert_eq!(output.neurons[1].active_stake, Fixed::ONE);
}

#[test]
fn without_weights_stake_is_paid_and_without_active_stake_all_stake() {
    let mut input = small();
    input.weights = vec![vec![]; 4];
    let paid = |output: &EpochOutput| {
        let neurons = output.neurons.iter();
        neurons
            .map(|neuron| neuron.validator_emission_rao)
            .collect::<Vec<_>>()
    };
    assert_eq!(paid(&run(&input)), [750_000_000, 250_000_000, 0, 0]);
    input.active[0] = false;
    assert_eq!(paid(&run(&input)), [0, 1_000_000_000, 0, 0]);
    input.active[1] = false;
    assert_eq!(paid(&run(&input)), [750_000_000, 250_000_000, 0, 0]);
}

#[test]
fn an_empty_subnet_pays_nobody() {
    let input = EpochInput {
        stakes_rao: vec![],
        active: vec![],
        permits: vec![],
        weights: vec![],
        bonds: vec![],
        ..small()
    };
    assert_eq!(run(&input).neurons, []);
}
