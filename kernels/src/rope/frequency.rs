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

use super::scaling::{RopeError, RopeScaling, in_range};
use core::f64::consts::PI;

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
        scaling.check(rotary_dim)?;
        Ok(Self {
            theta,
            rotary_dim,
            scaling,
        })
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
            RopeScaling::LongRope {
                original_max_positions,
                ..
            } if tokens > *original_max_positions => LengthClass::Long,
            _ => LengthClass::Base,
        }
    }

    /// What cosines and sines are multiplied by.
    #[must_use]
    pub fn attention_factor(&self) -> f64 {
        match self.scaling {
            RopeScaling::Yarn {
                attention_factor, ..
            }
            | RopeScaling::LongRope {
                attention_factor, ..
            } => attention_factor,
            _ => 1.0,
        }
    }

    /// Radians per position, `[rotary_dim / 2]`, for rows of `class`.
    #[must_use]
    pub fn inv_freq(&self, class: LengthClass) -> Vec<f64> {
        let dim = self.rotary_dim as f64;
        let plain = |theta: f64| {
            (0..self.rotary_dim / 2)
                .map(move |pair| 1.0 / libm::pow(theta, 2.0 * pair as f64 / dim))
        };
        let base = plain(self.theta);
        match &self.scaling {
            RopeScaling::None => base.collect(),
            RopeScaling::Linear { factor } => base.map(|f| f / factor).collect(),
            RopeScaling::Dynamic {
                factor,
                max_positions,
            } => {
                let LengthClass::Stretched(tokens) = class else {
                    return base.collect();
                };
                let stretch = factor * tokens as f64 / *max_positions as f64 - (factor - 1.0);
                plain(self.theta * libm::pow(stretch, dim / (dim - 2.0))).collect()
            }
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_positions,
            } => {
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
            RopeScaling::Yarn {
                factor,
                original_max_positions,
                beta_fast,
                beta_slow,
                truncate,
                ..
            } => {
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
            RopeScaling::LongRope {
                short_factor,
                long_factor,
                ..
            } => {
                let factors = if class == LengthClass::Long {
                    long_factor
                } else {
                    short_factor
                };
                base.zip(factors).map(|(f, factor)| f / factor).collect()
            }
        }
    }
}
