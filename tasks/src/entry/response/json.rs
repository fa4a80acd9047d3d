//! The four fields, each at most once, and whether there were others.

use super::ResponseError;
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use std::fmt;
use zeroize::Zeroizing;

/// What an object says. `null` is as if the field were not there.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) github_repo: Option<String>,
    pub(super) commit_hash: Option<String>,
    pub(super) github_token: Option<Zeroizing<String>>,
    pub(super) requested_datasets: Option<Vec<String>>,
    pub(super) unknown: bool,
    twice: Option<&'static str>,
}

pub(super) fn read(bytes: &[u8]) -> Result<Fields, ResponseError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    // The error's own text may repeat a value: it stays here.
    let malformed = |error: serde_json::Error| ResponseError::Malformed {
        line: error.line(),
        column: error.column(),
    };
    let fields = json.deserialize_map(Reader).map_err(malformed)?;
    json.end().map_err(malformed)?;
    match fields.twice {
        Some(field) => Err(ResponseError::Field {
            field,
            problem: "given twice",
        }),
        None => Ok(fields),
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        let mut seen: Vec<&'static str> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let known = match key.as_str() {
                "github_repo" => {
                    fields.github_repo = map.next_value()?;
                    "github_repo"
                }
                "commit_hash" => {
                    fields.commit_hash = map.next_value()?;
                    "commit_hash"
                }
                "github_token" => {
                    fields.github_token = map.next_value::<Option<String>>()?.map(Zeroizing::new);
                    "github_token"
                }
                "requested_datasets" => {
                    fields.requested_datasets = map.next_value()?;
                    "requested_datasets"
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    fields.unknown = true;
                    continue;
                }
            };
            if seen.contains(&known) {
                fields.twice = Some(known);
            }
            seen.push(known);
        }
        Ok(fields)
    }
}
