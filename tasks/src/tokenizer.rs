//! Text to token ids, exactly as `transformers` does it with the same files.
//!
//! The tokenizer is always the base model's, never a candidate's. `tokenizer.json` decides almost everything, but
//! for a few classes (`class.rs`). Around it, as transformers 5 does: truncation and padding that are stored in it are off; special tokens come from
//! `tokenizer_config.json` (or `special_tokens_map.json`, if the config lists no added tokens) and are added if the
//! vocabulary lacks them; `add_bos_token` and `add_eos_token` are ignored, because the post-processor in
//! `tokenizer.json` already says what is added.

mod class;
mod config;

use crate::Owner;
use config::{Config, chat_template_of};
use std::collections::BTreeMap;
use tokenizers::Tokenizer;

/// The files that make a tokenizer.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenizerFiles<'a> {
    /// `tokenizer.json`
    pub tokenizer_json: &'a [u8],
    /// `tokenizer_config.json`
    pub tokenizer_config: Option<&'a [u8]>,
    /// `special_tokens_map.json`
    pub special_tokens_map: Option<&'a [u8]>,
    /// `chat_template.jinja`; wins over a template inside the config.
    pub chat_template_jinja: Option<&'a [u8]>,
    /// `model_type` of the model's `config.json`, which for some models overrules the config's tokenizer class.
    pub model_type: Option<&'a str>,
}

/// Which end of a text that is too long is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruncationSide {
    /// The beginning.
    Left,
    /// The end.
    Right,
}

/// A tokenizer with its special tokens and its chat template.
#[derive(Debug, Clone)]
pub struct TextTokenizer {
    inner: Tokenizer,
    special_tokens: BTreeMap<String, String>,
    bos_id: Option<u32>,
    eos_id: Option<u32>,
    model_max_length: Option<u64>,
    truncation_side: TruncationSide,
    chat_template: Option<String>,
    added_before: usize,
    added_after: usize,
}

/// Why a tokenizer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// A file does not fit.
    #[error("{file}: {message}")]
    File {
        /// Which file.
        file: &'static str,
        /// What does not fit.
        message: String,
    },
    /// Encoding failed.
    #[error("tokenizer failed on a text of {chars} characters: {message}")]
    Encode {
        /// The text's length.
        chars: usize,
        /// What the tokenizer said.
        message: String,
    },
}

impl TokenizerError {
    /// Whose fault: the tokenizer is the base model's, which the task names.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// Ids and, for each, the span of characters that it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Start of each token, characters (not bytes).
    pub starts: Vec<usize>,
    /// End of each token, exclusive.
    pub ends: Vec<usize>,
}

impl TextTokenizer {
    /// Builds a tokenizer from its files' bytes.
    ///
    /// # Errors
    /// `File` names the file and what does not fit in it.
    pub fn from_bytes(files: TokenizerFiles<'_>) -> Result<Self, TokenizerError> {
        let refuse = |message: String| TokenizerError::File {
            file: "tokenizer.json",
            message,
        };
        let mut inner = Tokenizer::from_bytes(files.tokenizer_json)
            .map_err(|error| refuse(error.to_string()))?;
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| refuse(error.to_string()))?;
        let config = Config::read(
            files.tokenizer_config,
            files.special_tokens_map,
            files.model_type,
        )?;
        config
            .class
            .rebuild(&mut inner, config.legacy, config.add_prefix_space)?;
        let missing = config.tokens_to_add(&inner.get_added_tokens_decoder().into_iter().collect());
        inner
            .add_tokens(missing)
            .map_err(|error| refuse(error.to_string()))?;
        inner.set_encode_special_tokens(config.split_special_tokens);
        let id = |key: &str| {
            config
                .named
                .get(key)
                .and_then(|token| inner.token_to_id(&token.content))
        };
        let (bos_id, eos_id) = (id("bos_token"), id("eos_token"));
        let mut special_tokens: BTreeMap<String, String> = config
            .named
            .iter()
            .map(|(key, token)| (key.clone(), token.content.clone()))
            .collect();
        if let (false, Some(eos)) = (
            special_tokens.contains_key("pad_token"),
            special_tokens.get("eos_token"),
        ) {
            special_tokens.insert("pad_token".to_owned(), eos.clone());
        }
        let probe = inner
            .encode("a", true)
            .map_err(|error| refuse(error.to_string()))?;
        let mask = probe.get_special_tokens_mask();
        let added_before = mask.iter().take_while(|m| **m == 1).count();
        let added_after = mask.iter().filter(|m| **m == 1).count() - added_before;
        Ok(Self {
            special_tokens,
            bos_id,
            eos_id,
            model_max_length: config.model_max_length,
            truncation_side: config.truncation_side,
            chat_template: chat_template_of(&config, files.chat_template_jinja)?,
            added_before,
            added_after,
            inner,
        })
    }

    /// Ids of a text, with or without what the post-processor adds (BOS, for most).
    ///
    /// # Errors
    /// `Encode`: a tokenizer whose vocabulary has no way to spell the text.
    pub fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>, TokenizerError> {
        self.inner
            .encode_fast(text, add_special_tokens)
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|error| TokenizerError::Encode {
                chars: text.chars().count(),
                message: error.to_string(),
            })
    }

    /// Ids and character spans of a text, nothing added.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`].
    pub fn encode_spans(&self, text: &str) -> Result<Spans, TokenizerError> {
        let encoding = self
            .inner
            .encode_char_offsets(text, false)
            .map_err(|error| TokenizerError::Encode {
                chars: text.chars().count(),
                message: error.to_string(),
            })?;
        let (starts, ends) = encoding.get_offsets().iter().copied().unzip();
        Ok(Spans {
            ids: encoding.get_ids().to_vec(),
            starts,
            ends,
        })
    }

    /// What [`TextTokenizer::encode`] with special tokens becomes when it may have `max_length` ids: the text is
    /// cut, what the post-processor adds is kept.
    pub fn truncate(&self, ids: &[u32], max_length: usize) -> Vec<u32> {
        if ids.len() <= max_length {
            return ids.to_vec();
        }
        let text = &ids[self.added_before..ids.len() - self.added_after];
        let room = max_length.saturating_sub(self.added_before + self.added_after);
        let kept = match self.truncation_side {
            TruncationSide::Right => &text[..room.min(text.len())],
            TruncationSide::Left => &text[text.len() - room.min(text.len())..],
        };
        [
            &ids[..self.added_before],
            kept,
            &ids[ids.len() - self.added_after..],
        ]
        .concat()
    }

    /// Id of the BOS token.
    pub fn bos_id(&self) -> Option<u32> {
        self.bos_id
    }

    /// Id of the EOS token.
    pub fn eos_id(&self) -> Option<u32> {
        self.eos_id
    }

    /// Text of the EOS token.
    pub fn eos_token(&self) -> Option<&str> {
        self.special_tokens.get("eos_token").map(String::as_str)
    }

    /// `model_max_length`, if it is an integer.
    pub fn model_max_length(&self) -> Option<u64> {
        self.model_max_length
    }

    /// Named special tokens, as chat templates see them.
    pub fn special_tokens(&self) -> &BTreeMap<String, String> {
        &self.special_tokens
    }

    /// Source of the tokenizer's own chat template.
    pub fn chat_template(&self) -> Option<&str> {
        self.chat_template.as_deref()
    }

    /// Number of entries, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }
}
