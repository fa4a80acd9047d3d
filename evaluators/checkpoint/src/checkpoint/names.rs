//! Stored tensor names to the names of the model's definition.

use crate::ModelConfig;

/// How a checkpoint's names differ from the definition's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Not at all.
    Plain,
    /// Saved from the model without its head: `model.` is missing everywhere.
    WithoutHead,
    /// The text part of a multimodal wrapper.
    Wrapped,
}

impl Scheme {
    pub(super) fn detect<'a>(config: &ModelConfig, names: impl Iterator<Item = &'a str>) -> Scheme {
        if config.is_multimodal {
            return Scheme::Wrapped;
        }
        let (mut with, mut without) = (false, false);
        for name in names {
            with |= name.starts_with("model.");
            without |= name == "embed_tokens.weight";
        }
        if without && !with {
            Scheme::WithoutHead
        } else {
            Scheme::Plain
        }
    }

    pub(super) fn canonical(self, name: &str) -> String {
        match self {
            Scheme::WithoutHead if !name.starts_with("lm_head.") => format!("model.{name}"),
            Scheme::Wrapped => without_wrapper(name),
            _ => name.to_owned(),
        }
    }
}

/// `language_model.` taken out, where transformers 4 (`language_model.model.x`) or 5 (`model.language_model.x`) puts it.
pub(super) fn without_wrapper(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("model.language_model.") {
        return format!("model.{rest}");
    }
    name.strip_prefix("language_model.")
        .unwrap_or(name)
        .to_owned()
}
