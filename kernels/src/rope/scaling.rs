//! The parameters of frequency scaling, and what they may be.

use thiserror::Error;

/// How frequencies are stretched. Lengths are in tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// Positions are divided by `factor`.
    Linear {
        /// How many times longer rows may be.
        factor: f64,
    },
    /// Theta grows with the length of a row past `max_positions`.
    Dynamic {
        /// How fast theta grows.
        factor: f64,
        /// `max_position_embeddings`.
        max_positions: usize,
    },
    /// Llama 3.1.
    Llama3 {
        /// What wavelengths above `original_max_positions / low_freq_factor` are divided by.
        factor: f64,
        /// Where the ramp starts.
        low_freq_factor: f64,
        /// Wavelengths below `original_max_positions / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// `original_max_position_embeddings`.
        original_max_positions: usize,
    },
    /// YaRN.
    Yarn {
        /// How many times longer rows may be; where a config has none, `max_position_embeddings` over
        /// `original_max_position_embeddings`.
        factor: f64,
        /// `original_max_position_embeddings`.
        original_max_positions: usize,
        /// Rotations above which a pair is kept; 32 where a config has none.
        beta_fast: f64,
        /// Rotations below which a pair is divided; 1 where a config has none.
        beta_slow: f64,
        /// Whether the ramp's ends are rounded outwards to whole pairs; true where a config has none.
        truncate: bool,
        /// Multiplies cosines and sines.
        attention_factor: f64,
    },
    /// LongRoPE.
    LongRope {
        /// One for each pair, rows up to `original_max_positions`.
        short_factor: Vec<f64>,
        /// One for each pair, longer rows.
        long_factor: Vec<f64>,
        /// `original_max_position_embeddings`.
        original_max_positions: usize,
        /// Multiplies cosines and sines.
        attention_factor: f64,
    },
}

/// Why the parameters describe no rotary embedding.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum RopeError {
    /// A number is out of range.
    #[error("rope: {what} is {found}, expected {expected}")]
    Value {
        /// Which parameter.
        what: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: f64,
    },
    /// Values that cannot be paired.
    #[error("rope: rotary_dim is {rotary_dim}, expected an even number of at least 2")]
    RotaryDim {
        /// Values of a head that are rotated.
        rotary_dim: usize,
    },
    /// A list of factors does not have one for each pair.
    #[error("rope: {what} has {found} factors, but rotary_dim = {rotary_dim} has {expected} pairs")]
    Factors {
        /// Which list.
        what: &'static str,
        /// Values of a head that are rotated.
        rotary_dim: usize,
        /// Pairs.
        expected: usize,
        /// Factors.
        found: usize,
    },
}

pub(super) fn in_range(
    what: &'static str,
    found: f64,
    expected: &'static str,
    ok: bool,
) -> Result<(), RopeError> {
    if ok && found.is_finite() {
        Ok(())
    } else {
        Err(RopeError::Value {
            what,
            expected,
            found,
        })
    }
}

fn positive(what: &'static str, found: f64) -> Result<(), RopeError> {
    in_range(what, found, "a positive number", found > 0.0)
}

impl RopeScaling {
    /// Whether the numbers make sense for `rotary_dim` rotated values.
    pub(super) fn check(&self, rotary_dim: usize) -> Result<(), RopeError> {
        match self {
            RopeScaling::None => {}
            RopeScaling::Linear { factor } => positive("factor", *factor)?,
            RopeScaling::Dynamic {
                factor,
                max_positions,
            } => {
                // theta is raised to rotary_dim / (rotary_dim - 2), and must not shrink to 0 at any length.
                in_range(
                    "rotary_dim",
                    rotary_dim as f64,
                    "at least 4 for dynamic scaling",
                    rotary_dim > 2,
                )?;
                in_range("factor", *factor, "at least 1", *factor >= 1.0)?;
                positive("max_positions", *max_positions as f64)?;
            }
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_positions,
            } => {
                positive("factor", *factor)?;
                positive("low_freq_factor", *low_freq_factor)?;
                let above = high_freq_factor > low_freq_factor;
                in_range(
                    "high_freq_factor",
                    *high_freq_factor,
                    "more than low_freq_factor",
                    above,
                )?;
                positive("original_max_positions", *original_max_positions as f64)?;
            }
            RopeScaling::Yarn {
                factor,
                original_max_positions,
                beta_fast,
                beta_slow,
                attention_factor,
                ..
            } => {
                positive("factor", *factor)?;
                positive("original_max_positions", *original_max_positions as f64)?;
                positive("beta_fast", *beta_fast)?;
                positive("beta_slow", *beta_slow)?;
                positive("attention_factor", *attention_factor)?;
            }
            RopeScaling::LongRope {
                short_factor,
                long_factor,
                original_max_positions,
                attention_factor,
            } => {
                let expected = "at least 2";
                let length = *original_max_positions as f64;
                in_range(
                    "original_max_positions",
                    length,
                    expected,
                    *original_max_positions >= 2,
                )?;
                positive("attention_factor", *attention_factor)?;
                for (what, factors) in
                    [("short_factor", short_factor), ("long_factor", long_factor)]
                {
                    let (expected, found) = (rotary_dim / 2, factors.len());
                    if found != expected {
                        return Err(RopeError::Factors {
                            what,
                            rotary_dim,
                            expected,
                            found,
                        });
                    }
                    factors.iter().try_for_each(|&f| positive(what, f))?;
                }
            }
        }
        Ok(())
    }
}
