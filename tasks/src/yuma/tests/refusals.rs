use super::*;
use crate::Owner;

/// What `change` makes of a good input is refused, in these words.
fn refused(change: impl FnOnce(&mut EpochInput), error: InputError, words: &str) {
    let mut input = small();
    change(&mut input);
    let found = epoch(&input).expect_err(words);
    assert_eq!(found, error);
    assert!(found.to_string().contains(words), "{found}");
    assert_eq!(found.owner(), Owner::Host);
}

#[test]
fn unequal_vectors() {
    let length = |what, found| InputError::Length {
        what,
        found,
        uids: 4,
    };
    refused(
        |input| input.active.truncate(3),
        length("active", 3),
        "active has 3 elements, but there are 4",
    );
    refused(
        |input| input.permits.push(true),
        length("permits", 5),
        "permits has 5",
    );
    refused(
        |input| input.weights.clear(),
        length("weights", 0),
        "weights has 0",
    );
    refused(
        |input| input.bonds.push(vec![]),
        length("bonds", 5),
        "bonds has 5",
    );
}

#[test]
fn more_uids_than_are_simulated() {
    let grow = |input: &mut EpochInput, uids| {
        input.stakes_rao.resize(uids, 0);
        input.active.resize(uids, true);
        input.permits.resize(uids, false);
        input.weights.resize(uids, vec![]);
        input.bonds.resize(uids, vec![]);
    };
    refused(
        |input| grow(input, EpochInput::UIDS_MAX + 1),
        InputError::TooManyUids {
            found: 1025,
            max: 1024,
        },
        "1025 uids, at most 1024",
    );
    let mut input = small();
    grow(&mut input, EpochInput::UIDS_MAX);
    assert_eq!(run(&input).neurons[..4], run(&small()).neurons);
}

#[test]
fn uids_that_are_not_there() {
    refused(
        |input| input.owner = Some(Uid(4)),
        InputError::Owner {
            uid: Uid(4),
            uids: 4,
        },
        "the owner's uid is 4, but there are 4 uids",
    );
    let unknown = |what, row, uid| InputError::UnknownUid {
        what,
        row: Uid(row),
        uid: Uid(uid),
        uids: 4,
    };
    refused(
        |input| input.weights[1].push((Uid(u16::MAX), 0)),
        unknown("weights", 1, u16::MAX),
        "weights of uid 1 name uid 65535, but there are 4 uids",
    );
    refused(
        |input| input.bonds[3].push((Uid(4), 1)),
        unknown("bonds", 3, 4),
        "bonds of uid 3 name uid 4",
    );
}

#[test]
fn a_uid_twice_in_a_row() {
    let repeated = |what, row, uid| InputError::Repeated {
        what,
        row: Uid(row),
        uid: Uid(uid),
    };
    refused(
        |input| input.weights[0].push((Uid(2), 7)),
        repeated("weights", 0, 2),
        "weights of uid 0 name uid 2 more than once",
    );
    refused(
        |input| input.bonds[2] = vec![(Uid(0), 0), (Uid(0), 0)],
        repeated("bonds", 2, 0),
        "bonds of uid 2 name uid 0 more than once",
    );
}

#[test]
fn stake_that_the_chain_cannot_hold() {
    refused(
        |input| input.stakes_rao = vec![i64::MAX as u64, 1, 0, 0],
        InputError::Stake { total_rao: 1 << 63 },
        "stakes sum to 9223372036854775808 rao",
    );
    refused(
        |input| input.stakes_rao = vec![u64::MAX; 4],
        InputError::Stake {
            total_rao: 4 * u128::from(u64::MAX),
        },
        "stakes sum to",
    );
    let mut input = small();
    input.stakes_rao = vec![i64::MAX as u64, 0, 0, 0];
    assert_eq!(run(&input).neurons[0].stake, Fixed::ONE);
}

#[test]
fn settings_that_are_no_share_or_not_simulated() {
    refused(
        |input| input.hyperparameters.bonds_moving_average_ppm = 1_000_001,
        InputError::BondsMovingAverage {
            found_ppm: 1_000_001,
        },
        "bonds_moving_average is 1000001 millionths",
    );
    refused(
        |input| input.hyperparameters.liquid_alpha = true,
        InputError::LiquidAlpha,
        "liquid alpha is on",
    );
    // The chain does not look at it in Yuma 2.
    let mut input = small();
    input.hyperparameters.version = Version::Yuma2;
    let without = run(&input);
    input.hyperparameters.liquid_alpha = true;
    assert_eq!(run(&input), without);
}
