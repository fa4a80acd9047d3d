//! A text beside the shape of what was read from it.

use super::shape::Shape;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess};
use serde::de::{Unexpected, Visitor};
use std::fmt;

/// What a value is written as; nothing where it is not written at all, as a field that is null and may be absent.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a>(pub(super) Option<&'a Shape>);

impl<'de> DeserializeSeed<'de> for Beside<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        match self.0 {
            // No list and no object is read as a number.
            Some(Shape::Number) => IgnoredAny::deserialize(from).map(|_| ()),
            _ => from.deserialize_any(self),
        }
    }
}

impl Beside<'_> {
    fn plain<E: Error>(self, found: Unexpected<'_>) -> Result<(), E> {
        match self.0 {
            None | Some(Shape::Number | Shape::Word) => Ok(()),
            Some(_) => Err(E::invalid_type(found, &self)),
        }
    }
}

impl<'de> Visitor<'de> for Beside<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "nothing",
            Some(Shape::Number) => "a number",
            Some(Shape::Word) => "a string",
            Some(Shape::Numbers | Shape::Words | Shape::List(_)) => "a list",
            Some(Shape::Object(_)) => "an object with names",
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some(Shape::Object(fields)) = self.0 else {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        };
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(Beside(fields.get(name.as_str())))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        match self.0 {
            Some(Shape::Numbers) => while list.next_element::<IgnoredAny>()?.is_some() {},
            Some(Shape::Words) => {
                while list
                    .next_element_seed(Beside(Some(&Shape::Word)))?
                    .is_some()
                {}
            }
            Some(Shape::List(items)) => {
                let mut items = items.iter();
                while list.next_element_seed(Beside(items.next()))?.is_some() {}
            }
            _ => return Err(A::Error::invalid_type(Unexpected::Seq, &self)),
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.plain(Unexpected::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.plain(Unexpected::Signed(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.plain(Unexpected::Unsigned(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.plain(Unexpected::Float(value))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        // Not the text: there may be a token in it.
        self.plain(Unexpected::Other("string"))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.plain(Unexpected::Unit)
    }
}
