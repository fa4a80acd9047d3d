//! The footer: what its decoder may be given.

use super::thrift::{Fields, Kind, Note, Watch, walk};

/// Bytes of a footer.
const FOOTER_BYTES_MAX: usize = 16 << 20;
/// Levels of the schema: a level of a row's nesting takes up to three.
const SCHEMA_DEPTH_MAX: usize = 100;
/// Leaf columns. Each has buffers of its own while rows are read.
const COLUMNS_MAX: usize = 4096;
/// Bytes of all columns' full names.
const PATH_BYTES_MAX: u64 = 64 << 20;
const MAGIC: &[u8] = b"PAR1";

const UNIT: Kind = Kind::Struct(&[]);
const TIME: Kind = Kind::Struct(&[
    (1, Kind::Bool),
    (2, Kind::Struct(&[(1, UNIT), (2, UNIT), (3, UNIT)])),
]);
const LOGICAL_TYPE: Kind = Kind::Struct(&[
    (1, UNIT),
    (2, UNIT),
    (3, UNIT),
    (4, UNIT),
    (5, Kind::Struct(&[(1, Kind::I32), (2, Kind::I32)])),
    (6, UNIT),
    (7, TIME),
    (8, TIME),
    (10, Kind::Struct(&[(1, Kind::Byte), (2, Kind::Bool)])),
    (11, UNIT),
    (12, UNIT),
    (13, UNIT),
    (14, UNIT),
    (15, UNIT),
    (16, Kind::Struct(&[(1, Kind::Byte)])),
    (17, Kind::Struct(&[(1, Kind::Binary)])),
    (18, Kind::Struct(&[(1, Kind::Binary), (2, Kind::I32)])),
    (19, UNIT),
]);
const SCHEMA_ELEMENT: Kind = Kind::Watched(&[
    (1, Kind::I32),
    (2, Kind::I32),
    (3, Kind::I32),
    (4, Kind::Text(Note::NameLen)),
    (5, Kind::Number(Note::NumChildren)),
    (6, Kind::I32),
    (7, Kind::I32),
    (8, Kind::I32),
    (9, Kind::I32),
    (10, LOGICAL_TYPE),
]);
const KEY_VALUES: Kind = Kind::List(&Kind::Struct(&[(1, Kind::Binary), (2, Kind::Binary)]));
const STATISTICS: Kind = Kind::Struct(&[
    (1, Kind::Binary),
    (2, Kind::Binary),
    (3, Kind::I64),
    (4, Kind::I64),
    (5, Kind::Binary),
    (6, Kind::Binary),
    (7, Kind::Bool),
    (8, Kind::Bool),
    (9, Kind::I64),
]);
const SIZE_STATISTICS: Kind = Kind::Struct(&[
    (1, Kind::I64),
    (2, Kind::List(&Kind::I64)),
    (3, Kind::List(&Kind::I64)),
]);
const GEOSPATIAL_STATISTICS: Kind = Kind::Struct(&[
    (
        1,
        Kind::Struct(&[
            (1, Kind::Double),
            (2, Kind::Double),
            (3, Kind::Double),
            (4, Kind::Double),
            (5, Kind::Double),
            (6, Kind::Double),
            (7, Kind::Double),
            (8, Kind::Double),
        ]),
    ),
    (2, Kind::List(&Kind::I32)),
]);
const COLUMN_METADATA: Kind = Kind::Struct(&[
    (1, Kind::I32),
    (2, Kind::List(&Kind::I32)),
    (3, Kind::List(&Kind::Binary)),
    (4, Kind::I32),
    (5, Kind::I64),
    (6, Kind::I64),
    (7, Kind::I64),
    (8, KEY_VALUES),
    (9, Kind::I64),
    (10, Kind::I64),
    (11, Kind::I64),
    (12, STATISTICS),
    (
        13,
        Kind::List(&Kind::Struct(&[
            (1, Kind::I32),
            (2, Kind::I32),
            (3, Kind::I32),
        ])),
    ),
    (14, Kind::I64),
    (15, Kind::I32),
    (16, SIZE_STATISTICS),
    (17, GEOSPATIAL_STATISTICS),
]);
const COLUMN_CHUNK: Kind = Kind::Struct(&[
    (1, Kind::Binary),
    (2, Kind::I64),
    (3, COLUMN_METADATA),
    (4, Kind::I64),
    (5, Kind::I32),
    (6, Kind::I64),
    (7, Kind::I32),
]);
const ROW_GROUP: Kind = Kind::Struct(&[
    (1, Kind::List(&COLUMN_CHUNK)),
    (2, Kind::I64),
    (3, Kind::I64),
    (
        4,
        Kind::List(&Kind::Struct(&[
            (1, Kind::I32),
            (2, Kind::Bool),
            (3, Kind::Bool),
        ])),
    ),
    (5, Kind::I64),
    (6, Kind::I64),
    (7, Kind::I16),
]);
const FILE_METADATA: Fields = &[
    (1, Kind::I32),
    (2, Kind::Counted(Note::SchemaLen, &SCHEMA_ELEMENT)),
    (3, Kind::I64),
    (4, Kind::List(&ROW_GROUP)),
    (5, KEY_VALUES),
    (6, Kind::Binary),
    (
        7,
        Kind::List(&Kind::Struct(&[(1, UNIT), (2, UNIT), (3, UNIT)])),
    ),
];

