//! `adapter_config.json`, as peft 0.21.2 reads it.

mod unsupported;

use serde_json::{Map, Value};

use super::pattern::{NamePattern, PatternBudget, PatternError};
use crate::Owner;
use crate::config::ParseConfigError;
use crate::config::fields::Fields;
use unsupported::{refuse_unsupported, unsupported};

/// Most entries of a pattern table or a list of names.
const ENTRIES_MAX: usize = 16_384;
/// Largest rank.
const RANK_MAX: usize = 1 << 16;

/// Why an adapter_config.json is refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ParseAdapterConfigError {
    #[error(transparent)]
    Field(#[from] ParseConfigError),
    #[error("peft_type {found:?} is not supported\nhelp: known is LORA")]
    PeftType { found: String },
    #[error("{field} = {found} is not supported: {why}")]
    Unsupported {
        field: String,
        found: String,
        why: &'static str,
    },
    #[error(
        "{field} has the pattern {pattern:?}, which is not a regular expression that can be matched in linear time\nhelp: name the modules, without look-around or back-references"
    )]
    Pattern {
        field: &'static str,
        pattern: String,
    },
    #[error("{field} has more than {ENTRIES_MAX} entries")]
    TooMany { field: &'static str },
    #[error(
        "the patterns up to {field} are more than {} regular expressions, or take more than {} MiB\nhelp: name the modules",
        PatternBudget::COUNT,
        PatternBudget::BYTES >> 20
    )]
    TooManyPatterns { field: &'static str },
}

impl ParseAdapterConfigError {
    /// Always the submission.
    pub fn owner(&self) -> Owner {
        Owner::Submission
    }
}

/// Which biases the adapter trained and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// None.
    None,
    /// Those of the adapted modules.
    LoraOnly,
    /// All of the model.
    All,
}

/// Modules that the adapter says it adapts.
#[derive(Clone, Debug)]
pub enum Targets {
    /// Left to peft's table per model type.
    Unsaid,
    /// Every linear module except the head.
    AllLinear,
    /// Exact paths, or last parts of them.
    Names(Vec<String>),
    /// An expression over whole paths.
    Pattern(NamePattern),
}

/// A checked adapter configuration.
#[derive(Clone, Debug)]
pub struct AdapterConfig {
    /// Model the adapter was trained on, as its author calls it. Not looked at here: an adapter is bound to the base that
    /// the caller has.
    pub base_model_name: Option<String>,
    /// Commit of that model, as its author calls it. Compared with nothing: a base's directory need not say its own.
    pub revision: Option<String>,
    /// Rank where no pattern says otherwise.
    pub lora_rank: usize,
    /// Alpha where no pattern says otherwise.
    pub lora_alpha: f64,
    /// Scale is alpha / sqrt(rank) instead of alpha / rank.
    pub use_rslora: bool,
    /// Weights are split into direction and magnitude.
    pub use_dora: bool,
    /// B has a bias.
    pub lora_bias: bool,
    /// Biases of the base that are stored.
    pub bias: Bias,
    /// Modules that are adapted.
    pub targets: Targets,
    /// Adapted modules that are not, after all.
    pub excluded: Targets,
    /// Modules that are replaced as a whole.
    pub modules_to_save: Vec<String>,
    pub(super) saved_patterns: Vec<NamePattern>,
    rank_pattern: Vec<(NamePattern, usize)>,
    alpha_pattern: Vec<(NamePattern, f64)>,
    layers: Option<Vec<usize>>,
    layers_patterns: Vec<NamePattern>,
}

