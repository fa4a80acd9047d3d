//! A pass over all objects of a pack: where each begins, and what it hashes to if it is no delta.

use std::collections::HashMap;
use std::fs::File;

use super::super::error::PackError;
use super::super::id::{Algorithm, Hasher, Kind, ObjectId, Sum};
use super::delta::Head;
use super::inflate::Inflater;
use super::source::Source;
use super::{Located, PackCaps, Place};

/// What the pass found.
pub(super) struct Index {
    pub(super) source: Source,
    pub(super) objects: HashMap<ObjectId, Located>,
    pub(super) deltas: Vec<Delta>,
}

/// An object that is made from another one.
pub(super) struct Delta {
    /// Of its compressed instructions.
    pub(super) offset: u64,
    /// Their length, unpacked.
    pub(super) size: u64,
    /// Length of what they make.
    pub(super) result: u64,
    pub(super) base: Base,
}

/// What a delta is made from.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Base {
    Object(ObjectId),
    /// By its place in [`Index::deltas`].
    Delta(usize),
}

/// What begins at an offset.
#[derive(Clone, Copy)]
enum Begun {
    Object(ObjectId),
    Delta(usize),
}

/// Header: `PACK`, a version, a number of objects.
const HEADER_BYTES: u64 = 12;

pub(super) fn read(
    file: File,
    algorithm: Algorithm,
    caps: &PackCaps,
    inflater: &mut Inflater,
) -> Result<Index, PackError> {
    let size = file
        .metadata()
        .map_err(PackError::io("looking at what was received"))?
        .len();
    if size > caps.pack_bytes {
        return Err(PackError::TooMuch {
            what: "bytes",
            limit: caps.pack_bytes,
        });
    }
    let trailer = algorithm.len() as u64;
    let end = size
        .checked_sub(trailer)
        .filter(|end| *end >= HEADER_BYTES)
        .ok_or(PackError::Malformed {
            offset: size,
            reason: "it is shorter than an empty one",
        })?;
    let mut source = Source::new(file, end, Some(Sum::new(algorithm)));
    let count = header(&mut source)?;
    if u64::from(count) > caps.objects {
        return Err(PackError::TooMuch {
            what: "objects",
            limit: caps.objects,
        });
    }
    let mut reader = Reader {
        algorithm,
        caps,
        unpacked: 0,
        begun: Vec::new(),
        objects: HashMap::new(),
        deltas: Vec::new(),
    };
    for _ in 0..count {
        reader.object(&mut source, inflater)?;
    }
    if source.offset() != end {
        return Err(PackError::Malformed {
            offset: source.offset(),
            reason: "more follows than it says",
        });
    }
    let (found, expected) = source.sums(algorithm.len())?;
    if found != expected {
        return Err(PackError::Malformed {
            offset: end,
            reason: "its checksum is another one",
        });
    }
    Ok(Index {
        source,
        objects: reader.objects,
        deltas: reader.deltas,
    })
}

/// The number of objects.
fn header(source: &mut Source) -> Result<u32, PackError> {
    let mut bytes = [0; HEADER_BYTES as usize];
    for byte in &mut bytes {
        *byte = source.byte()?;
    }
    let [p, a, c, k, version @ .., n0, n1, n2, n3] = bytes;
    if [p, a, c, k] != *b"PACK" || !matches!(version, [0, 0, 0, 2 | 3]) {
        return Err(PackError::Malformed {
            offset: 0,
            reason: "it is no pack of version 2 or 3",
        });
    }
    Ok(u32::from_be_bytes([n0, n1, n2, n3]))
}

struct Reader<'a> {
    algorithm: Algorithm,
    caps: &'a PackCaps,
    unpacked: u64,
    /// By offset, in order.
    begun: Vec<(u64, Begun)>,
    objects: HashMap<ObjectId, Located>,
    deltas: Vec<Delta>,
}