/// Whether the footer of a file can be decoded in bounded time and memory.
pub(super) fn check(file: &[u8]) -> Result<(), String> {
    let rest = file
        .strip_suffix(MAGIC)
        .ok_or("not a Parquet file: it does not end with PAR1")?;
    let (rest, len) = rest
        .split_last_chunk()
        .ok_or("not a Parquet file: too short")?;
    let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
    if len > FOOTER_BYTES_MAX {
        return Err(format!(
            "its footer has {len} bytes, at most {FOOTER_BYTES_MAX} are accepted"
        ));
    }
    let start = rest
        .len()
        .checked_sub(len)
        .ok_or_else(|| format!("its footer claims {len} bytes and {} are there", rest.len()))?;
    walk(&rest[start..], FILE_METADATA, &mut Schema::default())
        .map(drop)
        .map_err(|message| format!("its footer is broken: {message}"))
}

/// The schema's shape: a tree, written in depth-first order as counts of children.
#[derive(Default)]
struct Schema {
    len: u64,
    name_len: u64,
    num_children: u64,
    /// Children promised so far.
    promised: u64,
    num_columns: usize,
    path_bytes: u64,
    /// Of each open group: children still to come, and the length of its full name.
    open: Vec<(u64, u64)>,
}

impl Watch for Schema {
    fn number(&mut self, note: Note, value: u64) {
        match note {
            Note::SchemaLen => {
                *self = Self {
                    len: value,
                    ..Self::default()
                };
            }
            Note::NameLen => self.name_len = value,
            Note::NumChildren => self.num_children = value,
            _ => {}
        }
    }

    fn end(&mut self) -> Result<(), String> {
        let (name_len, num_children) = (self.name_len, self.num_children);
        (self.name_len, self.num_children) = (0, 0);
        while self.open.last().is_some_and(|(left, _)| *left == 0) {
            self.open.pop();
        }
        let mut path = name_len;
        if let Some((left, parent)) = self.open.last_mut() {
            *left -= 1;
            path += *parent;
        }
        self.promised += num_children;
        if self.promised >= self.len.max(1) {
            return Err(format!(
                "a schema of {} elements promises {} below its root",
                self.len, self.promised
            ));
        }
        if num_children > 0 {
            self.open.push((num_children, path));
        } else {
            self.num_columns += 1;
            self.path_bytes += path;
        }
        if self.open.len() > SCHEMA_DEPTH_MAX {
            return Err(format!("a schema deeper than {SCHEMA_DEPTH_MAX} levels"));
        }
        if self.num_columns > COLUMNS_MAX {
            return Err(format!("more than {COLUMNS_MAX} columns"));
        }
        if self.path_bytes > PATH_BYTES_MAX {
            return Err(format!("column names of more than {PATH_BYTES_MAX} bytes"));
        }
        Ok(())
    }
}
