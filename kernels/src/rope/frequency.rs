//! Inverse frequencies, and how checkpoints stretch them to longer rows.
//!
//! | scaling | what changes | source |
//! |---|---|---|
//! | `None` | `theta^(-2i / rotary_dim)` | arXiv:2104.09864 |
//! | `Linear` | divided by `factor` | arXiv:2306.15595 |
//! | `Dynamic` | rows longer than `max_positions` get a larger theta | NTK-aware, by row length |
//! | `Llama3` | long wavelengths divided, short ones kept, a ramp between | Llama 3.1 |
//! | `Yarn` | ramp by rotations within the original length, and an attention factor | arXiv:2309.00071 |
//! | `LongRope` | a factor for each pair, of two lists by row length, and an attention factor | arXiv:2402.13753 |
//!
//! Everything is f64 with `libm`'s functions. The results are those of transformers 5.17 evaluated in double
//! precision: `tests/golden/rope` in the workspace.

use core::f64::consts::PI;
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
        /// Multiplies cosines and sines; derived from the rest if `None`.
        attention_factor: Option<f64>,
        /// `mscale` and `mscale_all_dim` (DeepSeek), used if both are given and not 0.
        mscale: Option<(f64, f64)>,
    },
    /// LongRoPE.
    LongRope {
        /// One for each pair, rows up to `original_max_positions`.
        short_factor: Vec<f64>,
        /// One for each pair, longer rows.
        long_factor: Vec<f64>,
        /// `original_max_position_embeddings`.
        original_max_positions: usize,
        /// As in `Yarn`; only the attention factor is derived from it.
        factor: f64,
        /// Multiplies cosines and sines; derived from the rest if `None`.
        attention_factor: Option<f64>,
    },
}

/// Rows whose lengths are of the same class share a [`RopeTable`](super::RopeTable).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LengthClass {
    /// Rows within the length that the model was made for; every row where scaling ignores the length.
    Base,
    /// `LongRope` rows past the original length.
    Long,
    /// `Dynamic` rows past the maximum: each length has its own frequencies.
    Stretched(usize),
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

/// Values of a head that are rotated, the leading ones: `head_dim * partial_rotary_factor`, rounded down.
#[must_use]
pub fn rotary_dim(head_dim: usize, partial_rotary_factor: f64) -> usize {
    (head_dim as f64 * partial_rotary_factor) as usize
}

/// A model's rotary embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    theta: f64,
    rotary_dim: usize,
    scaling: RopeScaling,
}

fn in_range(what: &'static str, found: f64, expected: &'static str, ok: bool) -> Result<(), RopeError> {
    if ok && found.is_finite() {
        Ok(())
    } else {
        Err(RopeError::Value { what, expected, found })
    }
}

fn positive(what: &'static str, found: f64) -> Result<(), RopeError> {
    in_range(what, found, "a positive number", found > 0.0)
}

