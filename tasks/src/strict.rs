//! Files read as they are written: a struct is an object with its names, a word is a string.
//!
//! serde's derives take more: a struct's fields from an array by position, a variant without fields from an object. Two
//! fields of one type are then exchanged without a word. So what was read is written again, as its [`shape`] alone, and the
//! text is walked beside it: a list where an object is written, or an object where a word is, is refused.
//!
//! | module | is about |
//! |---|---|
//! | `shape` | what of a value is a list, an object, a word |
//! | `walk` | a text beside a shape |
//!
//! A wrapper around the deserializer would not do: it does not reach below enums with a tag inside, which serde reads from a
//! copy of its own.

mod shape;
mod walk;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer};
use serde::{Deserialize, Serialize};
use serde_path_to_error::Track;
use shape::Shape;
use std::marker::PhantomData;
use walk::Beside;

/// Why a text does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at line {line} column {column}")]
pub struct Misfit {
    /// Where in the document, and what does not fit. Below an enum that has its tag inside, the path ends at the enum.
    pub message: String,
    /// From 1.
    pub line: usize,
    /// From 1; of an object or a list that does not fit as a whole, where that ends.
    pub column: usize,
}

/// Reads JSON.
///
/// # Errors
/// What is no JSON; a missing, unknown, doubled or ill-typed field, by its path; a list in place of an object.
pub fn json<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, Misfit> {
    read(Json(bytes))
}

/// The field `version` of a JSON object, whatever else is in it: a file of another version has other fields.
///
/// # Errors
/// What is no JSON; no such number.
pub fn json_version(bytes: &[u8]) -> Result<u32, Misfit> {
    json_part(bytes).map(|Version { version }| version)
}

/// Of JSON what `T` names, before it is known what else may be there: read all of it with [`json`] afterwards.
///
/// # Errors
/// What is no JSON; a missing, doubled or ill-typed field, by its path.
pub fn json_part<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Misfit> {
    feed(Json(bytes), || PhantomData::<T>)
}

/// Reads TOML.
///
/// # Errors
/// As [`json`].
pub fn toml<T: DeserializeOwned + Serialize>(text: &str) -> Result<T, Misfit> {
    read(Toml(text))
}

/// As [`json_version`], of TOML.
///
/// # Errors
/// What is no TOML; no such number.
pub fn toml_version(text: &str) -> Result<u32, Misfit> {
    feed(Toml(text), || PhantomData::<Version>).map(|Version { version }| version)
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

fn read<'de, T: DeserializeOwned + Serialize>(text: impl Text<'de>) -> Result<T, Misfit> {
    let value = feed(text, || PhantomData::<T>)?;
    let shape = Shape::of(&value).map_err(|error| Misfit {
        message: error.to_string(),
        line: 1,
        column: 1,
    })?;
    feed(text, || Beside(Some(&shape)))?;
    Ok(value)
}

/// Reads once; where that fails, again with an eye on where it is.
fn feed<'de, F: Text<'de>, S: DeserializeSeed<'de>>(
    text: F,
    seed: impl Fn() -> S,
) -> Result<S::Value, Misfit> {
    text.feed(seed()).map_err(|error| {
        let mut track = Track::new();
        let tracked = Tracked {
            seed: seed(),
            track: &mut track,
        };
        let again = text.feed(tracked);
        let mut misfit = text.misfit(error);
        let path = track.path().to_string();
        if again.is_err() && path != "." {
            misfit.message = format!("{path}: {}", misfit.message);
        }
        misfit
    })
}

struct Tracked<'t, S> {
    seed: S,
    track: &'t mut Track,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Tracked<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        let from = serde_path_to_error::Deserializer::new(from, self.track);
        self.seed.deserialize(from)
    }
}

/// A document that can be read more than once.
trait Text<'de>: Copy {
    type Error;

    fn feed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Self::Error>;

    fn misfit(self, error: Self::Error) -> Misfit;
}

#[derive(Clone, Copy)]
struct Json<'de>(&'de [u8]);

impl<'de> Text<'de> for Json<'de> {
    type Error = serde_json::Error;

    fn feed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Self::Error> {
        let mut from = serde_json::Deserializer::from_slice(self.0);
        let value = seed.deserialize(&mut from)?;
        from.end()?;
        Ok(value)
    }

    fn misfit(self, error: Self::Error) -> Misfit {
        let (line, column) = (error.line(), error.column());
        let mut message = error.to_string();
        // The place is said once.
        if message.ends_with(&format!(" at line {line} column {column}")) {
            message.truncate(message.rfind(" at line ").unwrap_or(message.len()));
        }
        Misfit {
            message,
            line,
            column,
        }
    }
}

#[derive(Clone, Copy)]
struct Toml<'de>(&'de str);

impl<'de> Text<'de> for Toml<'de> {
    type Error = ::toml::de::Error;

    fn feed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Self::Error> {
        seed.deserialize(::toml::Deserializer::parse(self.0)?)
    }

    fn misfit(self, error: Self::Error) -> Misfit {
        let until = error.span().map_or(0, |span| span.start);
        let before = &self.0.as_bytes()[..until.min(self.0.len())];
        let line = before.rsplit(|byte| *byte == b'\n').next();
        Misfit {
            // Not its own text, which repeats lines of the file: there may be a token in one.
            message: error.message().trim_end().to_owned(),
            line: before.split(|byte| *byte == b'\n').count(),
            column: line.map_or(0, <[u8]>::len) + 1,
        }
    }
}

#[cfg(test)]
mod tests;
