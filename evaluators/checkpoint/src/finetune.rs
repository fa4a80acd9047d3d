//! Whether a full model is a fine-tune of a base, by the subnet's rule: configurations compared, never weights.

use serde_json::{Map, Value};

use crate::config::{Family, ModelConfig};

/// Outcome of the check.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Every compared field agrees.
    Finetune,
    /// A field differs.
    Differs {
        /// Field of config.json.
        field: &'static str,
        /// Value of the base.
        base: String,
        /// Value of the candidate.
        candidate: String,
    },
    /// The candidate claims shorter sequences than its base can do.
    ShorterContext {
        /// max_position_embeddings of the base.
        base: usize,
        /// That of the candidate.
        candidate: usize,
    },
}

impl Verdict {
    /// The subnet's `is_finetune`.
    pub fn is_finetune(&self) -> bool {
        *self == Verdict::Finetune
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::Finetune => f.write_str("a fine-tune of the base"),
            Verdict::Differs {
                field,
                base,
                candidate,
            } => {
                write!(
                    f,
                    "not a fine-tune: {field} is {candidate}, the base has {base}"
                )
            }
            Verdict::ShorterContext { base, candidate } => {
                write!(
                    f,
                    "not a fine-tune: max_position_embeddings is {candidate}, the base has {base}"
                )
            }
        }
    }
}

/// Compares the fields that the rule names, where the base defines them, after defaults.
///
/// The rule also knows `n_layer`, which no family here has. An adapter is a fine-tune without this check.
pub fn is_finetune(
    base: (&ModelConfig, &Map<String, Value>),
    candidate: (&ModelConfig, &Map<String, Value>),
) -> Verdict {
    let ((b, base_raw), (c, candidate_raw)) = (base, candidate);
    let differs = |field, base: String, candidate: String| {
        Some(Verdict::Differs {
            field,
            base,
            candidate,
        })
    };
    let number = |field, base: usize, candidate: usize| match base == candidate {
        true => None,
        false => differs(field, base.to_string(), candidate.to_string()),
    };
    // hidden_act and head_dim are attributes of some families only; elsewhere they count if the base's file has them.
    let named_act = !matches!(b.family, Family::Gemma2 | Family::Gemma3);
    let act = |(config, raw): (&ModelConfig, &Map<String, Value>)| match raw
        .get("hidden_act")
        .and_then(Value::as_str)
    {
        Some(act) => act.to_owned(),
        None => format!("{:?}", config.hidden_act),
    };
    let names_act = |raw: &Map<String, Value>| raw.get("hidden_act").is_some_and(|v| !v.is_null());
    let head_dim_known = !matches!(
        b.family,
        Family::Phi3 | Family::Granite | Family::SmolLm3 | Family::Olmo2 | Family::Qwen2
    );
    let checks = [
        (b.model_type != c.model_type)
            .then(|| differs("model_type", b.model_type.clone(), c.model_type.clone()))
            .flatten(),
        (b.architectures != c.architectures)
            .then(|| {
                differs(
                    "architectures",
                    format!("{:?}", b.architectures),
                    format!("{:?}", c.architectures),
                )
            })
            .flatten(),
        number("hidden_size", b.hidden_size, c.hidden_size),
        number(
            "intermediate_size",
            b.intermediate_size,
            c.intermediate_size,
        ),
        (head_dim_known || base_raw.get("head_dim").is_some_and(|v| !v.is_null()))
            .then(|| number("head_dim", b.head_dim, c.head_dim))
            .flatten(),
        match (named_act, names_act(base_raw)) {
            // Both defaulted or both named: compare as the file spells it, which is what the rule does.
            (true, _)
                if names_act(base_raw) == names_act(candidate_raw)
                    && act((b, base_raw)) != act((c, candidate_raw)) =>
            {
                differs("hidden_act", act((b, base_raw)), act((c, candidate_raw)))
            }
            (true, _) if b.hidden_act != c.hidden_act => {
                differs("hidden_act", act((b, base_raw)), act((c, candidate_raw)))
            }
            (false, true) if act((b, base_raw)) != act((c, candidate_raw)) => {
                differs("hidden_act", act((b, base_raw)), act((c, candidate_raw)))
            }
            _ => None,
        },
        number("num_hidden_layers", b.num_layers, c.num_layers),
        number("num_attention_heads", b.num_heads, c.num_heads),
        number("num_key_value_heads", b.num_kv_heads, c.num_kv_heads),
    ];
    if let Some(verdict) = checks.into_iter().flatten().next() {
        return verdict;
    }
    if c.max_position_embeddings < b.max_position_embeddings {
        return Verdict::ShorterContext {
            base: b.max_position_embeddings,
            candidate: c.max_position_embeddings,
        };
    }
    Verdict::Finetune
}

#[cfg(test)]
mod tests;
