//! Bytes that files write as hexadecimal with `0x`.

use crate::hex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The most bytes of one field: a signed extrinsic with a vector for 4,096 uids has about 16,500.
const FIELD_BYTES_MAX: usize = 64 * 1024;

/// Any number of bytes up to 64 KiB.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode_up_to(&text, FIELD_BYTES_MAX)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("at most 64 KiB in hexadecimal are expected"))
    }
}
