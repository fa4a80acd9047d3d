//! Bytes to values, with bounds on depth, number and length.

use super::{Fields, Value, Variant};
use crate::node::metadata::Runtime;
use gradus_owner::Owner;
use parity_scale_codec::{Compact, Decode};
use scale_info::{PortableRegistry, TypeDef, TypeDefPrimitive, form::PortableForm};

/// How deep values may be nested.
const DEPTH_MAX: usize = 64;
/// How many values one answer may have: a metagraph of 4,096 neurons has 200,000.
const VALUES_MAX: usize = 2_000_000;

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
pub(in crate::node) struct Reader<'a> {
    types: &'a PortableRegistry,
    rest: &'a [u8],
    size_bytes: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    pub(in crate::node) fn new(types: &'a PortableRegistry, bytes: &'a [u8]) -> Self {
        Self {
            types,
            rest: bytes,
            size_bytes: bytes.len(),
            values: 0,
        }
    }

    /// Refuses bytes that are left.
    pub(in crate::node) fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(DecodeError::Trailing {
            left: self.rest.len(),
            size_bytes: self.size_bytes,
        })
    }

    pub(in crate::node) fn malformed(&self, expected: &'static str) -> DecodeError {
        DecodeError::Malformed {
            offset: self.size_bytes - self.rest.len(),
            size_bytes: self.size_bytes,
            expected,
        }
    }

    /// What SCALE has for a plain type.
    pub(in crate::node) fn plain<T: Decode>(
        &mut self,
        expected: &'static str,
    ) -> Result<T, DecodeError> {
        T::decode(&mut self.rest).map_err(|_| self.malformed(expected))
    }

    /// The length of a sequence.
    pub(in crate::node) fn length(&mut self) -> Result<usize, DecodeError> {
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
    pub(in crate::node) fn value(&mut self, type_id: u32) -> Result<Value, DecodeError> {
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