impl AdapterConfig {
    /// Parses the bytes of an adapter_config.json; also returns what was ignored.
    ///
    /// # Errors
    /// [`ParseAdapterConfigError`] names the field.
    pub fn parse(json: &[u8]) -> Result<(AdapterConfig, Vec<String>), ParseAdapterConfigError> {
        let raw: Map<String, Value> =
            serde_json::from_slice(json).map_err(ParseConfigError::json)?;
        let f = Fields::new(&raw, "");
        match f.text("peft_type")? {
            Some("LORA") => {}
            other => {
                let found = other.unwrap_or("absent").chars().take(60).collect();
                return Err(ParseAdapterConfigError::PeftType { found });
            }
        }
        refuse_unsupported(&raw, f)?;
        let mut notes = Vec::new();
        if f.flag("fan_in_fan_out")? == Some(true) {
            notes.push("fan_in_fan_out is ignored: the linear modules here store [out, in], as peft finds too".to_owned());
        }
        let use_dora = f.flag("use_dora")?.unwrap_or(false);
        let lora_bias = f.flag("lora_bias")?.unwrap_or(false);
        if use_dora && lora_bias {
            return Err(unsupported(
                "lora_bias",
                &Value::Bool(true),
                "peft has none with use_dora",
            ));
        }
        let mut budget = PatternBudget::new();
        let modules_to_save = names(f, "modules_to_save")?;
        let saved_patterns = modules_to_save
            .iter()
            // peft: re.match(rf"(^|.*\.){m}($|\..*)", path)
            .map(|m| {
                pattern(
                    "modules_to_save",
                    &format!(r"(?:|.*\.)(?:{m})(?:|\..*)"),
                    false,
                    &mut budget,
                )
            })
            .collect::<Result<_, _>>()?;
        let config = AdapterConfig {
            base_model_name: f.text("base_model_name_or_path")?.map(str::to_owned),
            revision: f.text("revision")?.map(str::to_owned),
            lora_rank: rank(f, "r")?.unwrap_or(8),
            lora_alpha: f.number("lora_alpha")?.unwrap_or(8.0),
            use_rslora: f.flag("use_rslora")?.unwrap_or(false),
            use_dora,
            lora_bias,
            bias: match f.text("bias")? {
                None | Some("none") => Bias::None,
                Some("lora_only") => Bias::LoraOnly,
                Some("all") => Bias::All,
                Some(_) => return Err(f.bad("bias", "none, lora_only or all").into()),
            },
            targets: targets(f, "target_modules", &mut budget)?,
            excluded: targets(f, "exclude_modules", &mut budget)?,
            modules_to_save,
            saved_patterns,
            rank_pattern: table(f, "rank_pattern", &mut budget, rank)?,
            alpha_pattern: table(f, "alpha_pattern", &mut budget, |f, key| Ok(f.number(key)?))?,
            layers: layer_indexes(f)?,
            layers_patterns: match f.get("layers_pattern") {
                Some(Value::String(one)) if one.is_empty() => Vec::new(),
                Some(Value::String(one)) => {
                    vec![pattern("layers_pattern", one, true, &mut budget)?]
                }
                _ => names(f, "layers_pattern")?
                    .iter()
                    .map(|p| pattern("layers_pattern", p, true, &mut budget))
                    .collect::<Result<_, _>>()?,
            },
        };
        Ok((config, notes))
    }

    /// Rank of a module.
    pub fn rank(&self, module: &str) -> usize {
        lookup(&self.rank_pattern, module).unwrap_or(self.lora_rank)
    }

    /// What the product of the factors is multiplied by for a module.
    pub fn scale(&self, module: &str) -> f64 {
        let alpha = lookup(&self.alpha_pattern, module).unwrap_or(self.lora_alpha);
        let rank = self.rank(module) as f64;
        if self.use_rslora {
            alpha / rank.sqrt()
        } else {
            alpha / rank
        }
    }

    /// Whether the configuration makes a module a LoRA module; `None` if it does not say.
    ///
    /// * `is_head`: the module maps to the vocabulary
    /// * `is_linear`: the module is linear, not an embedding
    pub fn is_target(&self, module: &str, is_head: bool, is_linear: bool) -> Option<bool> {
        if self.excluded.matches(module) == Some(true)
            || self.saved_patterns.iter().any(|p| p.matches(module))
        {
            return Some(false);
        }
        match &self.targets {
            Targets::Unsaid => None,
            Targets::AllLinear => Some(is_linear && !is_head),
            Targets::Names(names) if names.iter().any(|n| n == module) => Some(true),
            targets => {
                Some(targets.matches(module) == Some(true) && self.is_transformed_layer(module))
            }
        }
    }

    /// Whether `layers_to_transform` lets a module through. An expression in target_modules is not combined with it.
    fn is_transformed_layer(&self, module: &str) -> bool {
        let (Some(layers), Targets::Names(_)) = (&self.layers, &self.targets) else {
            return true;
        };
        let parts: Vec<&str> = module.split('.').collect();
        // The first number that has a part before it and a part behind it; a pattern, if any, has to match what leads to it.
        for (i, part) in parts
            .iter()
            .enumerate()
            .skip(1)
            .take(parts.len().saturating_sub(2))
        {
            let is_number = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let before = parts[..i].join(".");
            let leads = match self.layers_patterns.is_empty() {
                true => i >= 2,
                false => self.layers_patterns.iter().any(|p| p.matches(&before)),
            };
            if is_number && leads {
                return part.parse().is_ok_and(|idx: usize| layers.contains(&idx));
            }
        }
        false
    }
}

