//! What of a value is a list, an object, a word: its text without what it says.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Error, Value};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;

/// What a value is written as. Lists of numbers or words alone, which are what files are long of, have no items of their own.
#[derive(Debug, PartialEq)]
pub(super) enum Shape {
    /// A number, a truth value or null.
    Number,
    /// A string.
    Word,
    /// Numbers alone, or nothing.
    Numbers,
    /// Strings alone.
    Words,
    /// Something else among them.
    List(Vec<Shape>),
    /// By name.
    Object(HashMap<Cow<'static, str>, Shape>),
}

impl Shape {
    pub(super) fn of(value: &impl Serialize) -> Result<Self, Error> {
        value.serialize(Shaper)
    }

    fn under(variant: &'static str, shape: Self) -> Self {
        Self::Object(HashMap::from([(Cow::Borrowed(variant), shape)]))
    }
}

struct Shaper;

/// A list as it grows.
struct List {
    shape: Shape,
    len: usize,
    variant: Option<&'static str>,
}

/// An object as it grows.
struct Object {
    fields: HashMap<Cow<'static, str>, Shape>,
    variant: Option<&'static str>,
    key: Option<String>,
}

impl List {
    fn new(variant: Option<&'static str>) -> Self {
        Self {
            shape: Shape::Numbers,
            len: 0,
            variant,
        }
    }

    fn add(&mut self, item: Shape) {
        match (&mut self.shape, &item) {
            (Shape::Numbers, Shape::Number) | (Shape::Words, Shape::Word) => {}
            (shape @ Shape::Numbers, Shape::Word) if self.len == 0 => *shape = Shape::Words,
            (Shape::List(items), _) => items.push(item),
            (shape, _) => {
                let words = matches!(shape, Shape::Words);
                let same = || if words { Shape::Word } else { Shape::Number };
                let before = std::iter::repeat_with(same).take(self.len);
                *shape = Shape::List(before.chain([item]).collect());
            }
        }
        self.len += 1;
    }

    fn done(self) -> Shape {
        match self.variant {
            Some(variant) => Shape::under(variant, self.shape),
            None => self.shape,
        }
    }
}

impl Object {
    fn new(variant: Option<&'static str>) -> Self {
        Self {
            fields: HashMap::new(),
            variant,
            key: None,
        }
    }

    fn done(self) -> Shape {
        let object = Shape::Object(self.fields);
        match self.variant {
            Some(variant) => Shape::under(variant, object),
            None => object,
        }
    }
}

macro_rules! plain {
    ($($name:ident($of:ty) is $shape:ident),* $(,)?) => {
        $(fn $name(self, _: $of) -> Result<Shape, Error> {
            Ok(Shape::$shape)
        })*
    };
}

impl Serializer for Shaper {
    type Ok = Shape;
    type Error = Error;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Object;
    type SerializeStruct = Object;
    type SerializeStructVariant = Object;

    plain! {
        serialize_bool(bool) is Number, serialize_i8(i8) is Number, serialize_i16(i16) is Number,
        serialize_i32(i32) is Number, serialize_i64(i64) is Number, serialize_u8(u8) is Number,
        serialize_u16(u16) is Number, serialize_u32(u32) is Number, serialize_u64(u64) is Number,
        serialize_f32(f32) is Number, serialize_f64(f64) is Number, serialize_char(char) is Word,
        serialize_str(&str) is Word, serialize_bytes(&[u8]) is Numbers,
        serialize_unit_struct(&'static str) is Number,
    }

    fn collect_str<T: Display + ?Sized>(self, _: &T) -> Result<Shape, Error> {
        Ok(Shape::Word)
    }

    fn serialize_none(self) -> Result<Shape, Error> {
        Ok(Shape::Number)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Shape, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Shape, Error> {
        Ok(Shape::Number)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<Shape, Error> {
        Ok(Shape::Word)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Shape, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Shape, Error> {
        Ok(Shape::under(variant, value.serialize(self)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List, Error> {
        Ok(List::new(None))
    }

    fn serialize_tuple(self, _: usize) -> Result<List, Error> {
        Ok(List::new(None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List, Error> {
        Ok(List::new(None))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List, Error> {
        Ok(List::new(Some(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Object, Error> {
        Ok(Object::new(None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Object, Error> {
        Ok(Object::new(None))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Object, Error> {
        Ok(Object::new(Some(variant)))
    }
}

macro_rules! list {
    ($($of:ident: $add:ident),*) => {
        $(impl $of for List {
            type Ok = Shape;
            type Error = Error;

            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.add(value.serialize(Shaper)?);
                Ok(())
            }

            fn end(self) -> Result<Shape, Error> {
                Ok(self.done())
            }
        })*
    };
}

list!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
);

macro_rules! object {
    ($($of:ident),*) => {
        $(impl $of for Object {
            type Ok = Shape;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                let shape = value.serialize(Shaper)?;
                self.fields.insert(Cow::Borrowed(name), shape);
                Ok(())
            }

            fn end(self) -> Result<Shape, Error> {
                Ok(self.done())
            }
        })*
    };
}

object!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Object {
    type Ok = Shape;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = Some(match serde_json::to_value(key)? {
            Value::String(name) => name,
            other => other.to_string(),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let shape = value.serialize(Shaper)?;
        let key = self.key.take().unwrap_or_default();
        self.fields.insert(Cow::Owned(key), shape);
        Ok(())
    }

    fn end(self) -> Result<Shape, Error> {
        Ok(self.done())
    }
}
