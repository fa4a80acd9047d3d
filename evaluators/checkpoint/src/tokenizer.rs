//! Bytes of the tokenizer files beside a checkpoint. What they mean is for others to say.

use std::path::Path;

use crate::source::{ReadFileError, SourceDir};

/// Longest `tokenizer.json`; vocabularies of 262,144 entries take about 33 MB.
pub const TOKENIZER_BYTES_MAX: u64 = 128 << 20;
/// Longest of the other files.
pub const SIDE_FILE_BYTES_MAX: u64 = 16 << 20;

/// Tokenizer files of a directory, each whole and within its size cap, or absent.
///
/// Others are left alone: chat_template.json, for one, is for processors.
#[derive(Clone, Debug, Default)]
pub struct TokenizerFiles {
    /// `tokenizer.json`
    pub tokenizer: Option<Vec<u8>>,
    /// `tokenizer_config.json`
    pub tokenizer_config: Option<Vec<u8>>,
    /// `special_tokens_map.json`
    pub special_tokens_map: Option<Vec<u8>>,
    /// `chat_template.jinja`
    pub chat_template_jinja: Option<Vec<u8>>,
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
            chat_template_jinja: read("chat_template.jinja", SIDE_FILE_BYTES_MAX)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::write;

    #[test]
    fn a_bad_file_counts_only_if_it_is_used() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        write(dir.path(), &[("tokenizer.json", b"{}")]);
        for unused in [
            "added_tokens.json",
            "chat_template.json",
            "generation_config.json",
        ] {
            symlink("/dev/null", dir.path().join(unused)).expect("a link");
        }
        let files = TokenizerFiles::read(dir.path()).expect("what is used is fine");
        assert_eq!(files.tokenizer.as_deref(), Some(&b"{}"[..]));
        assert!(files.chat_template_jinja.is_none());
        for used in [
            "tokenizer_config.json",
            "special_tokens_map.json",
            "chat_template.jinja",
        ] {
            let path = dir.path().join(used);
            symlink("/dev/null", &path).expect("a link");
            assert!(
                matches!(
                    TokenizerFiles::read(dir.path()),
                    Err(ReadFileError::Escapes { .. })
                ),
                "{used}"
            );
            std::fs::remove_file(&path).expect("removed");
        }
    }
}
