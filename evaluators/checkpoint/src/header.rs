//! Safetensors headers: length limits, unique names, byte ranges that tile the file exactly.
//!
//! Works on header bytes and the file's length alone. Stricter than the format's reference reader: a name twice is an error
//! (JSON parsers silently keep one of them), the length cap is lower, and the number of tensors is bounded.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::{Dtype, Owner};

/// Longest header that is read. The largest published models need about 10 MB.
pub const HEADER_BYTES_MAX: u64 = 32 << 20;
/// Most tensors in one file.
pub const TENSORS_MAX: usize = 1 << 17;
/// Longest tensor name in bytes.
pub const NAME_BYTES_MAX: usize = 512;
/// Most dimensions of one tensor.
pub const RANK_MAX: usize = 8;
/// Bytes before the header: its length as a little-endian u64.
pub const PREFIX_BYTES: u64 = 8;

/// One tensor as its header declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderEntry {
    /// Name as stored.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// Dimensions; empty for a scalar.
    pub shape: Vec<usize>,
    /// First byte, counted from the start of the file.
    pub begin: u64,
    /// One past the last byte, counted from the start of the file.
    pub end: u64,
}

/// Why a safetensors header is refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ParseHeaderError {
    #[error(
        "the file is {file_bytes} bytes long; a safetensors file has at least 10\nhelp: the file is cut off or empty: upload it again"
    )]
    TooShort { file_bytes: u64 },
    #[error(
        "the header says that it is {declared} bytes long, the limit is {HEADER_BYTES_MAX}\nhelp: is this a safetensors file?"
    )]
    TooLong { declared: u64 },
    #[error(
        "the header says that it is {declared} bytes long, but the file has {file_bytes} in all\nhelp: the file is cut off: upload it again"
    )]
    PastEnd { declared: u64, file_bytes: u64 },
    #[error("the header is not a JSON object of tensors: {reason}")]
    Json { reason: String },
    #[error(
        "tensor {name:?} lies at bytes {begin}..{end}, the one before it ends at {expected}: ranges must neither overlap nor leave a gap"
    )]
    NotContiguous {
        name: String,
        begin: u64,
        end: u64,
        expected: u64,
    },
    #[error("tensor {name:?} is {dtype} {shape:?}, which does not fit the address space")]
    Overflow {
        name: String,
        dtype: Dtype,
        shape: Vec<usize>,
    },
    #[error("tensor {name:?} is {dtype} {shape:?}: {expected} bytes, but its range holds {found}")]
    SizeMismatch {
        name: String,
        dtype: Dtype,
        shape: Vec<usize>,
        expected: u64,
        found: u64,
    },
    #[error(
        "the tensors end at byte {tensors_end}, but the file is {file_bytes} bytes long\nhelp: the file is cut off or has bytes behind its tensors: upload it again"
    )]
    FileLength { tensors_end: u64, file_bytes: u64 },
}

impl ParseHeaderError {
    /// Always the submission: a header is what its author wrote.
    pub fn owner(&self) -> Owner {
        Owner::Submission
    }
}

/// Length of the JSON header, from the first eight bytes and the file's length.
///
/// # Errors
/// `TooShort`, `TooLong`, `PastEnd`.
pub fn header_len(prefix: [u8; 8], file_bytes: u64) -> Result<u64, ParseHeaderError> {
    if file_bytes < PREFIX_BYTES + 2 {
        return Err(ParseHeaderError::TooShort { file_bytes });
    }
    let declared = u64::from_le_bytes(prefix);
    if declared > HEADER_BYTES_MAX {
        return Err(ParseHeaderError::TooLong { declared });
    }
    if declared > file_bytes - PREFIX_BYTES {
        return Err(ParseHeaderError::PastEnd {
            declared,
            file_bytes,
        });
    }
    Ok(declared)
}

/// Tensors of a header, ordered by their place in the file.
///
/// * `json`: the header without its length prefix
/// * `file_bytes`: length of the whole file
///
/// # Errors
/// Anything that is not exactly a safetensors header of such a file.
pub fn parse_header(json: &[u8], file_bytes: u64) -> Result<Vec<HeaderEntry>, ParseHeaderError> {
    let mut de = serde_json::Deserializer::from_slice(json);
    let raw = HeaderSeed.deserialize(&mut de).map_err(json_error)?;
    de.end().map_err(json_error)?;
    let data_begin = PREFIX_BYTES + json.len() as u64;
    let mut entries = raw;
    // An empty tensor may share its start with its neighbour: it has to come first.
    entries.sort_by_key(|e| (e.begin, e.end));
    let mut expected = 0u64;
    let mut out = Vec::with_capacity(entries.len());
    for RawEntry {
        name,
        dtype,
        shape,
        begin,
        end,
    } in entries
    {
        if begin != expected || end < begin {
            return Err(ParseHeaderError::NotContiguous {
                name,
                begin,
                end,
                expected,
            });
        }
        let Some(bytes) = size_bytes(dtype, &shape) else {
            return Err(ParseHeaderError::Overflow { name, dtype, shape });
        };
        if bytes != end - begin {
            return Err(ParseHeaderError::SizeMismatch {
                name,
                dtype,
                shape,
                expected: bytes,
                found: end - begin,
            });
        }
        expected = end;
        let (Some(begin), Some(end)) = (begin.checked_add(data_begin), end.checked_add(data_begin))
        else {
            return Err(ParseHeaderError::Overflow { name, dtype, shape });
        };
        out.push(HeaderEntry {
            name,
            dtype,
            shape,
            begin,
            end,
        });
    }
    let tensors_end = data_begin.saturating_add(expected);
    if tensors_end != file_bytes {
        return Err(ParseHeaderError::FileLength {
            tensors_end,
            file_bytes,
        });
    }
    Ok(out)
}

