//! Bytes of the tokenizer files beside a checkpoint. What they mean is for others to say.

use std::path::Path;

use crate::source::{ReadFileError, SourceDir};

/// Longest `tokenizer.json`; vocabularies of 262,144 entries take about 33 MB.
pub const TOKENIZER_BYTES_MAX: u64 = 128 << 20;
/// Longest of the other files.
pub const SIDE_FILE_BYTES_MAX: u64 = 16 << 20;

/// Tokenizer files of a directory, each whole and within its size cap, or absent.
#[derive(Clone, Debug, Default)]
pub struct TokenizerFiles {
    /// `tokenizer.json`
    pub tokenizer: Option<Vec<u8>>,
    /// `tokenizer_config.json`
    pub tokenizer_config: Option<Vec<u8>>,
    /// `special_tokens_map.json`
    pub special_tokens_map: Option<Vec<u8>>,
    /// `added_tokens.json`
    pub added_tokens: Option<Vec<u8>>,
    /// `chat_template.jinja`
    pub chat_template_jinja: Option<Vec<u8>>,
    /// `chat_template.json`
    pub chat_template_json: Option<Vec<u8>>,
    /// `generation_config.json`
    pub generation_config: Option<Vec<u8>>,
}

impl TokenizerFiles {
    /// # Errors
    /// For a file that is there and cannot be had; a file that is absent is `None`.
    pub fn read(dir: &Path) -> Result<TokenizerFiles, ReadFileError> {
        let dir = SourceDir::open(dir)?;
        let read = |name: &str, limit| {
            if dir.has(name) {
                dir.read(name, limit).map(Some)
            } else {
                Ok(None)
            }
        };
        Ok(TokenizerFiles {
            tokenizer: read("tokenizer.json", TOKENIZER_BYTES_MAX)?,
            tokenizer_config: read("tokenizer_config.json", SIDE_FILE_BYTES_MAX)?,
            special_tokens_map: read("special_tokens_map.json", SIDE_FILE_BYTES_MAX)?,
            added_tokens: read("added_tokens.json", SIDE_FILE_BYTES_MAX)?,
            chat_template_jinja: read("chat_template.jinja", SIDE_FILE_BYTES_MAX)?,
            chat_template_json: read("chat_template.json", SIDE_FILE_BYTES_MAX)?,
            generation_config: read("generation_config.json", SIDE_FILE_BYTES_MAX)?,
        })
    }
}
