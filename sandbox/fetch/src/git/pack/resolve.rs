//! Deltas to objects. Each one is made when its base is known; of bases at most one is in memory, and only if it is small.

use std::collections::HashMap;

use super::super::error::PackError;
use super::super::id::{Algorithm, Hasher, Kind, ObjectId};
use super::content::Content;
use super::delta::{Follower, Target};
use super::index::{Base, Index};
use super::inflate::Inflater;
use super::{Located, Place};

/// Longest base that is held in memory.
const BASE_BYTES_MAX: u64 = 16 << 20;

/// Makes all objects of the index that are deltas, into `content`.
pub(super) fn resolve(
    index: &mut Index,
    algorithm: Algorithm,
    inflater: &mut Inflater,
    content: &mut Content,
) -> Result<(), PackError> {
    let mut children: HashMap<Base, Vec<usize>> = HashMap::new();
    for (at, delta) in index.deltas.iter().enumerate() {
        children.entry(delta.base).or_default().push(at);
    }
    let known = children.keys().filter_map(|base| match base {
        Base::Object(id) if index.objects.contains_key(id) => Some((*id, None)),
        _ => None,
    });
    let mut ready: Vec<(ObjectId, Option<usize>)> = known.collect();
    while let Some((id, made_by)) = ready.pop() {
        let mut waiting = children.remove(&Base::Object(id)).unwrap_or_default();
        let by_place = made_by.and_then(|at| children.remove(&Base::Delta(at)));
        waiting.extend(by_place.unwrap_or_default());
        if waiting.is_empty() {
            continue;
        }
        let base = load(index, &id, inflater, content)?;
        for at in waiting {
            let (id, located) = make(index, at, &base, algorithm, inflater, content)?;
            index.objects.entry(id).or_insert(located);
            ready.push((id, Some(at)));
        }
    }
    match children.values().flatten().min() {
        None => Ok(()),
        Some(at) => Err(PackError::Malformed {
            offset: index.deltas[*at].offset,
            reason: "a delta's base is not in the pack",
        }),
    }
}

/// A base, where copies come from.
struct Loaded {
    kind: Kind,
    size: u64,
    bytes: BaseBytes,
}

enum BaseBytes {
    Memory(Vec<u8>),
    Content(u64),
}

fn load(
    index: &mut Index,
    id: &ObjectId,
    inflater: &mut Inflater,
    content: &mut Content,
) -> Result<Loaded, PackError> {
    let Located { kind, size, place } = index.objects[id];
    let is_small = size <= BASE_BYTES_MAX;
    let bytes = match place {
        Place::Packed(offset) => {
            index.source.seek(offset);
            if is_small {
                let mut bytes = Vec::with_capacity(size as usize);
                inflater.inflate(&mut index.source, size, &mut |part| {
                    bytes.extend_from_slice(part);
                    Ok(())
                })?;
                BaseBytes::Memory(bytes)
            } else {
                let begin = content.end();
                inflater.inflate(&mut index.source, size, &mut |part| content.add(part))?;
                BaseBytes::Content(begin)
            }
        }
        Place::Plain(offset) if is_small => BaseBytes::Memory(content.read(offset, size as usize)?),
        Place::Plain(offset) => BaseBytes::Content(offset),
    };
    Ok(Loaded { kind, size, bytes })
}

fn make(
    index: &mut Index,
    at: usize,
    base: &Loaded,
    algorithm: Algorithm,
    inflater: &mut Inflater,
    content: &mut Content,
) -> Result<(ObjectId, Located), PackError> {
    let delta = &index.deltas[at];
    let begin = content.end();
    let mut making = Making {
        base,
        hasher: Hasher::checked(algorithm, base.kind, delta.result),
        content,
    };
    let mut follower = Follower::new(delta.offset, base.size, delta.result);
    index.source.seek(delta.offset);
    inflater.inflate(&mut index.source, delta.size, &mut |part| {
        follower.push(part, &mut making)
    })?;
    follower.finish()?;
    let id = making.hasher.finish().map_err(|_| PackError::Collision {
        offset: delta.offset,
    })?;
    let located = Located {
        kind: base.kind,
        size: delta.result,
        place: Place::Plain(begin),
    };
    Ok((id, located))
}

/// An object that is being made.
struct Making<'a> {
    base: &'a Loaded,
    hasher: Hasher,
    content: &'a mut Content,
}

impl Target for Making<'_> {
    fn copy(&mut self, offset: u64, len: u64) -> Result<(), PackError> {
        match &self.base.bytes {
            BaseBytes::Memory(bytes) => {
                // It is within the base, which fits into memory.
                let part = &bytes[offset as usize..(offset + len) as usize];
                self.hasher.add(part);
                self.content.add(part)
            }
            BaseBytes::Content(begin) => {
                let hasher = &mut self.hasher;
                let seen = &mut |part: &[u8]| hasher.add(part);
                self.content.repeat(begin + offset, len, seen)
            }
        }
    }

    fn insert(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.hasher.add(bytes);
        self.content.add(bytes)
    }
}
