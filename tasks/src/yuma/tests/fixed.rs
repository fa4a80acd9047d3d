use super::*;
use crate::yuma::fixed::normalize;

const HALF: Fixed = Fixed::from_bits(1 << 31);
const BIT: Fixed = Fixed::from_bits(1);
const MINUS_BIT: Fixed = Fixed::from_bits(-1);

#[test]
fn products_round_down_and_quotients_towards_zero() {
    assert_eq!(BIT.saturating_mul(HALF), Fixed::ZERO);
    assert_eq!(MINUS_BIT.saturating_mul(HALF), MINUS_BIT);
    let two = Fixed::from_u16(2);
    assert_eq!(BIT.div_or_zero(two), Fixed::ZERO);
    assert_eq!(MINUS_BIT.div_or_zero(two), Fixed::ZERO);
    assert_eq!(Fixed::from_bits(-3).div_or_zero(two), MINUS_BIT);
}

#[test]
fn what_does_not_fit_saturates_and_a_quotient_becomes_zero() {
    assert_eq!(Fixed::MAX.saturating_add(BIT), Fixed::MAX);
    assert_eq!(Fixed::MIN.saturating_sub(BIT), Fixed::MIN);
    assert_eq!(Fixed::MAX.saturating_mul(Fixed::MAX), Fixed::MAX);
    assert_eq!(Fixed::MAX.saturating_mul(Fixed::MIN), Fixed::MIN);
    assert_eq!(Fixed::MIN.saturating_mul(Fixed::MIN), Fixed::MAX);
    assert_eq!(Fixed::MAX.div_or_zero(BIT), Fixed::ZERO);
    assert_eq!(Fixed::ONE.div_or_zero(Fixed::ZERO), Fixed::ZERO);
    assert_eq!(
        Fixed::MIN.div_or_zero(Fixed::from_bits(-(1 << 32))),
        Fixed::ZERO
    );
    assert_eq!(
        [Fixed::MAX, Fixed::MAX].into_iter().sum::<Fixed>(),
        Fixed::MAX
    );
}

#[test]
fn proportions_are_of_65535() {
    assert_eq!(Fixed::from_proportion(u16::MAX), Fixed::ONE);
    assert_eq!(Fixed::ONE.to_proportion(), u16::MAX);
    assert_eq!(Fixed::from_bits((1 << 32) - 1).to_proportion(), 65_534);
    assert_eq!(Fixed::MAX.to_proportion(), u16::MAX);
    assert_eq!(Fixed::MIN.to_proportion(), 0);
    // Two roundings down lose one, except where the share is exact.
    for value in 0..=u16::MAX {
        let back = Fixed::from_proportion(value).to_proportion();
        let exact = value == 0 || value == u16::MAX;
        assert_eq!(back, if exact { value } else { value - 1 }, "{value}");
    }
}

#[test]
fn amounts_round_down_and_stay_within_u64() {
    assert_eq!(Fixed::ONE.of_amount(u64::MAX), u64::MAX);
    assert_eq!(Fixed::MAX.of_amount(u64::MAX), u64::MAX);
    assert_eq!(Fixed::MIN.of_amount(u64::MAX), 0);
    assert_eq!(HALF.of_amount(3), 1);
}

#[test]
fn numbers_are_written_as_the_shortest_decimal_that_is_nearest_to_them() {
    for (bits, text) in [
        (0, "0"),
        (1 << 32, "1"),
        (1 << 31, "0.5"),
        (1, "0.0000000002"),
        ((1 << 32) - 1, "0.9999999998"),
        (1_717_986_918, "0.4"),
        (-(1 << 31), "-0.5"),
        (10 << 32, "10"),
        (i64::MIN, "-2147483648"),
    ] {
        assert_eq!(Fixed::from_bits(bits).to_string(), text);
    }
    assert_eq!(HALF.to_f64(), 0.5);
}

#[test]
fn normalizing_leaves_zeros_alone() {
    let mut numbers = [Fixed::ZERO; 3];
    normalize(&mut numbers);
    assert_eq!(numbers, [Fixed::ZERO; 3]);
    let mut numbers = [Fixed::ONE, Fixed::ONE, Fixed::ONE];
    normalize(&mut numbers);
    assert_eq!(numbers.map(Fixed::to_bits), [1_431_655_765; 3]);
}
