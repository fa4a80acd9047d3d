//! A pack's objects. The pack lies in a file; whatever deltas make lies in another one, so that memory does not grow with objects.
//!
//! | module | is about |
//! |---|---|
//! | `source` | a file's bytes, counted and summed |
//! | `inflate` | one compressed object, of exactly the length that it claims |
//! | `index` | a pass over all objects: where each begins, what it hashes to |
//! | `delta` | instructions on another object's content |
//! | `content` | what deltas made |
//! | `resolve` | deltas to objects, in the order in which their bases are known |

mod content;
mod delta;
mod index;
mod inflate;
mod resolve;
mod source;

use std::collections::HashMap;
use std::fs::File;

use self::content::Content;
use self::inflate::Inflater;
use self::source::Source;
use super::error::PackError;
use super::id::{Algorithm, Kind, ObjectId};

/// How much of everything a pack may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackCaps {
    /// of the pack itself
    pub pack_bytes: u64,
    /// objects
    pub objects: u64,
    /// of one object
    pub object_bytes: u64,
    /// of all objects and deltas, unpacked
    pub unpacked_bytes: u64,
}

impl Default for PackCaps {
    fn default() -> PackCaps {
        PackCaps {
            pack_bytes: 2 << 30,
            objects: 500_000,
            object_bytes: 2 << 30,
            unpacked_bytes: 6 << 30,
        }
    }
}

/// Where an object is.
#[derive(Clone, Copy, Debug)]
struct Located {
    kind: Kind,
    size: u64,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// Compressed, at this offset of the pack.
    Packed(u64),
    /// Plain, at this offset of the other file.
    Plain(u64),
}

/// A pack whose objects were all looked at.
#[derive(Debug)]
pub struct Pack {
    source: Source,
    content: Content,
    inflater: Inflater,
    objects: HashMap<ObjectId, Located>,
}

impl Pack {
    /// Reads all objects of a pack in `file`, deltas included. `scratch` is an empty file for what they make.
    ///
    /// # Errors
    /// As [`PackError`] says.
    pub fn open(
        file: File,
        scratch: File,
        algorithm: Algorithm,
        caps: &PackCaps,
    ) -> Result<Pack, PackError> {
        let mut inflater = Inflater::new();
        let mut index = index::read(file, algorithm, caps, &mut inflater)?;
        let mut content = Content::new(scratch);
        resolve::resolve(&mut index, algorithm, &mut inflater, &mut content)?;
        Ok(Pack {
            source: index.source,
            content,
            inflater,
            objects: index.objects,
        })
    }

    /// Number of different objects.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Ids of all objects, in no order.
    pub fn ids(&self) -> impl Iterator<Item = &ObjectId> {
        self.objects.keys()
    }

    /// What an object is, and how long; `None` if it is not there.
    pub fn find(&self, id: &ObjectId) -> Option<(Kind, u64)> {
        self.objects.get(id).map(|found| (found.kind, found.size))
    }

    /// Gives an object's content to `sink`, in parts; nothing where it is not there.
    ///
    /// # Errors
    /// `Io`, and what `sink` returns.
    pub fn copy(
        &mut self,
        id: &ObjectId,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        match self.objects.get(id) {
            None => Ok(()),
            Some(found) => match found.place {
                Place::Packed(offset) => {
                    self.source.seek(offset);
                    self.inflater.inflate(&mut self.source, found.size, sink)
                }
                Place::Plain(offset) => self.content.copy(offset, found.size, sink),
            },
        }
    }

    /// An object as a whole: the caller has looked at its length.
    ///
    /// # Errors
    /// `Io`.
    pub fn read(&mut self, id: &ObjectId) -> Result<Vec<u8>, PackError> {
        let mut out = Vec::new();
        self.copy(id, &mut |part| {
            out.extend_from_slice(part);
            Ok(())
        })?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