/// Bytes of a tensor, or `None` where that overflows or does not fill whole bytes.
fn size_bytes(dtype: Dtype, shape: &[usize]) -> Option<u64> {
    // Checked without regard to zeros, so that [2^40, 2^40, 0] is refused too: its strides overflow.
    shape
        .iter()
        .filter(|d| **d != 0)
        .try_fold(1usize, |n, d| n.checked_mul(*d))?
        .checked_mul(dtype.bits())?;
    let elements = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d))?;
    let bits = elements.checked_mul(dtype.bits())?;
    (bits % 8 == 0).then_some((bits / 8) as u64)
}

struct RawEntry {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    begin: u64,
    end: u64,
}

struct HeaderSeed;

impl<'de> DeserializeSeed<'de> for HeaderSeed {
    type Value = Vec<RawEntry>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HeaderSeed {
    type Value = Vec<RawEntry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        use serde::de::Error;
        let mut seen = HashSet::new();
        let mut out = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format_args!(
                    "the name {name:?} appears twice"
                )));
            }
            if name == "__metadata__" {
                map.next_value::<Metadata>()?;
                continue;
            }
            if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control)
            {
                return Err(A::Error::custom(format_args!(
                    "a tensor name is empty, longer than {NAME_BYTES_MAX} bytes, or has control characters"
                )));
            }
            if out.len() == TENSORS_MAX {
                return Err(A::Error::custom(format_args!(
                    "more than {TENSORS_MAX} tensors"
                )));
            }
            let StoredEntry {
                dtype,
                shape,
                begin,
                end,
            } = map.next_value()?;
            out.push(RawEntry {
                name,
                dtype,
                shape,
                begin,
                end,
            });
        }
        Ok(out)
    }
}

/// Free text of the file's author: strings to strings, read and dropped.
struct Metadata;

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Metadata;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }
            fn visit_unit<E>(self) -> Result<Metadata, E> {
                Ok(Metadata)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                while map.next_entry::<String, String>()?.is_some() {}
                Ok(Metadata)
            }
        }
        d.deserialize_any(V)
    }
}

struct StoredEntry {
    dtype: Dtype,
    shape: Vec<usize>,
    begin: u64,
    end: u64,
}

impl<'de> Deserialize<'de> for StoredEntry {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = StoredEntry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with dtype, shape and data_offsets")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StoredEntry, A::Error> {
                use serde::de::Error;
                let (mut dtype, mut shape, mut offsets) = (None, None, None);
                while let Some(key) = map.next_key::<String>()? {
                    let twice = match key.as_str() {
                        "dtype" => {
                            let name = map.next_value::<String>()?;
                            let Some(known) = Dtype::from_name(&name) else {
                                return Err(A::Error::custom(format_args!(
                                    "unknown dtype {:?}",
                                    clip(&name)
                                )));
                            };
                            dtype.replace(known).is_some()
                        }
                        "shape" => shape.replace(map.next_value::<Shape>()?.0).is_some(),
                        "data_offsets" => {
                            offsets.replace(map.next_value::<(u64, u64)>()?).is_some()
                        }
                        other => {
                            map.next_value::<IgnoredAny>()?;
                            return Err(A::Error::custom(format_args!(
                                "unknown field {:?} of a tensor",
                                clip(other)
                            )));
                        }
                    };
                    if twice {
                        return Err(A::Error::custom(format_args!(
                            "field {key} of a tensor appears twice"
                        )));
                    }
                }
                let (begin, end) =
                    offsets.ok_or_else(|| A::Error::missing_field("data_offsets"))?;
                Ok(StoredEntry {
                    dtype: dtype.ok_or_else(|| A::Error::missing_field("dtype"))?,
                    shape: shape.ok_or_else(|| A::Error::missing_field("shape"))?,
                    begin,
                    end,
                })
            }
        }
        d.deserialize_map(V)
    }
}

struct Shape(Vec<usize>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Shape;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {RANK_MAX} dimensions")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                use serde::de::Error;
                let mut dims = Vec::new();
                while let Some(dim) = seq.next_element::<usize>()? {
                    if dims.len() == RANK_MAX {
                        return Err(A::Error::custom(format_args!(
                            "more than {RANK_MAX} dimensions"
                        )));
                    }
                    dims.push(dim);
                }
                Ok(Shape(dims))
            }
        }
        d.deserialize_seq(V)
    }
}

fn json_error(error: serde_json::Error) -> ParseHeaderError {
    ParseHeaderError::Json {
        reason: json_reason(&error),
    }
}

/// What a JSON parser says, cut short: it repeats what it found, which may be megabytes.
pub(crate) fn json_reason(error: &serde_json::Error) -> String {
    error.to_string().chars().take(300).collect()
}

/// The start of a hostile string, for a message.
fn clip(text: &str) -> &str {
    match text.char_indices().nth(64) {
        Some((at, _)) => &text[..at],
        None => text,
    }
}

#[cfg(test)]
mod tests;
