//! What `tokenizer_config.json` and `special_tokens_map.json` say.

use super::class::Class;
use super::{TokenizerError, TruncationSide};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use tokenizers::AddedToken;

const CONFIG: &str = "tokenizer_config.json";
const SPECIAL_MAP: &str = "special_tokens_map.json";

pub(super) struct Config {
    /// `*_token` entries by key.
    pub(super) named: BTreeMap<String, AddedToken>,
    /// In the order of the file.
    extra: Vec<AddedToken>,
    /// By id.
    added: Vec<AddedToken>,
    pub(super) class: Class,
    pub(super) legacy: bool,
    pub(super) add_prefix_space: Option<bool>,
    pub(super) model_max_length: Option<u64>,
    pub(super) truncation_side: TruncationSide,
    pub(super) split_special_tokens: bool,
    template: Option<Value>,
}

impl Config {
    pub(super) fn read(
        config: Option<&[u8]>,
        special_map: Option<&[u8]>,
        model_type: Option<&str>,
    ) -> Result<Self, TokenizerError> {
        let mut map = match config {
            Some(bytes) => object(CONFIG, bytes)?,
            None => Map::new(),
        };
        let class = Class::of(
            map.get("tokenizer_class").and_then(Value::as_str),
            model_type,
        );
        class.fill_special_tokens(&mut map);
        let mut added = Vec::new();
        match map.get("added_tokens_decoder") {
            Some(Value::Object(tokens)) => {
                let mut by_id = BTreeMap::new();
                for (id, token) in tokens {
                    let id: u32 = id
                        .parse()
                        .map_err(|_| refuse(CONFIG, "added_tokens_decoder", "an id", id))?;
                    by_id.insert(
                        id,
                        added_token(CONFIG, "added_tokens_decoder", token, false)?,
                    );
                }
                added.extend(by_id.into_values().flatten());
            }
            Some(other) => return Err(refuse(CONFIG, "added_tokens_decoder", "an object", other)),
            // Without added tokens in the config, transformers lets the older file override the config.
            None => {
                if let Some(bytes) = special_map {
                    map.extend(object(SPECIAL_MAP, bytes)?);
                }
            }
        }
        let mut named = BTreeMap::new();
        for (key, value) in map
            .iter()
            .filter(|(key, _)| key.ends_with("_token") && !key.starts_with("add_"))
        {
            if matches!(value, Value::String(_) | Value::Object(_))
                && let Some(token) = added_token(CONFIG, key, value, true)?
            {
                named.insert(key.clone(), token);
            }
        }
        let mut extra = Vec::new();
        match map
            .get("extra_special_tokens")
            .or_else(|| map.get("additional_special_tokens"))
        {
            Some(Value::Array(tokens)) => {
                for token in tokens {
                    extra.extend(added_token(CONFIG, "extra_special_tokens", token, true)?);
                }
            }
            Some(Value::Object(tokens)) => {
                for (key, token) in tokens {
                    if let Some(token) = added_token(CONFIG, "extra_special_tokens", token, true)? {
                        named.insert(key.clone(), token);
                    }
                }
            }
            _ => {}
        }
        let flag = |key: &str| map.get(key).and_then(Value::as_bool);
        Ok(Self {
            named,
            extra,
            added,
            class,
            legacy: flag("legacy").unwrap_or(false),
            add_prefix_space: flag("add_prefix_space"),
            model_max_length: map.get("model_max_length").and_then(Value::as_u64),
            truncation_side: match map.get("truncation_side").and_then(Value::as_str) {
                Some("left") => TruncationSide::Left,
                _ => TruncationSide::Right,
            },
            split_special_tokens: flag("split_special_tokens").unwrap_or(false),
            template: map.get("chat_template").filter(|t| !t.is_null()).cloned(),
        })
    }

