//! Tokenizer classes that do not take `tokenizer.json` as it is.
//!
//! transformers 5 loads most tokenizers verbatim. A few classes keep only vocabulary, merges and post-processor of
//! the file, and bring their own normalizer and pre-tokenizer and defaults for special tokens. Which class applies
//! depends on `tokenizer_class` and on the model type; where both disagree, some model types are known to be
//! right. Without the model type, `tokenizer_class` decides.

use super::TokenizerError;
use serde_json::{Map, Value};
use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::{NFC, Replace};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;
use tokenizers::{NormalizerWrapper, Tokenizer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The file as it is.
    Verbatim,
    Llama,
    Qwen2,
    Gemma,
    Gpt2,
}

/// Text model types whose tokenizer is loaded verbatim whatever class the config names.
const VERBATIM_TYPES: [&str; 32] = [
    "arctic",
    "deepseek_v2",
    "deepseek_v3",
    "deepseek_v32",
    "ernie4_5",
    "ernie4_5_moe",
    "flex_olmo",
    "glm",
    "glm4",
    "glm4_moe",
    "granite",
    "granitemoe",
    "granitemoehybrid",
    "granitemoeshared",
    "hyperclovax",
    "internlm2",
    "jamba",
    "mimo_v2_flash",
    "minicpm3",
    "minimax_m2",
    "ministral",
    "ministral3",
    "mistral",
    "mistral3",
    "mixtral",
    "nemotron",
    "olmo2",
    "olmo3",
    "olmo_hybrid",
    "phi3",
    "phimoe",
    "stablelm",
];

impl Class {
    pub(super) fn of(tokenizer_class: Option<&str>, model_type: Option<&str>) -> Self {
        match (
            model_type,
            tokenizer_class.unwrap_or_default().trim_end_matches("Fast"),
        ) {
            (Some(model_type), _) if VERBATIM_TYPES.contains(&model_type) => Class::Verbatim,
            (Some("qwen2"), _) | (_, "Qwen2Tokenizer") => Class::Qwen2,
            (_, "LlamaTokenizer") => Class::Llama,
            (_, "GemmaTokenizer") => Class::Gemma,
            (_, "GPT2Tokenizer") => Class::Gpt2,
            _ => Class::Verbatim,
        }
    }

    /// Fills special tokens in that the config leaves out; null is not left out.
    pub(super) fn fill_special_tokens(self, config: &mut Map<String, Value>) {
        let defaults: &[(&str, &str)] = match self {
            Class::Verbatim => &[],
            Class::Gpt2 => &[
                ("bos_token", "<|endoftext|>"),
                ("eos_token", "<|endoftext|>"),
                ("unk_token", "<|endoftext|>"),
            ],
            Class::Qwen2 => &[
                ("eos_token", "<|endoftext|>"),
                ("pad_token", "<|endoftext|>"),
                ("unk_token", "<|endoftext|>"),
            ],
            Class::Llama => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("unk_token", "<unk>"),
            ],
            Class::Gemma => &[
                ("bos_token", "<bos>"),
                ("eos_token", "<eos>"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ],
        };
        for (key, token) in defaults {
            config
                .entry((*key).to_owned())
                .or_insert_with(|| Value::String((*token).to_owned()));
        }
    }

    /// Puts the class's own normalizer and pre-tokenizer in place of the file's.
    pub(super) fn rebuild(
        self,
        tokenizer: &mut Tokenizer,
        legacy: bool,
        add_prefix_space: Option<bool>,
    ) -> Result<(), TokenizerError> {
        if !matches!(tokenizer.get_model(), ModelWrapper::BPE(_)) {
            return Ok(());
        }
        let refuse = |message: String| TokenizerError::File {
            file: "tokenizer.json",
            message,
        };
        let split = |pattern: SplitPattern, behavior| {
            Split::new(pattern, behavior, false).map_err(|error| refuse(error.to_string()))
        };
        let (normalizer, pre_tokenizer): (Option<NormalizerWrapper>, PreTokenizerWrapper) =
            match self {
                Class::Verbatim => return Ok(()),
                Class::Llama => {
                    let scheme = match (add_prefix_space.unwrap_or(true), legacy) {
                        (false, _) => PrependScheme::Never,
                        (true, true) => PrependScheme::Always,
                        (true, false) => PrependScheme::First,
                    };
                    (None, Metaspace::new('▁', scheme, false).into())
                }
                Class::Qwen2 => {
                    let words = split(
                        SplitPattern::Regex(QWEN2_WORDS.to_owned()),
                        SplitDelimiterBehavior::Isolated,
                    )?;
                    let bytes = ByteLevel::new(add_prefix_space.unwrap_or(false), true, false);
                    (
                        Some(NFC.into()),
                        Sequence::new(vec![words.into(), bytes.into()]).into(),
                    )
                }
                Class::Gemma => {
                    let replace =
                        Replace::new(" ", "▁").map_err(|error| refuse(error.to_string()))?;
                    let words = split(
                        SplitPattern::String(" ".to_owned()),
                        SplitDelimiterBehavior::MergedWithPrevious,
                    )?;
                    (Some(replace.into()), words.into())
                }
                Class::Gpt2 => (
                    None,
                    ByteLevel::new(add_prefix_space.unwrap_or(false), true, true).into(),
                ),
            };
        tokenizer
            .with_normalizer(normalizer)
            .map_err(|error| refuse(error.to_string()))?;
        tokenizer.with_pre_tokenizer(Some(pre_tokenizer));
        Ok(())
    }
}

const QWEN2_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_type_decides_where_the_config_is_known_to_be_wrong() {
        assert_eq!(
            Class::of(Some("LlamaTokenizerFast"), Some("llama")),
            Class::Llama
        );
        assert_eq!(Class::of(Some("LlamaTokenizer"), None), Class::Llama);
        assert_eq!(
            Class::of(Some("LlamaTokenizer"), Some("mistral")),
            Class::Verbatim
        );
        assert_eq!(
            Class::of(Some("LlamaTokenizerFast"), Some("qwen2")),
            Class::Qwen2
        );
        assert_eq!(
            Class::of(Some("PreTrainedTokenizerFast"), Some("llama")),
            Class::Verbatim
        );
        assert_eq!(Class::of(None, Some("qwen3")), Class::Verbatim);
    }
}
