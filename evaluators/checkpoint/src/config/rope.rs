//! Rotary embeddings: both spellings, every scaling, all derived factors resolved.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Family, ParseConfigError};

/// How positions become rotations.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeConfig {
    /// Base of the geometric series of wavelengths.
    pub theta: f64,
    /// Leading dimensions of a head that rotate; the rest pass unchanged. Even, at most head_dim.
    pub rotary_dim: usize,
    /// Scaling.
    pub kind: RopeKind,
}

/// Scaling of rotary frequencies; the names and formulas are those of transformers' `modeling_rope_utils`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // fields are named as in config.json
pub enum RopeKind {
    Default,
    /// All frequencies divided by `factor`.
    Linear {
        factor: f64,
    },
    /// NTK: theta grows with the sequence length past `original_max`, which here is `max_position_embeddings`.
    Dynamic {
        factor: f64,
        original_max: usize,
    },
    /// Long wavelengths divided by `factor`, short ones kept, smooth between.
    Llama3 {
        factor: f64,
        low_freq_factor: f64,
        high_freq_factor: f64,
        original_max: usize,
    },
    /// `attention_factor` multiplies cos and sin.
    Yarn {
        factor: f64,
        original_max: usize,
        beta_fast: f64,
        beta_slow: f64,
        attention_factor: f64,
        truncate: bool,
    },
    /// `short` up to `original_max` positions in a sequence, `long` for longer ones; `attention_factor` always.
    LongRope {
        short: Vec<f64>,
        long: Vec<f64>,
        original_max: usize,
        attention_factor: f64,
    },
}

impl RopeKind {
    /// The name in config.json.
    pub fn name(&self) -> &'static str {
        match self {
            RopeKind::Default => "default",
            RopeKind::Linear { .. } => "linear",
            RopeKind::Dynamic { .. } => "dynamic",
            RopeKind::Llama3 { .. } => "llama3",
            RopeKind::Yarn { .. } => "yarn",
            RopeKind::LongRope { .. } => "longrope",
        }
    }
}

/// What the rest of the configuration says that rotary embeddings need.
pub(super) struct RopeContext<'a> {
    pub(super) family: Family,
    pub(super) top: Fields<'a>,
    pub(super) head_dim: usize,
    pub(super) max_position_embeddings: usize,
}