impl Reader<'_> {
    fn object(&mut self, source: &mut Source, inflater: &mut Inflater) -> Result<(), PackError> {
        let begin = source.offset();
        let (kind, size) = object_header(source)?;
        self.count(size)?;
        let malformed = |reason| PackError::Malformed {
            offset: begin,
            reason,
        };
        let begun = match kind {
            1..=4 => {
                let kind = [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag][usize::from(kind) - 1];
                Begun::Object(self.plain(source, inflater, begin, kind, size)?)
            }
            6 => {
                let back = backwards(source)?;
                let base = begin.checked_sub(back).filter(|_| back > 0);
                let base = base.and_then(|base| self.begun_at(base));
                let base =
                    base.ok_or_else(|| malformed("a delta's base is no object before it"))?;
                self.delta(source, inflater, base, size)?
            }
            7 => {
                let mut id = vec![0; self.algorithm.len()];
                for byte in &mut id {
                    *byte = source.byte()?;
                }
                let id =
                    ObjectId::from_bytes(self.algorithm, &id).expect("as long as such ids are");
                self.delta(source, inflater, Base::Object(id), size)?
            }
            _ => return Err(malformed("an object is of no known kind")),
        };
        self.begun.push((begin, begun));
        Ok(())
    }

    fn plain(
        &mut self,
        source: &mut Source,
        inflater: &mut Inflater,
        begin: u64,
        kind: Kind,
        size: u64,
    ) -> Result<ObjectId, PackError> {
        let offset = source.offset();
        let mut hasher = Hasher::checked(self.algorithm, kind, size);
        inflater.inflate(source, size, &mut |part| {
            hasher.add(part);
            Ok(())
        })?;
        let id = hasher
            .finish()
            .map_err(|_| PackError::Collision { offset: begin })?;
        self.objects.entry(id).or_insert(Located {
            kind,
            size,
            place: Place::Packed(offset),
        });
        Ok(id)
    }

    fn delta(
        &mut self,
        source: &mut Source,
        inflater: &mut Inflater,
        base: Base,
        size: u64,
    ) -> Result<Begun, PackError> {
        let offset = source.offset();
        let mut head = Vec::new();
        inflater.inflate(source, size, &mut |part| {
            let missing = Head::BYTES_MAX.saturating_sub(head.len()).min(part.len());
            head.extend_from_slice(&part[..missing]);
            Ok(())
        })?;
        let (head, _) = Head::parse(&head).ok_or(PackError::Malformed {
            offset,
            reason: "a delta does not say how long it is",
        })?;
        self.count(head.result)?;
        self.deltas.push(Delta {
            offset,
            size,
            result: head.result,
            base,
        });
        Ok(Begun::Delta(self.deltas.len() - 1))
    }

    fn begun_at(&self, offset: u64) -> Option<Base> {
        let at = self
            .begun
            .binary_search_by_key(&offset, |(begin, _)| *begin);
        Some(match self.begun[at.ok()?].1 {
            Begun::Object(id) => Base::Object(id),
            Begun::Delta(at) => Base::Delta(at),
        })
    }

    fn count(&mut self, size: u64) -> Result<(), PackError> {
        if size > self.caps.object_bytes {
            return Err(PackError::TooMuch {
                what: "bytes in one object",
                limit: self.caps.object_bytes,
            });
        }
        self.unpacked = self.unpacked.saturating_add(size);
        if self.unpacked > self.caps.unpacked_bytes {
            return Err(PackError::TooMuch {
                what: "bytes, unpacked",
                limit: self.caps.unpacked_bytes,
            });
        }
        Ok(())
    }
}

/// Kind and length.
fn object_header(source: &mut Source) -> Result<(u8, u64), PackError> {
    let offset = source.offset();
    let first = source.byte()?;
    let kind = first >> 4 & 7;
    let mut size = u64::from(first & 15);
    let mut shift = 4;
    let mut byte = first;
    while byte & 0x80 != 0 {
        if shift > 56 {
            return Err(PackError::Malformed {
                offset,
                reason: "an object's length is no number",
            });
        }
        byte = source.byte()?;
        size |= u64::from(byte & 0x7f) << shift;
        shift += 7;
    }
    Ok((kind, size))
}

/// How far before a delta its base is.
fn backwards(source: &mut Source) -> Result<u64, PackError> {
    let offset = source.offset();
    let mut byte = source.byte()?;
    let mut back = u64::from(byte & 0x7f);
    while byte & 0x80 != 0 {
        if back >= 1 << 48 {
            return Err(PackError::Malformed {
                offset,
                reason: "a delta's base is no number",
            });
        }
        byte = source.byte()?;
        back = (back + 1) << 7 | u64::from(byte & 0x7f);
    }
    Ok(back)
}
