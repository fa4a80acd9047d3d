use super::*;
use serde::Deserialize;
use std::fmt::Debug;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "_origin")]
    _origin: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(rename = "in")]
    given: Given,
    out: Wanted,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    n: usize,
    stake: Vec<u64>,
    active: Vec<bool>,
    permits: Vec<bool>,
    owner_uid: Option<u16>,
    weights: Vec<Vec<(u16, u16)>>,
    bonds: Vec<Vec<(u16, u16)>>,
    yuma3: bool,
    kappa: u16,
    bonds_penalty: u16,
    bonds_moving_average: u32,
    emission: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    active_stake: Vec<String>,
    consensus: Vec<String>,
    consensus_u16: Vec<u16>,
    validator_trust: Vec<String>,
    validator_trust_u16: Vec<u16>,
    incentive: Vec<String>,
    incentive_u16: Vec<u16>,
    dividends: Vec<String>,
    dividends_u16: Vec<u16>,
    server_emission: Vec<u64>,
    validator_emission: Vec<u64>,
    combined_emission: Vec<u64>,
    bonds_u16: Vec<Vec<(u16, u16)>>,
}

impl Given {
    fn input(self) -> EpochInput {
        let rows = |rows: Vec<Vec<(u16, u16)>>| {
            rows.into_iter()
                .map(|row| row.into_iter().map(|(j, value)| (Uid(j), value)).collect())
                .collect()
        };
        assert_eq!(self.n, self.stake.len());
        EpochInput {
            stakes_rao: self.stake,
            active: self.active,
            permits: self.permits,
            owner: self.owner_uid.map(Uid),
            weights: rows(self.weights),
            bonds: rows(self.bonds),
            hyperparameters: Hyperparameters {
                version: if self.yuma3 {
                    Version::Yuma3
                } else {
                    Version::Yuma2
                },
                kappa: self.kappa,
                bonds_penalty: self.bonds_penalty,
                bonds_moving_average_ppm: self.bonds_moving_average,
                liquid_alpha: false,
            },
            emission_rao: self.emission,
        }
    }
}

/// The number whose decimal with ten places this is: neighbours are 2.3e-10 apart, so there is one.
fn parse(text: &str) -> Fixed {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    assert!(decimals.len() <= 10, "{text}");
    let scaled: u128 = format!("{whole}{decimals:0<10}").parse().expect("a number");
    let bits = ((scaled << 32) + 5_000_000_000) / 10_000_000_000;
    Fixed::from_bits(i64::try_from(bits).expect("a share"))
}

/// Numbers compared: all that the file has of this field.
fn same<T: PartialEq + Debug>(
    output: &EpochOutput,
    field: impl Fn(&NeuronOutput) -> T,
    wanted: impl IntoIterator<Item = T>,
    what: &str,
) -> usize {
    let found: Vec<T> = output.neurons.iter().map(field).collect();
    let wanted: Vec<T> = wanted.into_iter().collect();
    assert_eq!(found, wanted, "{what}; see tests/golden/yuma/README.md");
    found.len()
}

#[test]
fn every_recorded_epoch_is_equal_to_the_last_bit() {
    let text = include_str!("../../../tests/golden/yuma/epochs.json");
    let file: File = serde_json::from_str(text).expect("the golden file");
    assert_eq!(file.cases.len(), 52);
    let mut compared = 0;
    for Case { name, given, out } in file.cases {
        let output = run(&given.input());
        for (field, wanted, what) in [
            (
                (|neuron| neuron.active_stake) as fn(&NeuronOutput) -> Fixed,
                out.active_stake,
                "active_stake",
            ),
            (|neuron| neuron.consensus, out.consensus, "consensus"),
            (
                |neuron| neuron.validator_trust,
                out.validator_trust,
                "validator_trust",
            ),
            (|neuron| neuron.incentive, out.incentive, "incentive"),
            (|neuron| neuron.dividends, out.dividends, "dividends"),
        ] {
            let what = format!("{name}: {what}");
            let numbers = wanted.iter().map(|text| parse(text));
            compared += same(&output, field, numbers, &what);
            same(
                &output,
                |neuron| field(neuron).to_string(),
                wanted.clone(),
                &what,
            );
        }
        for (field, wanted, what) in [
            (
                (|neuron| neuron.consensus) as fn(&NeuronOutput) -> Fixed,
                out.consensus_u16,
                "consensus_u16",
            ),
            (
                |neuron| neuron.validator_trust,
                out.validator_trust_u16,
                "validator_trust_u16",
            ),
            (
                |neuron| neuron.incentive,
                out.incentive_u16,
                "incentive_u16",
            ),
            (
                |neuron| neuron.dividends,
                out.dividends_u16,
                "dividends_u16",
            ),
        ] {
            let what = format!("{name}: {what}");
            compared += same(
                &output,
                |neuron| field(neuron).to_proportion(),
                wanted,
                &what,
            );
        }
        for (field, wanted, what) in [
            (
                (|neuron| neuron.server_emission_rao) as fn(&NeuronOutput) -> u64,
                out.server_emission,
                "server_emission",
            ),
            (
                |neuron| neuron.validator_emission_rao,
                out.validator_emission,
                "validator_emission",
            ),
            (
                |neuron| neuron.combined_emission_rao,
                out.combined_emission,
                "combined_emission",
            ),
        ] {
            compared += same(&output, field, wanted, &format!("{name}: {what}"));
        }
        let bonds = out.bonds_u16.into_iter().map(|row| {
            row.into_iter()
                .map(|(j, value)| (Uid(j), value))
                .collect::<Row>()
        });
        compared += same(
            &output,
            |neuron| neuron.bonds.clone(),
            bonds,
            &format!("{name}: bonds"),
        );
    }
    println!("{compared} numbers and rows compared");
}