impl Rope {
    /// Checks the parameters.
    ///
    /// # Errors
    /// `RotaryDim`, `Value` or `Factors` if they do not describe a rotary embedding.
    pub fn new(theta: f64, rotary_dim: usize, scaling: RopeScaling) -> Result<Self, RopeError> {
        if rotary_dim < 2 || !rotary_dim.is_multiple_of(2) {
            return Err(RopeError::RotaryDim { rotary_dim });
        }
        in_range("theta", theta, "a number above 1", theta > 1.0)?;
        match &scaling {
            RopeScaling::None => {}
            RopeScaling::Linear { factor } => positive("factor", *factor)?,
            RopeScaling::Dynamic { factor, max_positions } => {
                // theta is raised to rotary_dim / (rotary_dim - 2), and must not shrink to 0 at any length.
                in_range("rotary_dim", rotary_dim as f64, "at least 4 for dynamic scaling", rotary_dim > 2)?;
                in_range("factor", *factor, "at least 1", *factor >= 1.0)?;
                positive("max_positions", *max_positions as f64)?;
            }
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_positions } => {
                positive("factor", *factor)?;
                positive("low_freq_factor", *low_freq_factor)?;
                let above = high_freq_factor > low_freq_factor;
                in_range("high_freq_factor", *high_freq_factor, "more than low_freq_factor", above)?;
                positive("original_max_positions", *original_max_positions as f64)?;
            }
            RopeScaling::Yarn {
                factor, original_max_positions, beta_fast, beta_slow, attention_factor, mscale, ..
            } => {
                positive("factor", *factor)?;
                positive("original_max_positions", *original_max_positions as f64)?;
                positive("beta_fast", *beta_fast)?;
                positive("beta_slow", *beta_slow)?;
                positive("attention_factor", attention_factor.unwrap_or(1.0))?;
                if let Some((numerator, denominator)) = mscale {
                    in_range("mscale", *numerator, "0 or more", *numerator >= 0.0)?;
                    in_range("mscale_all_dim", *denominator, "0 or more", *denominator >= 0.0)?;
                }
            }
            RopeScaling::LongRope {
                short_factor, long_factor, original_max_positions, factor, attention_factor,
            } => {
                positive("factor", *factor)?;
                let expected = "at least 2";
                let length = *original_max_positions as f64;
                in_range("original_max_positions", length, expected, *original_max_positions >= 2)?;
                positive("attention_factor", attention_factor.unwrap_or(1.0))?;
                for (what, factors) in [("short_factor", short_factor), ("long_factor", long_factor)] {
                    let (expected, found) = (rotary_dim / 2, factors.len());
                    if found != expected {
                        return Err(RopeError::Factors { what, rotary_dim, expected, found });
                    }
                    factors.iter().try_for_each(|&f| positive(what, f))?;
                }
            }
        }
        Ok(Self { theta, rotary_dim, scaling })
    }

    /// Values of a head that are rotated.
    #[must_use]
    pub fn rotary_dim(&self) -> usize {
        self.rotary_dim
    }

    /// The class of a row of `tokens` tokens.
    ///
    /// A class depends on the row alone. transformers keeps a longer row's dynamic frequencies for a following
    /// row of exactly the maximum length or more, and takes the longest row of a padded batch; here every row
    /// is what it is in a forward of its own by a freshly loaded model.
    #[must_use]
    pub fn class(&self, tokens: usize) -> LengthClass {
        match &self.scaling {
            RopeScaling::Dynamic { max_positions, .. } if tokens > *max_positions => {
                LengthClass::Stretched(tokens)
            }
            RopeScaling::LongRope { original_max_positions, .. } if tokens > *original_max_positions => {
                LengthClass::Long
            }
            _ => LengthClass::Base,
        }
    }

    /// What cosines and sines are multiplied by.
    #[must_use]
    pub fn attention_factor(&self) -> f64 {
        match &self.scaling {
            RopeScaling::Yarn { factor, attention_factor, mscale, .. } => {
                let scale = |mscale: f64| {
                    if *factor <= 1.0 { 1.0 } else { 0.1 * mscale * libm::log(*factor) + 1.0 }
                };
                attention_factor.unwrap_or_else(|| match *mscale {
                    Some((numerator, denominator)) if numerator != 0.0 && denominator != 0.0 => {
                        scale(numerator) / scale(denominator)
                    }
                    _ => scale(1.0),
                })
            }
            RopeScaling::LongRope { factor, attention_factor, original_max_positions, .. } => {
                attention_factor.unwrap_or_else(|| {
                    if *factor <= 1.0 {
                        1.0
                    } else {
                        (1.0 + libm::log(*factor) / libm::log(*original_max_positions as f64)).sqrt()
                    }
                })
            }
            _ => 1.0,
        }
    }

    /// Radians per position, `[rotary_dim / 2]`, for rows of `class`.
    #[must_use]
    pub fn inv_freq(&self, class: LengthClass) -> Vec<f64> {
        let dim = self.rotary_dim as f64;
        let plain = |theta: f64| {
            (0..self.rotary_dim / 2).map(move |pair| 1.0 / libm::pow(theta, 2.0 * pair as f64 / dim))
        };
        let base = plain(self.theta);
        match &self.scaling {
            RopeScaling::None => base.collect(),
            RopeScaling::Linear { factor } => base.map(|f| f / factor).collect(),
            RopeScaling::Dynamic { factor, max_positions } => {
                let LengthClass::Stretched(tokens) = class else { return base.collect() };
                let stretch = factor * tokens as f64 / *max_positions as f64 - (factor - 1.0);
                plain(self.theta * libm::pow(stretch, dim / (dim - 2.0))).collect()
            }
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_positions } => {
                let length = *original_max_positions as f64;
                base.map(|f| {
                    let wavelength = 2.0 * PI / f;
                    if wavelength > length / low_freq_factor {
                        f / factor
                    } else if wavelength < length / high_freq_factor {
                        f
                    } else {
                        let width = high_freq_factor - low_freq_factor;
                        let keep = (length / wavelength - low_freq_factor) / width;
                        (1.0 - keep) * f / factor + keep * f
                    }
                })
                .collect()
            }
            RopeScaling::Yarn { factor, original_max_positions, beta_fast, beta_slow, truncate, .. } => {
                let length = *original_max_positions as f64;
                // The pair (a real number) that turns `rotations` times over the original length.
                let pair_of = |rotations: f64| {
                    dim * libm::log(length / (rotations * 2.0 * PI)) / (2.0 * libm::log(self.theta))
                };
                let (mut low, mut high) = (pair_of(*beta_fast), pair_of(*beta_slow));
                if *truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                let (low, mut high) = (low.max(0.0), high.min(dim - 1.0));
                if low == high {
                    high += 0.001;
                }
                base.enumerate()
                    .map(|(pair, f)| {
                        let ramp = ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0);
                        f / factor * ramp + f * (1.0 - ramp)
                    })
                    .collect()
            }
            RopeScaling::LongRope { short_factor, long_factor, .. } => {
                let factors = if class == LengthClass::Long { long_factor } else { short_factor };
                base.zip(factors).map(|(f, factor)| f / factor).collect()
            }
        }
    }
}