impl Targets {
    fn matches(&self, module: &str) -> Option<bool> {
        match self {
            Targets::Unsaid | Targets::AllLinear => None,
            Targets::Names(names) => {
                Some(names.iter().any(|n| match module.strip_suffix(n.as_str()) {
                    Some(rest) => rest.is_empty() || rest.ends_with('.'),
                    None => false,
                }))
            }
            Targets::Pattern(pattern) => Some(pattern.matches(module)),
        }
    }
}

/// The first pattern that matches decides; a table key that equals the path counts even if it is no match for itself.
fn lookup<T: Copy>(table: &[(NamePattern, T)], module: &str) -> Option<T> {
    let first = table.iter().find(|(pattern, _)| pattern.matches(module));
    first
        .or_else(|| table.iter().find(|(pattern, _)| pattern.source() == module))
        .map(|(_, value)| *value)
}

fn rank(f: Fields<'_>, key: &str) -> Result<Option<usize>, ParseAdapterConfigError> {
    match f.positive(key)? {
        Some(r) if r > RANK_MAX => Err(f.bad(key, "a rank of at most 65536").into()),
        r => Ok(r),
    }
}

fn names(f: Fields<'_>, field: &'static str) -> Result<Vec<String>, ParseAdapterConfigError> {
    let names = f.texts(field)?.unwrap_or_default();
    if names.len() > ENTRIES_MAX {
        return Err(ParseAdapterConfigError::TooMany { field });
    }
    Ok(names)
}

fn pattern(
    field: &'static str,
    source: &str,
    suffix: bool,
    budget: &mut PatternBudget,
) -> Result<NamePattern, ParseAdapterConfigError> {
    NamePattern::new(source, suffix, budget).map_err(|e| match e {
        PatternError::Refused => ParseAdapterConfigError::Pattern {
            field,
            pattern: source.chars().take(120).collect(),
        },
        PatternError::Budget => ParseAdapterConfigError::TooManyPatterns { field },
    })
}

fn targets(
    f: Fields<'_>,
    field: &'static str,
    budget: &mut PatternBudget,
) -> Result<Targets, ParseAdapterConfigError> {
    match f.get(field) {
        None => Ok(Targets::Unsaid),
        Some(Value::String(s))
            if field == "target_modules" && s.eq_ignore_ascii_case("all-linear") =>
        {
            Ok(Targets::AllLinear)
        }
        Some(Value::String(s)) if s.is_empty() => Ok(Targets::Unsaid),
        Some(Value::String(s)) => Ok(Targets::Pattern(pattern(field, s, false, budget)?)),
        Some(_) => Ok(Targets::Names(names(f, field)?)),
    }
}

fn table<T>(
    f: Fields<'_>,
    field: &'static str,
    budget: &mut PatternBudget,
    read: impl Fn(Fields<'_>, &str) -> Result<Option<T>, ParseAdapterConfigError>,
) -> Result<Vec<(NamePattern, T)>, ParseAdapterConfigError> {
    let Some(map) = f.object(field)? else {
        return Ok(Vec::new());
    };
    if map.len() > ENTRIES_MAX {
        return Err(ParseAdapterConfigError::TooMany { field });
    }
    let place = format!("{field}.");
    let inner = Fields::new(map, &place);
    let entry = |key: &str| {
        let value = read(inner, key)?.ok_or_else(|| inner.bad(key, "a number"))?;
        Ok((pattern(field, key, true, budget)?, value))
    };
    inner.keys().map(entry).collect()
}

fn layer_indexes(f: Fields<'_>) -> Result<Option<Vec<usize>>, ParseAdapterConfigError> {
    let key = "layers_to_transform";
    match f.get(key) {
        None => Ok(None),
        Some(Value::Array(list)) if list.is_empty() => Ok(None),
        Some(Value::Array(list)) => {
            let indexes: Option<Vec<usize>> = list
                .iter()
                .map(|v| v.as_u64().map(|n| n as usize))
                .collect();
            indexes
                .map(Some)
                .ok_or_else(|| f.bad(key, "layer numbers").into())
        }
        Some(_) => Ok(f.count(key)?.map(|one| vec![one])),
    }
}
