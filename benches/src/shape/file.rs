//! Lists of shapes in files: JSON or TOML.
//!
//! ```toml
//! shapes = [
//!     "linear:512x2048x2048",
//!     { family = "attention", heads = 9, kv_heads = 3, head_dim = 64, lengths = "4*512" },
//!     { family = "kl", rows = 512, vocab = 49152, hidden = 576, shared = true },
//! ]
//! ```

use super::{Shape, ShapeError, family};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a file of shapes cannot be used.
#[derive(Debug, Error)]
pub enum ReadShapesError {
    /// It cannot be read.
    #[error("the shapes in {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is no list of shapes.
    #[error(
        "{} is no list of shapes: {reason}\nhelp: JSON such as {{\"shapes\": [\"linear:512x2048x2048\"]}}, or the same as TOML in a file named *.toml",
        path.display()
    )]
    Form {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// One of them is none.
    #[error("{}, shape {index}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Which, from 1.
        index: usize,
        /// Why.
        #[source]
        source: ShapeError,
    },
    /// There are none.
    #[error("{} lists no shape", .0.display())]
    Empty(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    shapes: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Text(String),
    Table {
        family: String,
        #[serde(flatten)]
        fields: BTreeMap<String, Value>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Number(u64),
    Flag(bool),
    Text(String),
}

/// The shapes that `path` lists.
///
/// # Errors
/// As [`ReadShapesError`] says.
pub fn read_shapes(path: &Path) -> Result<Vec<Shape>, ReadShapesError> {
    let text = std::fs::read_to_string(path).map_err(|source| ReadShapesError::Read {
        path: path.to_owned(),
        source,
    })?;
    let toml = path
        .extension()
        .is_some_and(|extension| extension == "toml");
    let parsed: Result<File, String> = if toml {
        toml::from_str(&text).map_err(|error| error.message().to_owned())
    } else {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    };
    let file = parsed.map_err(|reason| ReadShapesError::Form {
        path: path.to_owned(),
        reason,
    })?;
    if file.shapes.is_empty() {
        return Err(ReadShapesError::Empty(path.to_owned()));
    }
    let shapes = file.shapes.into_iter().enumerate();
    shapes
        .map(|(index, entry)| {
            entry.shape().map_err(|source| ReadShapesError::Shape {
                path: path.to_owned(),
                index: index + 1,
                source,
            })
        })
        .collect()
}

impl Entry {
    fn shape(self) -> Result<Shape, ShapeError> {
        let (name, mut fields) = match self {
            Entry::Text(text) => return text.parse(),
            Entry::Table { family, fields } => (family, fields),
        };
        let Some(family) = family(&name) else {
            return Err(ShapeError::Family { name });
        };
        let text = |value: Value| match value {
            Value::Number(number) => number.to_string(),
            Value::Flag(there) => there.to_string(),
            Value::Text(text) => text,
        };
        let dims: Vec<String> = family
            .dims
            .iter()
            .filter_map(|dim| fields.remove(*dim).map(text))
            .collect();
        let dims: Vec<&str> = dims.iter().map(String::as_str).collect();
        let options: Vec<(String, String)> = fields
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect();
        let options = options
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        Shape::new(family, &dims, options)
    }
}