    /// Tokens that the vocabulary lacks, or has with other flags, in the order transformers adds them.
    pub(super) fn tokens_to_add(&self, present: &HashMap<u32, AddedToken>) -> Vec<AddedToken> {
        let mut add: Vec<AddedToken> = self
            .added
            .iter()
            .filter(|token| !present.values().any(|p| same(p, token)))
            .cloned()
            .collect();
        let is_named = |content: &str| self.named.values().any(|token| token.content == content);
        let mut known: Vec<String> = present
            .values()
            .chain(&add)
            .map(|token| token.content.clone())
            .collect();
        const ORDER: [&str; 7] = [
            "bos_token",
            "eos_token",
            "unk_token",
            "sep_token",
            "pad_token",
            "cls_token",
            "mask_token",
        ];
        let standard = ORDER.iter().filter_map(|key| self.named.get(*key));
        let others = self
            .named
            .iter()
            .filter(|(key, _)| !ORDER.contains(&key.as_str()))
            .map(|(_, token)| token);
        for token in standard.chain(others).chain(&self.extra) {
            if !known.contains(&token.content) {
                known.push(token.content.clone());
                add.push(token.clone());
            }
        }
        for token in &mut add {
            token.special |= is_named(&token.content);
        }
        add
    }
}

fn same(a: &AddedToken, b: &AddedToken) -> bool {
    let key = |t: &AddedToken| {
        (
            t.content.clone(),
            t.lstrip,
            t.rstrip,
            t.normalized,
            t.single_word,
            t.special,
        )
    };
    key(a) == key(b)
}

fn object(file: &'static str, bytes: &[u8]) -> Result<Map<String, Value>, TokenizerError> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(TokenizerError::File {
            file,
            message: "expected an object".to_owned(),
        }),
        Err(error) => Err(TokenizerError::File {
            file,
            message: error.to_string(),
        }),
    }
}

fn refuse(
    file: &'static str,
    key: &str,
    expected: &str,
    found: impl std::fmt::Display,
) -> TokenizerError {
    TokenizerError::File {
        file,
        message: format!("{key}: expected {expected}, found {found}"),
    }
}

/// A token given as text or as an object with flags; null is none.
fn added_token(
    file: &'static str,
    key: &str,
    value: &Value,
    special: bool,
) -> Result<Option<AddedToken>, TokenizerError> {
    match value {
        Value::Null => Ok(None),
        Value::String(content) => Ok(Some(AddedToken::from(content.clone(), special))),
        Value::Object(map) => {
            let Some(content) = map.get("content").and_then(Value::as_str) else {
                return Err(refuse(file, key, "a token with content", value));
            };
            let flag = |name: &str, default: bool| {
                map.get(name).and_then(Value::as_bool).unwrap_or(default)
            };
            let special = special || flag("special", false);
            Ok(Some(AddedToken {
                content: content.to_owned(),
                single_word: flag("single_word", false),
                lstrip: flag("lstrip", false),
                rstrip: flag("rstrip", false),
                normalized: flag("normalized", !special),
                special,
            }))
        }
        other => Err(refuse(file, key, "a token", other)),
    }
}

/// The template: the file, else the config's, of several the one called default.
pub(super) fn chat_template_of(
    config: &Config,
    file: Option<&[u8]>,
) -> Result<Option<String>, TokenizerError> {
    if let Some(bytes) = file {
        return match std::str::from_utf8(bytes) {
            // Python opens the file in text mode, which reads every line end as \n.
            Ok(text) => Ok(Some(text.replace("\r\n", "\n").replace('\r', "\n"))),
            Err(error) => Err(TokenizerError::File {
                file: "chat_template.jinja",
                message: format!("not UTF-8 from byte {}", error.valid_up_to()),
            }),
        };
    }
    match &config.template {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Array(named)) => Ok(named
            .iter()
            .find(|t| t.get("name").and_then(Value::as_str) == Some("default"))
            .and_then(|t| t.get("template"))
            .and_then(Value::as_str)
            .map(str::to_owned)),
        Some(Value::Object(named)) => Ok(named
            .get("default")
            .and_then(Value::as_str)
            .map(str::to_owned)),
        Some(other) => Err(refuse(
            CONFIG,
            "chat_template",
            "text, or a list of named templates",
            other,
        )),
    }
}
