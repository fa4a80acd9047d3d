//! Lists that are refused while they are read: too long, or with a name twice.

use crate::tournament::limits;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

struct Rows;

impl<'de> Visitor<'de> for Rows {
    type Value = Vec<Option<f64>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {} losses", limits::ROWS)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = list.next_element()? {
            if rows.len() == limits::ROWS {
                return Err(A::Error::invalid_length(rows.len() + 1, &self));
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

pub(super) fn rows<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Option<f64>>, D::Error> {
    from.deserialize_seq(Rows)
}

struct EachOnce;

impl<'de> Visitor<'de> for EachOnce {
    type Value = BTreeMap<String, f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number for each name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, f64>()? {
            match all.entry(name) {
                Entry::Vacant(new) => new.insert(value),
                Entry::Occupied(old) => {
                    let twice = format!("{:?} is there twice", limits::shortened(old.key()));
                    return Err(A::Error::custom(twice));
                }
            };
        }
        Ok(all)
    }
}

pub(super) fn each_once<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, f64>, D::Error> {
    from.deserialize_map(EachOnce)
}
