//! Amounts of memory, as people write them: `2GiB`, `1500MB`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Why a text is not an amount of memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseByteSizeError {
    /// No number in front.
    #[error("{0:?} does not start with a number; write for example 2GiB or 1500MB")]
    NoNumber(String),
    /// A number alone.
    #[error("{0} has no unit; write for example {0}GiB or {0}MB")]
    NoUnit(String),
    /// A unit that is not known.
    #[error(
        "{0:?} is not a unit; known are B, KB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB (powers of 1024)"
    )]
    Unit(String),
    /// Zero bytes, or more than 2⁶³.
    #[error("{0} is out of range; expected 1 B to 8 EiB")]
    Range(String),
}

const UNITS: [(&str, u64); 13] = [
    ("b", 1),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
];

impl FromStr for ByteSize {
    type Err = ParseByteSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let end = text
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(text.len());
        let (number, unit) = (&text[..end], text[end..].trim());
        let number_value: f64 = number
            .parse()
            .map_err(|_| ParseByteSizeError::NoNumber(text.to_owned()))?;
        if unit.is_empty() {
            return Err(ParseByteSizeError::NoUnit(number.to_owned()));
        }
        let factor = UNITS
            .iter()
            .find(|(name, _)| unit.eq_ignore_ascii_case(name))
            .ok_or_else(|| ParseByteSizeError::Unit(unit.to_owned()))?
            .1;
        let bytes = number_value * factor as f64;
        if !(1.0..=i64::MAX as f64).contains(&bytes) {
            return Err(ParseByteSizeError::Range(text.to_owned()));
        }
        Ok(Self(bytes as u64))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..1024 => write!(f, "{} B", self.0),
            1024..1_048_576 => write!(f, "{:.1} KiB", bytes / 1024.0),
            1_048_576..1_073_741_824 => write!(f, "{:.1} MiB", bytes / 1_048_576.0),
            _ => write!(f, "{:.2} GiB", bytes / 1_073_741_824.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_both_kinds_of_units() {
        for (text, bytes) in [
            ("2GiB", 2 << 30),
            ("1500MB", 1_500_000_000),
            ("1.5 gib", 3 << 29),
            ("1B", 1),
            ("4g", 4 << 30),
            ("512KiB", 512 << 10),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_amount_is_refused_by_kind() {
        use ParseByteSizeError::{NoNumber, NoUnit, Range, Unit};
        let error = |text: &str| text.parse::<ByteSize>().unwrap_err();
        assert!(matches!(error(""), NoNumber(_)));
        assert!(matches!(error("GiB"), NoNumber(_)));
        assert!(matches!(error("-1GiB"), NoNumber(_)));
        assert!(matches!(error("1.2.3GiB"), NoNumber(_)));
        assert!(matches!(error("2"), NoUnit(_)));
        assert!(matches!(error("2 Gb/s"), Unit(_)));
        assert!(matches!(error("0GiB"), Range(_)));
        assert!(matches!(error("99999999TiB"), Range(_)));
    }

    #[test]
    fn amounts_are_shown_in_the_unit_that_fits() {
        assert_eq!(ByteSize(1000).to_string(), "1000 B");
        assert_eq!(ByteSize(3 << 19).to_string(), "1.5 MiB");
        assert_eq!(ByteSize(5 << 30).to_string(), "5.00 GiB");
    }
}
