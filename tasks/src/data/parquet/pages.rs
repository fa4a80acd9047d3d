//! Page headers: what the pages become, before any is decoded.

use super::super::budget::{Budget, ROW_BYTES, VALUE_BYTES};
use super::thrift::{Fields, Kind, Note, Watch, walk};
use ::parquet::basic::Compression;
use ::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// Bytes of all pages together, unpacked.
const UNPACKED_BYTES_MAX: u64 = 8 << 30;
/// What a page counts for beside its bytes, so that their number has a limit too.
const PAGE_BYTES: u64 = 256;
/// Bytes of a page in gzip. Its decoder ignores the size that the page claims, and a byte becomes up to 1,032.
const GZIP_PAGE_BYTES_MAX: u64 = 8 << 20;

const DATA: u64 = 0;
const DICTIONARY: u64 = 2;
const DATA_V2: u64 = 3;

const PAGE_HEADER: Fields = &[
    (1, Kind::Number(Note::PageType)),
    (2, Kind::Number(Note::UncompressedSize)),
    (3, Kind::Number(Note::CompressedSize)),
    (4, Kind::I32),
    (
        5,
        Kind::Struct(&[
            (1, Kind::Number(Note::NumValues)),
            (2, Kind::I32),
            (3, Kind::I32),
            (4, Kind::I32),
        ]),
    ),
    (6, Kind::Struct(&[])),
    (
        7,
        Kind::Struct(&[
            (1, Kind::Number(Note::NumValues)),
            (2, Kind::I32),
            (3, Kind::Bool),
        ]),
    ),
    (
        8,
        Kind::Struct(&[
            (1, Kind::Number(Note::NumValues)),
            (2, Kind::I32),
            (3, Kind::I32),
            (4, Kind::I32),
            (5, Kind::I32),
            (6, Kind::I32),
            (7, Kind::Bool),
        ]),
    ),
];

#[derive(Default)]
struct Page {
    kind: Option<u64>,
    uncompressed: u64,
    compressed: u64,
    num_values: u64,
}

impl Watch for Page {
    fn number(&mut self, note: Note, value: u64) {
        match note {
            Note::PageType => self.kind = Some(value),
            Note::UncompressedSize => self.uncompressed = value,
            Note::CompressedSize => self.compressed = value,
            // A header may carry several, of which its type picks one.
            Note::NumValues => self.num_values = self.num_values.max(value),
            _ => {}
        }
    }

    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Whether the file's pages can be decoded within the limits.
pub(super) fn check(
    file: &[u8],
    metadata: &ParquetMetaData,
    budget: &Budget,
) -> Result<(), String> {
    let mut unpacked = 0u64;
    let mut rows = 0u64;
    for (i, group) in metadata.row_groups().iter().enumerate() {
        let num_rows = u64::try_from(group.num_rows())
            .map_err(|_| format!("row group {}: {} rows", i + 1, group.num_rows()))?;
        rows = rows.saturating_add(num_rows);
        over_budget(budget, rows, ROW_BYTES)?;
        for column in group.columns() {
            unpacked += check_column(file, column, budget, UNPACKED_BYTES_MAX - unpacked).map_err(
                |message| {
                    let path = column.column_path().string();
                    format!("row group {}, column {path}: {message}", i + 1)
                },
            )?;
        }
    }
    Ok(())
}

/// Unpacked bytes of a column's pages.
fn check_column(
    file: &[u8],
    column: &ColumnChunkMetaData,
    budget: &Budget,
    left: u64,
) -> Result<u64, String> {
    let start = column
        .dictionary_page_offset()
        .unwrap_or(column.data_page_offset());
    let len = column.compressed_size();
    let range = usize::try_from(start).ok().zip(usize::try_from(len).ok());
    let mut rest = range
        .and_then(|(start, len)| file.get(start..start.checked_add(len)?))
        .ok_or_else(|| format!("{len} bytes at {start} are not in the file"))?;
    let (mut unpacked, mut values) = (0u64, 0u64);
    while !rest.is_empty() {
        let mut page = Page::default();
        let head = walk(rest, PAGE_HEADER, &mut page)
            .map_err(|message| format!("a page header is broken: {message}"))?;
        rest = usize::try_from(page.compressed)
            .ok()
            .and_then(|len| rest.get(head.checked_add(len)?..))
            .ok_or("a page reaches past its column")?;
        unpacked += PAGE_BYTES + page.uncompressed.max(page.compressed);
        if unpacked > left {
            return Err(format!(
                "pages of more than {UNPACKED_BYTES_MAX} bytes unpacked"
            ));
        }
        if matches!(column.compression(), Compression::GZIP(_))
            && page.compressed > GZIP_PAGE_BYTES_MAX
        {
            return Err(format!(
                "a gzip page of {} bytes, at most {GZIP_PAGE_BYTES_MAX} are accepted",
                page.compressed
            ));
        }
        match page.kind {
            Some(DATA | DATA_V2) => values += page.num_values,
            Some(DICTIONARY) => over_budget(budget, page.num_values, VALUE_BYTES)?,
            _ => return Err("a page that is neither data nor a dictionary".to_owned()),
        }
        over_budget(budget, values, VALUE_BYTES)?;
    }
    Ok(unpacked)
}

fn over_budget(budget: &Budget, count: u64, each: u64) -> Result<(), String> {
    budget
        .covers(count.saturating_mul(each))
        .map_err(|error| error.to_string())
}
