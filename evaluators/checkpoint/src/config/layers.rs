//! What differs between the layers of one model: attention windows and rotary embeddings.

use super::fields::Fields;
use super::{Family, ParseConfigError};

/// One decoder layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerConfig {
    /// A query sees itself and `window - 1` tokens before it; `None` sees all before it.
    pub window: Option<usize>,
    /// Which rotary embedding.
    pub rope: LayerRope,
}

/// Which rotary embedding a layer uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerRope {
    /// `ModelConfig::rope`
    Global,
    /// `ModelConfig::local_rope`
    Local,
    /// None at all (smollm3's NoPE layers).
    None,
}

/// Layers as transformers would build them.
pub(super) fn layers(
    f: Fields<'_>,
    family: Family,
    num_layers: usize,
    default_window: Option<usize>,
) -> Result<Vec<LayerConfig>, ParseConfigError> {
    let window = match f.has("sliding_window") {
        true => f.positive("sliding_window")?,
        false => default_window,
    };
    let all = |window| {
        Ok(vec![
            LayerConfig {
                window,
                rope: LayerRope::Global
            };
            num_layers
        ])
    };
    match family {
        Family::Llama | Family::Granite | Family::Olmo2 | Family::Gemma => all(None),
        Family::Mistral | Family::Ministral3 | Family::Phi3 => all(window),
        Family::Qwen2 | Family::Qwen3 => {
            let window = window.filter(|_| matches!(f.flag("use_sliding_window"), Ok(Some(true))));
            f.flag("use_sliding_window")?;
            let first = f.count("max_window_layers")?.unwrap_or(28);
            let sliding = match layer_types(f, num_layers)? {
                Some(types) => types,
                None => (0..num_layers)
                    .map(|i| window.is_some() && i >= first)
                    .collect(),
            };
            build(f, sliding, window, |_, _| LayerRope::Global)
        }
        Family::Gemma2 | Family::Gemma3 => {
            let pattern = match family {
                Family::Gemma2 => 2,
                _ => f.positive("sliding_window_pattern")?.unwrap_or(6),
            };
            let sliding = match layer_types(f, num_layers)? {
                Some(types) => types,
                None => (0..num_layers)
                    .map(|i| !(i + 1).is_multiple_of(pattern))
                    .collect(),
            };
            build(f, sliding, window, |_, sliding| {
                match family == Family::Gemma3 && sliding {
                    true => LayerRope::Local,
                    false => LayerRope::Global,
                }
            })
        }
        Family::SmolLm3 => {
            let rope = rope_flags(f, num_layers)?;
            let window = match f.flag("use_sliding_window")? {
                Some(true) => window,
                _ => None,
            };
            let sliding = match layer_types(f, num_layers)? {
                Some(types) => types,
                None => rope
                    .iter()
                    .map(|has_rope| window.is_some() && !has_rope)
                    .collect(),
            };
            build(f, sliding, window, |i, _| {
                if rope[i] {
                    LayerRope::Global
                } else {
                    LayerRope::None
                }
            })
        }
    }
}

fn build(
    f: Fields<'_>,
    sliding: Vec<bool>,
    window: Option<usize>,
    rope: impl Fn(usize, bool) -> LayerRope,
) -> Result<Vec<LayerConfig>, ParseConfigError> {
    if window.is_none() && sliding.contains(&true) {
        return Err(f.bad(
            "sliding_window",
            "a number (and use_sliding_window true), since layer_types has sliding_attention",
        ));
    }
    let layer = |(i, sliding): (usize, bool)| LayerConfig {
        window: window.filter(|_| sliding),
        rope: rope(i, sliding),
    };
    Ok(sliding.into_iter().enumerate().map(layer).collect())
}

/// Per layer whether its attention slides.
fn layer_types(f: Fields<'_>, num_layers: usize) -> Result<Option<Vec<bool>>, ParseConfigError> {
    let Some(list) = f.list("layer_types")? else {
        return Ok(None);
    };
    if list.len() != num_layers {
        return Err(ParseConfigError::Disagree {
            what: format!(
                "layer_types has {} entries for {num_layers} layers",
                list.len()
            ),
            expected: "one for each",
        });
    }
    let sliding = |v: &serde_json::Value| match v.as_str() {
        Some("sliding_attention") => Ok(true),
        Some("full_attention") => Ok(false),
        _ => Err(f.bad(
            "layer_types",
            "full_attention or sliding_attention for each layer",
        )),
    };
    list.iter().map(sliding).collect::<Result<_, _>>().map(Some)
}

/// SmolLM3: 1 where a layer has a rotary embedding, whatever the key's name suggests.
fn rope_flags(f: Fields<'_>, num_layers: usize) -> Result<Vec<bool>, ParseConfigError> {
    if let Some(list) = f.list("no_rope_layers")? {
        if list.len() < num_layers {
            return Err(ParseConfigError::Disagree {
                what: format!(
                    "no_rope_layers has {} entries for {num_layers} layers",
                    list.len()
                ),
                expected: "one for each",
            });
        }
        let flag = |v: &serde_json::Value| match v.as_u64() {
            Some(n @ (0 | 1)) => Ok(n == 1),
            _ => Err(f.bad("no_rope_layers", "a list of 0 and 1")),
        };
        return list.iter().take(num_layers).map(flag).collect();
    }
    let interval = f.positive("no_rope_layer_interval")?.unwrap_or(4);
    Ok((0..num_layers)
        .map(|i| !(i + 1).is_multiple_of(interval))
        .collect())
}