impl RopeContext<'_> {
    /// The one rotary embedding of a model that has a single one.
    ///
    /// `rope_scaling` (transformers 4) wins over `rope_parameters` (5) if it is there and not empty, as in transformers 5.
    pub(super) fn single(&self, default_theta: f64) -> Result<RopeConfig, ParseConfigError> {
        let empty = Map::new();
        let scaling = self.top.object("rope_scaling")?.filter(|m| !m.is_empty());
        let given = match scaling {
            Some(map) => Some(map),
            None => self
                .top
                .object("rope_parameters")?
                .filter(|m| !m.is_empty()),
        };
        if let Some(map) = given
            && map.keys().any(|k| k.ends_with("_attention"))
        {
            return Err(ParseConfigError::Unsupported {
                what: "rope_parameters per layer type",
                help: "only gemma3 has them",
            });
        }
        let theta = self
            .top
            .positive_number("rope_theta")?
            .unwrap_or(default_theta);
        if given.is_none() && self.family == Family::Ministral3 {
            return self.ministral3_default();
        }
        self.parse(given.unwrap_or(&empty), theta)
    }

    /// Gemma 3 has one for its global layers and one for its local ones.
    pub(super) fn pair(
        &self,
        default_global: f64,
        default_local: f64,
    ) -> Result<(RopeConfig, RopeConfig), ParseConfigError> {
        let given = self.top.object("rope_parameters")?;
        let part = |key: &str| -> Result<Map<String, Value>, ParseConfigError> {
            match given {
                None => Ok(Map::new()),
                Some(map) => Ok(Fields::new(map, "rope_parameters.")
                    .object(key)?
                    .cloned()
                    .unwrap_or_default()),
            }
        };
        let (mut global, local) = (part("full_attention")?, part("sliding_attention")?);
        if given.is_none() {
            // As transformers 5 does: so an old `type` inside rope_scaling is not looked at, `rope_type` is.
            global.insert("rope_type".to_owned(), "default".into());
        }
        if let Some(scaling) = self.top.object("rope_scaling")? {
            global.extend(scaling.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        let global_theta = self
            .top
            .positive_number("rope_theta")?
            .unwrap_or(default_global);
        let local_theta = self
            .top
            .positive_number("rope_local_base_freq")?
            .unwrap_or(default_local);
        Ok((
            self.parse(&global, global_theta)?,
            self.parse(&local, local_theta)?,
        ))
    }

    fn ministral3_default(&self) -> Result<RopeConfig, ParseConfigError> {
        let kind = RopeKind::Yarn {
            factor: 16.0,
            original_max: 16384,
            beta_fast: 32.0,
            beta_slow: 1.0,
            attention_factor: 1.0,
            truncate: true,
        };
        Ok(RopeConfig {
            theta: 1_000_000.0,
            rotary_dim: self.rotary_dim(1.0)?,
            kind,
        })
    }

    fn rotary_dim(&self, partial: f64) -> Result<usize, ParseConfigError> {
        if !(partial > 0.0 && partial <= 1.0) {
            return Err(self
                .top
                .bad("partial_rotary_factor", "a number above 0 and at most 1"));
        }
        let dim = (self.head_dim as f64 * partial) as usize;
        if dim == 0 || !dim.is_multiple_of(2) {
            return Err(ParseConfigError::Disagree {
                what: format!(
                    "head_dim {} with partial_rotary_factor {partial} rotates {dim} dimensions",
                    self.head_dim
                ),
                expected: "an even number of them",
            });
        }
        Ok(dim)
    }

    fn parse(
        &self,
        map: &Map<String, Value>,
        default_theta: f64,
    ) -> Result<RopeConfig, ParseConfigError> {
        let f = Fields::new(map, "rope_parameters.");
        let theta = f.positive_number("rope_theta")?.unwrap_or(default_theta);
        if theta <= 1.0 {
            return Err(f.bad("rope_theta", "a number above 1"));
        }
        let mut kind = match f.text("rope_type")? {
            Some(kind) => kind,
            None => f.text("type")?.unwrap_or("default"),
        };
        if self.family == Family::Phi3 && matches!(kind, "su" | "yarn") {
            kind = "longrope"; // earlier names of the same thing in this family
        }
        let partial = match f.number("partial_rotary_factor")? {
            Some(partial) => partial,
            None => self.top.number("partial_rotary_factor")?.unwrap_or(1.0),
        };
        let partial = match (self.family, kind) {
            (Family::Phi3, _) => partial,
            (_, "default") => 1.0, // transformers does not look at it here
            _ if partial == 1.0 => 1.0,
            _ => {
                return Err(ParseConfigError::Unsupported {
                    what: "partial_rotary_factor with scaled rotary embeddings",
                    help: "only phi3 rotates a part of each head",
                });
            }
        };
        let rotary_dim = self.rotary_dim(partial)?;
        let kind = self.kind(kind, f, rotary_dim)?;
        Ok(RopeConfig {
            theta,
            rotary_dim,
            kind,
        })
    }

    fn kind(
        &self,
        kind: &str,
        f: Fields<'_>,
        rotary_dim: usize,
    ) -> Result<RopeKind, ParseConfigError> {
        let factor = f.positive_number("factor")?;
        let required = || factor.ok_or_else(|| f.bad("factor", "a number"));
        Ok(match kind {
            "default" => RopeKind::Default,
            "linear" => RopeKind::Linear {
                factor: required()?,
            },
            "dynamic" => {
                if rotary_dim <= 2 {
                    return Err(f.bad(
                        "rope_type",
                        "a type other than dynamic for heads of 2 dimensions",
                    ));
                }
                RopeKind::Dynamic {
                    factor: required()?,
                    original_max: self.max_position_embeddings,
                }
            }
            "llama3" => {
                let low = f
                    .positive_number("low_freq_factor")?
                    .ok_or_else(|| f.bad("low_freq_factor", "a number"))?;
                let high = f
                    .positive_number("high_freq_factor")?
                    .ok_or_else(|| f.bad("high_freq_factor", "a number"))?;
                if high <= low {
                    return Err(f.bad("high_freq_factor", "a number above low_freq_factor"));
                }
                RopeKind::Llama3 {
                    factor: required()?,
                    low_freq_factor: low,
                    high_freq_factor: high,
                    original_max: self.original_max(f)?,
                }
            }
            "yarn" => self.yarn(f, factor)?,
            "longrope" => self.longrope(f, factor, rotary_dim)?,
            other => {
                return Err(ParseConfigError::RopeType {
                    found: other.chars().take(60).collect(),
                });
            }
        })
    }

    /// A key beside rope_parameters wins over the one inside; phi3 always has the outer one.
    fn original_max(&self, f: Fields<'_>) -> Result<usize, ParseConfigError> {
        if let Some(outer) = self.top.positive("original_max_position_embeddings")? {
            return Ok(outer);
        }
        if self.family == Family::Phi3 {
            return Ok(4096);
        }
        Ok(f.positive("original_max_position_embeddings")?
            .unwrap_or(self.max_position_embeddings))
    }

    fn yarn(&self, f: Fields<'_>, factor: Option<f64>) -> Result<RopeKind, ParseConfigError> {
        let original_max = self.original_max(f)?;
        if !f.has("factor") {
            return Err(f.bad("factor", "a number"));
        }
        let factor = factor.unwrap_or(self.max_position_embeddings as f64 / original_max as f64);
        let mscale = |scale: f64, m: f64| {
            if scale <= 1.0 {
                1.0
            } else {
                0.1 * m * libm::log(scale) + 1.0
            }
        };
        let nonzero = |key| -> Result<Option<f64>, ParseConfigError> {
            Ok(f.number(key)?.filter(|x| *x != 0.0))
        };
        let attention_factor = match (
            f.number("attention_factor")?,
            nonzero("mscale")?,
            nonzero("mscale_all_dim")?,
        ) {
            (Some(given), _, _) => given,
            (None, Some(m), Some(all)) => mscale(factor, m) / mscale(factor, all),
            (None, _, _) => mscale(factor, 1.0),
        };
        if !attention_factor.is_finite() {
            return Err(f.bad(
                "mscale_all_dim",
                "a number that leaves a finite attention factor",
            ));
        }
        Ok(RopeKind::Yarn {
            factor,
            original_max,
            beta_fast: f.number("beta_fast")?.filter(|x| *x > 0.0).unwrap_or(32.0),
            beta_slow: f.number("beta_slow")?.filter(|x| *x > 0.0).unwrap_or(1.0),
            attention_factor,
            truncate: f.flag("truncate")?.unwrap_or(true),
        })
    }

    fn longrope(
        &self,
        f: Fields<'_>,
        factor: Option<f64>,
        rotary_dim: usize,
    ) -> Result<RopeKind, ParseConfigError> {
        let original_max = self.original_max(f)?;
        let factors = |key: &str| -> Result<Vec<f64>, ParseConfigError> {
            let list = f
                .numbers(key)?
                .ok_or_else(|| f.bad(key, "a list of numbers"))?;
            if list.len() != rotary_dim / 2 {
                let what = format!(
                    "rope_parameters.{key} has {} numbers for {rotary_dim} rotated dimensions",
                    list.len()
                );
                return Err(ParseConfigError::Disagree {
                    what,
                    expected: "one for every two",
                });
            }
            if list.iter().any(|x| !(1e-6..=1e12).contains(x)) {
                return Err(f.bad(key, "numbers above 0"));
            }
            Ok(list)
        };
        let (short, long) = (factors("short_factor")?, factors("long_factor")?);
        let factor = factor.unwrap_or(self.max_position_embeddings as f64 / original_max as f64);
        let attention_factor = match f.number("attention_factor")? {
            Some(given) => given,
            None if factor <= 1.0 => 1.0,
            None if original_max == 1 => {
                return Err(f.bad("original_max_position_embeddings", "a number above 1"));
            }
            None => (1.0 + libm::log(factor) / libm::log(original_max as f64)).sqrt(),
        };
        Ok(RopeKind::LongRope {
            short,
            long,
            original_max,
            attention_factor,
        })
    }
}
