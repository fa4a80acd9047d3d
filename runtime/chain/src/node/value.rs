//! SCALE bytes to values, by the types of a runtime's metadata.
//!
//! For answers whose types grow with the chain: what is wanted is picked by name, the rest is kept or skipped. Bytes and types are hostile, so
//! depth, number of values and lengths are bounded.

use super::metadata::Runtime;
use gradus_owner::Owner;
use parity_scale_codec::{Compact, Decode};
use scale_info::{PortableRegistry, TypeDef, TypeDefPrimitive, form::PortableForm};
use serde::Serialize;

/// How deep values may be nested.
const DEPTH_MAX: usize = 64;
/// How many values one answer may have: a metagraph of 4,096 neurons has 200,000.
const VALUES_MAX: usize = 2_000_000;

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

/// Bytes that are not what the metadata say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Too few, or bytes that no value has.
    #[error(
        "byte {offset} of {size_bytes} is no {expected}: the node's answer is broken, ask another node"
    )]
    Malformed {
        /// Where.
        offset: usize,
        /// Of how many.
        size_bytes: usize,
        /// What was read.
        expected: &'static str,
    },
    /// Something follows.
    #[error(
        "{left} of {size_bytes} bytes are left over: the node's answer is broken, ask another node"
    )]
    Trailing {
        /// Bytes left.
        left: usize,
        /// Of how many.
        size_bytes: usize,
    },
    /// Too deep, or too many.
    #[error(
        "the answer has values more than {DEPTH_MAX} deep, or more than {VALUES_MAX}: ask another node"
    )]
    Bounds,
    /// A type that metadata lack.
    #[error("type {type_id} is not in the node's metadata: ask another node")]
    Type {
        /// Its number.
        type_id: u32,
    },
}

impl DecodeError {
    /// Whose fault: the host's, whose node answered.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
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

impl Runtime {
    /// One value of a type, which has to be all of `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode_value(&self, type_id: u32, bytes: &[u8]) -> Result<Value, DecodeError> {
        let mut reader = Reader::new(self.types(), bytes);
        let value = reader.value(type_id)?;
        reader.finish()?;
        Ok(value)
    }
}

