//! SCALE bytes to values, by the types of a runtime's metadata.
//!
//! For answers whose types grow with the chain: what is wanted is picked by name, the rest is kept or skipped. Bytes and types are hostile, so
//! depth, number of values and lengths are bounded.

mod reader;

pub use reader::DecodeError;
pub(super) use reader::Reader;

use serde::Serialize;

/// A decoded value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A boolean.
    Bool(bool),
    /// Any unsigned integer, and a compact one; a character's number.
    Unsigned(u128),
    /// Any signed integer.
    Signed(i128),
    /// UTF-8.
    Text(String),
    /// A sequence or array of bytes, and integers of 256 bits.
    #[serde(serialize_with = "as_hex")]
    Bytes(Vec<u8>),
    /// A sequence, array or tuple; fields without names.
    List(Vec<Value>),
    /// Fields with names, in order.
    Fields(Fields),
    /// One of several, by its name.
    Variant(Box<Variant>),
}

/// Fields by name, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields(pub Vec<(String, Value)>);

/// One of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Variant {
    /// Its name.
    pub variant: String,
    /// What it carries: [`Value::Fields`] or [`Value::List`].
    pub value: Value,
}

fn as_hex<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&crate::hex::encode(bytes))
}

impl Serialize for Fields {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Value {
    /// A field by its name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Fields(fields) => fields
                .0
                .iter()
                .find(|(found, _)| found == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// An unsigned integer; newtypes are transparent.
    pub fn unsigned(&self) -> Option<u128> {
        match self {
            Self::Unsigned(number) => Some(*number),
            other => other.only()?.unsigned(),
        }
    }

    /// A boolean.
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Self::Bool(boolean) => Some(*boolean),
            _ => None,
        }
    }

    /// Bytes; newtypes are transparent.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            other => other.only()?.bytes(),
        }
    }

    /// The values of a sequence or tuple.
    pub fn list(&self) -> Option<&[Value]> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }

    /// A variant's name, and what it carries.
    pub fn variant(&self) -> Option<(&str, &Value)> {
        match self {
            Self::Variant(variant) => Some((&variant.variant, &variant.value)),
            _ => None,
        }
    }

    /// What an option has: `None` if this is no option.
    pub fn option(&self) -> Option<Option<&Value>> {
        match self.variant()? {
            ("None", _) => Some(None),
            ("Some", value) => Some(value.only()),
            _ => None,
        }
    }

    /// The value of a list or of fields that has exactly one.
    fn only(&self) -> Option<&Value> {
        match self {
            Self::List(values) if values.len() == 1 => values.first(),
            Self::Fields(fields) if fields.0.len() == 1 => Some(&fields.0[0].1),
            _ => None,
        }
    }
}
