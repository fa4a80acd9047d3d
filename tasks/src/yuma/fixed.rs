//! Fixed-point numbers as the chain has them: 64 bits, 32 of them after the point, signed.
//!
//! A product is rounded down, a quotient towards zero, and what does not fit stays at the largest or smallest number.

use std::fmt;

/// A signed number of 32 whole and 32 fractional bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fixed(i64);

const FRACTION_BITS: u32 = 32;
const UNIT: i64 = 1 << FRACTION_BITS;
const DECIMALS_MAX: usize = 10;

impl Fixed {
    /// 0.
    pub const ZERO: Self = Self(0);
    /// 1.
    pub const ONE: Self = Self(UNIT);
    /// The largest number, just below 2³¹.
    pub const MAX: Self = Self(i64::MAX);
    /// The smallest number, -2³¹.
    pub const MIN: Self = Self(i64::MIN);

    /// The number whose value times 2³² is `bits`.
    pub const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    /// The value times 2³².
    pub const fn to_bits(self) -> i64 {
        self.0
    }

    /// The whole number `value`.
    pub const fn from_u16(value: u16) -> Self {
        Self((value as i64) << FRACTION_BITS)
    }

    /// `value` as a share of 65,535, which is how the chain stores shares.
    pub fn from_proportion(value: u16) -> Self {
        Self::from_u16(value).div_or_zero(Self::from_u16(u16::MAX))
    }

    /// This share of 65,535, rounded down and kept within 0 to 65,535: how the chain stores it.
    pub fn to_proportion(self) -> u16 {
        let whole = self.saturating_mul(Self::from_u16(u16::MAX)).0 >> FRACTION_BITS;
        whole.clamp(0, i64::from(u16::MAX)) as u16
    }

    /// The nearest double.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }

    /// Sum, kept within what fits.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference, kept within what fits.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Product, rounded down and kept within what fits.
    #[must_use]
    pub fn saturating_mul(self, other: Self) -> Self {
        // Shifting right rounds down for negative products too, as on chain.
        let product = (i128::from(self.0) * i128::from(other.0)) >> FRACTION_BITS;
        Self(product.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }

    /// Quotient, rounded towards zero; 0 where the divisor is 0 or the quotient does not fit.
    #[must_use]
    pub fn div_or_zero(self, divisor: Self) -> Self {
        if divisor == Self::ZERO {
            return Self::ZERO;
        }
        let quotient = (i128::from(self.0) << FRACTION_BITS) / i128::from(divisor.0);
        i64::try_from(quotient).map_or(Self::ZERO, Self)
    }

    /// This many shares of `amount`, rounded down, at least 0.
    pub(super) fn of_amount(self, amount: u64) -> u64 {
        let whole = (i128::from(self.0) * i128::from(amount)) >> FRACTION_BITS;
        whole.clamp(0, i128::from(u64::MAX)) as u64
    }
}

/// The shortest decimal that is nearer to this number than to any other.
impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from(self.0.unsigned_abs());
        let (mut places, mut scale) = (0, 1u128);
        let rounded = loop {
            let rounded = (bits * scale + (UNIT as u128 >> 1)) >> FRACTION_BITS;
            // Neighbours are 2⁻³² apart, so ten places always do.
            let off = (rounded << FRACTION_BITS).abs_diff(bits * scale);
            if off * 2 < scale || places == DECIMALS_MAX {
                break rounded;
            }
            places += 1;
            scale *= 10;
        };
        let (whole, decimals) = (rounded / scale, rounded % scale);
        let text = match places {
            0 => whole.to_string(),
            _ => format!("{whole}.{decimals:0places$}"),
        };
        f.pad_integral(self.0 >= 0, "", &text)
    }
}

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({}/2^32)", self.0)
    }
}

/// Saturating; with at most [`EpochInput::UIDS_MAX`](super::EpochInput::UIDS_MAX) addends, no sum of an epoch gets there.
impl std::iter::Sum for Fixed {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        numbers.fold(Self::ZERO, Self::saturating_add)
    }
}

/// Divides by the sum, so that what remains sums to at most 1; a sum of 0 is left alone.
pub(super) fn normalize(numbers: &mut [Fixed]) {
    let sum: Fixed = numbers.iter().copied().sum();
    divide(numbers, sum);
}

/// Divides all by `divisor`, unless that is 0.
pub(super) fn divide(numbers: &mut [Fixed], divisor: Fixed) {
    if divisor != Fixed::ZERO {
        for number in numbers {
            *number = number.div_or_zero(divisor);
        }
    }
}