/// Reads values from bytes, one after the other.
pub(super) struct Reader<'a> {
    types: &'a PortableRegistry,
    rest: &'a [u8],
    size_bytes: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(types: &'a PortableRegistry, bytes: &'a [u8]) -> Self {
        Self {
            types,
            rest: bytes,
            size_bytes: bytes.len(),
            values: 0,
        }
    }

    /// Refuses bytes that are left.
    pub(super) fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(DecodeError::Trailing {
            left: self.rest.len(),
            size_bytes: self.size_bytes,
        })
    }

    pub(super) fn malformed(&self, expected: &'static str) -> DecodeError {
        DecodeError::Malformed {
            offset: self.size_bytes - self.rest.len(),
            size_bytes: self.size_bytes,
            expected,
        }
    }

    /// What SCALE has for a plain type.
    pub(super) fn plain<T: Decode>(&mut self, expected: &'static str) -> Result<T, DecodeError> {
        T::decode(&mut self.rest).map_err(|_| self.malformed(expected))
    }

    /// The length of a sequence.
    pub(super) fn length(&mut self) -> Result<usize, DecodeError> {
        let Compact(length) = self.plain::<Compact<u32>>("length")?;
        Ok(length as usize)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        if length > self.rest.len() {
            return Err(self.malformed("sequence of that length"));
        }
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(taken)
    }

    /// The next value.
    pub(super) fn value(&mut self, type_id: u32) -> Result<Value, DecodeError> {
        self.nested(type_id, 0)
    }

    fn nested(&mut self, type_id: u32, depth: usize) -> Result<Value, DecodeError> {
        self.values += 1;
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return Err(DecodeError::Bounds);
        }
        let types = self.types;
        let found = types
            .resolve(type_id)
            .ok_or(DecodeError::Type { type_id })?;
        match &found.type_def {
            TypeDef::Composite(composite) => self.fields(&composite.fields, depth),
            TypeDef::Variant(variants) => {
                let index: u8 = self.plain("variant")?;
                let variant = variants
                    .variants
                    .iter()
                    .find(|variant| variant.index == index)
                    .ok_or_else(|| self.malformed("variant of that index"))?;
                let value = self.fields(&variant.fields, depth)?;
                let variant = variant.name.clone();
                Ok(Value::Variant(Box::new(Variant { variant, value })))
            }
            TypeDef::Sequence(sequence) => {
                let length = self.length()?;
                self.sequence(sequence.type_param.id, length, depth)
            }
            TypeDef::Array(array) => self.sequence(array.type_param.id, array.len as usize, depth),
            TypeDef::Tuple(tuple) => {
                let values = tuple
                    .fields
                    .iter()
                    .map(|field| self.nested(field.id, depth + 1))
                    .collect::<Result<_, _>>()?;
                Ok(Value::List(values))
            }
            TypeDef::Primitive(primitive) => self.primitive(primitive),
            TypeDef::Compact(compact) => {
                // A compact of nothing is nothing; every other is an integer, whatever wraps it.
                if self.is_unit(compact.type_param.id, depth) {
                    return Ok(Value::List(Vec::new()));
                }
                let Compact(number) = self.plain::<Compact<u128>>("compact integer")?;
                Ok(Value::Unsigned(number))
            }
            TypeDef::BitSequence(_) => {
                let bits = self.length()?;
                Ok(Value::Bytes(self.take(bits.div_ceil(8))?.to_vec()))
            }
        }
    }

    fn fields(
        &mut self,
        fields: &'a [scale_info::Field<PortableForm>],
        depth: usize,
    ) -> Result<Value, DecodeError> {
        if !fields.is_empty() && fields.iter().all(|field| field.name.is_some()) {
            let mut named = Vec::with_capacity(fields.len());
            for field in fields {
                let name = field.name.clone().expect("all have one");
                named.push((name, self.nested(field.ty.id, depth + 1)?));
            }
            return Ok(Value::Fields(Fields(named)));
        }
        let values = fields
            .iter()
            .map(|field| self.nested(field.ty.id, depth + 1))
            .collect::<Result<_, _>>()?;
        Ok(Value::List(values))
    }

    fn sequence(
        &mut self,
        type_id: u32,
        length: usize,
        depth: usize,
    ) -> Result<Value, DecodeError> {
        let element = self.types.resolve(type_id).map(|found| &found.type_def);
        if let Some(TypeDef::Primitive(TypeDefPrimitive::U8)) = element {
            return Ok(Value::Bytes(self.take(length)?.to_vec()));
        }
        // Not reserved: the length is the node's word.
        let mut values = Vec::new();
        for _ in 0..length {
            values.push(self.nested(type_id, depth + 1)?);
        }
        Ok(Value::List(values))
    }

    fn is_unit(&self, type_id: u32, depth: usize) -> bool {
        match self.types.resolve(type_id).map(|found| &found.type_def) {
            Some(TypeDef::Tuple(tuple)) => tuple.fields.is_empty(),
            Some(TypeDef::Composite(composite)) => match composite.fields.as_slice() {
                [] => true,
                [field] => depth < DEPTH_MAX && self.is_unit(field.ty.id, depth + 1),
                _ => false,
            },
            _ => false,
        }
    }

    fn primitive(&mut self, primitive: &TypeDefPrimitive) -> Result<Value, DecodeError> {
        use TypeDefPrimitive as P;
        Ok(match primitive {
            P::Bool => Value::Bool(self.plain("boolean")?),
            P::Char => Value::Unsigned(self.plain::<u32>("character")?.into()),
            P::Str => Value::Text(self.text()?),
            P::U8 => Value::Unsigned(self.plain::<u8>("u8")?.into()),
            P::U16 => Value::Unsigned(self.plain::<u16>("u16")?.into()),
            P::U32 => Value::Unsigned(self.plain::<u32>("u32")?.into()),
            P::U64 => Value::Unsigned(self.plain::<u64>("u64")?.into()),
            P::U128 => Value::Unsigned(self.plain("u128")?),
            P::I8 => Value::Signed(self.plain::<i8>("i8")?.into()),
            P::I16 => Value::Signed(self.plain::<i16>("i16")?.into()),
            P::I32 => Value::Signed(self.plain::<i32>("i32")?.into()),
            P::I64 => Value::Signed(self.plain::<i64>("i64")?.into()),
            P::I128 => Value::Signed(self.plain("i128")?),
            P::U256 | P::I256 => Value::Bytes(self.take(32)?.to_vec()),
        })
    }

    fn text(&mut self) -> Result<String, DecodeError> {
        let length = self.length()?;
        let bytes = self.take(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| self.malformed("text"))
    }
}
