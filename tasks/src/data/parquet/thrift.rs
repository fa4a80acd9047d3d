//! Walks a structure in Thrift's compact encoding without building it.
//!
//! The decoder behind it trusts what it reads: it skips an unknown list of booleans as if they took no bytes, however
//! many are claimed, and reads a known field by its number whatever type is written. So a list may claim no more
//! elements than bytes are left, none may be of booleans (Parquet's metadata has no such list), and a known field has
//! to have its type: then both readers see the same structure.

/// Levels of nesting; those of Parquet's own structures are about ten.
const DEPTH_MAX: usize = 32;

const TRUE: u8 = 1;
const FALSE: u8 = 2;

/// Fields of a structure by number. Numbers that are not listed are skipped.
pub(super) type Fields = &'static [(i16, Kind)];

/// What a known field has to be.
#[derive(Debug)]
pub(super) enum Kind {
    Bool,
    Byte,
    I16,
    I32,
    I64,
    Double,
    Binary,
    List(&'static Kind),
    Struct(Fields),
    /// A 32-bit number that the watcher wants.
    Number(Note),
    /// Text whose length the watcher wants.
    Text(Note),
    /// A list whose length the watcher wants.
    Counted(Note, &'static Kind),
    /// A structure whose end the watcher wants to know of.
    Watched(Fields),
}

/// Which number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    SchemaLen,
    NameLen,
    NumChildren,
    PageType,
    UncompressedSize,
    CompressedSize,
    NumValues,
}

/// Hears of noted numbers on the way.
pub(super) trait Watch {
    fn number(&mut self, note: Note, value: u64);
    /// A watched structure is complete.
    fn end(&mut self) -> Result<(), String>;
}

impl Kind {
    fn fits(&self, wire: u8) -> bool {
        match self {
            Kind::Bool => wire == TRUE || wire == FALSE,
            Kind::Byte => wire == 3,
            Kind::I16 => wire == 4,
            Kind::I32 | Kind::Number(_) => wire == 5,
            Kind::I64 => wire == 6,
            Kind::Double => wire == 7,
            Kind::Binary | Kind::Text(_) => wire == 8,
            Kind::List(_) | Kind::Counted(..) => wire == 9,
            Kind::Struct(_) | Kind::Watched(_) => wire == 12,
        }
    }
}

/// Bytes of the structure that `bytes` begins with.
pub(super) fn walk(bytes: &[u8], fields: Fields, watch: &mut dyn Watch) -> Result<usize, String> {
    let mut walker = Walker { rest: bytes, watch };
    walker
        .structure(fields, 0)
        .map(|()| bytes.len() - walker.rest.len())
        .map_err(|message| format!("byte {}: {message}", bytes.len() - walker.rest.len()))
}

struct Walker<'a> {
    rest: &'a [u8],
    watch: &'a mut dyn Watch,
}

impl Walker<'_> {
    fn skip_bytes(&mut self, count: u64) -> Result<(), String> {
        let rest = usize::try_from(count).ok().and_then(|n| self.rest.get(n..));
        self.rest = rest
            .ok_or_else(|| format!("{count} bytes are claimed and {} are left", self.rest.len()))?;
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, String> {
        let (first, rest) = self.rest.split_first().ok_or("it ends in the middle")?;
        self.rest = rest;
        Ok(*first)
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number of more than ten bytes".to_owned())
    }

    fn zigzag(&mut self) -> Result<i64, String> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn structure(&mut self, fields: Fields, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        let mut id = 0i16;
        loop {
            let head = self.byte()?;
            let wire = head & 0x0f;
            if wire == 0 {
                return Ok(());
            }
            let next = match head >> 4 {
                0 => i16::try_from(self.zigzag()?).ok(),
                delta => id.checked_add(i16::from(delta)),
            };
            id = next.ok_or("a field number that is out of range")?;
            match fields.iter().find(|(known, _)| *known == id) {
                Some((_, kind)) if kind.fits(wire) => self.value(kind, wire, depth + 1)?,
                Some(_) => return Err(format!("field {id} is of another type")),
                None => self.skip(wire, depth + 1)?,
            }
        }
    }

    fn value(&mut self, kind: &Kind, wire: u8, depth: usize) -> Result<(), String> {
        match kind {
            Kind::Struct(fields) => self.structure(fields, depth),
            Kind::Watched(fields) => {
                self.structure(fields, depth)?;
                self.watch.end()
            }
            Kind::Number(note) => {
                let value = self.zigzag()?;
                if !(0..=i64::from(i32::MAX)).contains(&value) {
                    return Err(format!("{note:?} is {value}"));
                }
                self.watch.number(*note, value.unsigned_abs());
                Ok(())
            }
            Kind::Text(note) => {
                let len = self.varint()?;
                self.watch.number(*note, len);
                self.skip_bytes(len)
            }
            Kind::List(of) => self.list(Some(of), depth).map(drop),
            Kind::Counted(note, of) => {
                let mut ahead = Walker {
                    rest: self.rest,
                    watch: &mut *self.watch,
                };
                let (_, count) = ahead.list_head()?;
                self.watch.number(*note, count);
                self.list(Some(of), depth)
            }
            _ => self.skip(wire, depth),
        }
    }

    fn skip(&mut self, wire: u8, depth: usize) -> Result<(), String> {
        match wire {
            TRUE | FALSE => Ok(()),
            3 => self.skip_bytes(1),
            4..=6 => self.varint().map(drop),
            7 => self.skip_bytes(8),
            8 => {
                let len = self.varint()?;
                self.skip_bytes(len)
            }
            9 | 10 => self.list(None, depth),
            11 => self.map(depth),
            12 => self.structure(&[], depth),
            13 => self.skip_bytes(16),
            _ => Err(format!("unknown type {wire}")),
        }
    }

    /// Type and number of a list's elements. Some writers give an empty list no type.
    fn list_head(&mut self) -> Result<(u8, u64), String> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        self.claim(count, &[head & 0x0f])?;
        Ok((head & 0x0f, count))
    }

    fn list(&mut self, of: Option<&Kind>, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        let (wire, count) = self.list_head()?;
        if let Some(of) = of
            && count > 0
            && !of.fits(wire)
        {
            return Err("a list is of another type".to_owned());
        }
        for _ in 0..count {
            match of {
                Some(kind) => self.value(kind, wire, depth + 1)?,
                None => self.skip(wire, depth + 1)?,
            }
        }
        Ok(())
    }

    fn map(&mut self, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        let count = self.varint()?;
        if count == 0 {
            return Ok(());
        }
        let types = self.byte()?;
        let (key, value) = (types >> 4, types & 0x0f);
        self.claim(count, &[key, value])?;
        for _ in 0..count {
            self.skip(key, depth + 1)?;
            self.skip(value, depth + 1)?;
        }
        Ok(())
    }

    fn claim(&self, count: u64, types: &[u8]) -> Result<(), String> {
        let left = self.rest.len();
        if count > left as u64 {
            return Err(format!(
                "a list of {count} elements where {left} bytes are left"
            ));
        }
        if count > 0 && types.iter().any(|wire| [TRUE, FALSE].contains(wire)) {
            return Err("a list of booleans, which Parquet's metadata has nowhere".to_owned());
        }
        Ok(())
    }
}
