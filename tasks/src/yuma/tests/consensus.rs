//! The median by sorting against the chain's way to it, by partitions around a pivot in the middle.

use super::*;
use crate::scoring::pcg64::Pcg64;
use crate::yuma::consensus::stake_weighted_medians;
use crate::yuma::fixed::normalize;

/// The chain's search in one column, `stakes` all above 0.
fn by_pivots(stakes: &[Fixed], weights: &[Fixed], minority: Fixed) -> Fixed {
    let stake_of = |set: &[usize]| set.iter().map(|i| stakes[*i]).sum::<Fixed>();
    let mut set: Vec<usize> = (0..stakes.len()).collect();
    let (mut low, mut high) = (Fixed::ZERO, stake_of(&set));
    loop {
        let Some(middle) = set.get(set.len() / 2) else {
            return Fixed::ZERO;
        };
        let pivot = weights[*middle];
        let part = |keep: fn(&Fixed, &Fixed) -> bool| -> Vec<usize> {
            let kept = set.iter().filter(|i| keep(&weights[**i], &pivot));
            kept.copied().collect()
        };
        let (lower, upper) = (part(Fixed::lt), part(Fixed::gt));
        let up_to_lower = low.saturating_add(stake_of(&lower));
        let from_upper = high.saturating_sub(stake_of(&upper));
        if minority < up_to_lower && !lower.is_empty() {
            (set, high) = (lower, up_to_lower);
        } else if from_upper <= minority && !upper.is_empty() {
            (set, low) = (upper, from_upper);
        } else {
            return pivot;
        }
    }
}

#[test]
fn sorting_finds_what_the_chains_partitions_find() {
    let mut random = Pcg64::new(461);
    for round in 0..3_000u64 {
        let n = 1 + (random.next_u64() % 12) as usize;
        let few_stakes = round % 2 == 0;
        let mut stakes: Vec<Fixed> = (0..n)
            .map(|_| {
                let bits = random.next_u64();
                Fixed::from_bits(if few_stakes { bits % 3 } else { bits >> 34 } as i64)
            })
            .collect();
        normalize(&mut stakes);
        let rows: Vec<Row> = (0..n)
            .map(|_| {
                let weights = (0..n as u16).map(|j| (Uid(j), (random.next_u32() % 5) as u16));
                weights.filter(|(_, weight)| *weight > 0).collect()
            })
            .collect();
        let mut weights = Matrix::of(&rows, |_, _| true);
        weights.normalize_rows();
        let voters: Vec<usize> = (0..n).filter(|i| stakes[*i] > Fixed::ZERO).collect();
        let mut voting: Vec<Fixed> = voters.iter().map(|i| stakes[*i]).collect();
        normalize(&mut voting);
        let kappa = match random.next_u64() % 4 {
            0 => Fixed::ZERO,
            1 => Fixed::ONE,
            2 => Fixed::from_proportion(random.next_u32() as u16),
            // Exactly what some hold: the last bit of every stake decides.
            _ => {
                let mut some = voting.clone();
                some.retain(|_| random.next_u32().is_multiple_of(2));
                some.into_iter().sum()
            }
        };
        let minority = voting.iter().copied().sum::<Fixed>().saturating_sub(kappa);
        let wanted: Vec<Fixed> = (0..n as u16)
            .map(|j| {
                let column: Vec<Fixed> = voters
                    .iter()
                    .map(|i| {
                        let row = weights.rows().nth(*i).expect("a row for each uid");
                        let found = row.iter().find(|(uid, _)| *uid == Uid(j));
                        found.map_or(Fixed::ZERO, |(_, weight)| *weight)
                    })
                    .collect();
                by_pivots(&voting, &column, minority)
            })
            .collect();
        assert_eq!(
            stake_weighted_medians(&stakes, &weights, kappa),
            wanted,
            "round {round}: stakes {stakes:?}, kappa {kappa}, rows {rows:?}"
        );
    }
}
