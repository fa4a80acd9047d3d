//! Segments on a device: the row of every key, and the blocks' work.

use crate::attention::{Segment, first_overlap};
use crate::device::check::{narrow, refused};
use crate::device::{DeviceBuffer, DeviceError, DeviceParams, Stream};
use core::cmp::Reverse;
use std::sync::{Mutex, PoisonError};

/// A work: neighbouring packed rows of one segment, and one key head, see `attention.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tile {
    query_row: u32,
    position: u32,
    first: u32,
    rows: u32,
    keys: u32,
    kv_head: u32,
}
const _: () = assert!(
    size_of::<Tile>() == 24
        && core::mem::offset_of!(Tile, keys) == 16
        && core::mem::offset_of!(Tile, kv_head) == 20
);
// SAFETY: plain numbers, laid out as the kernels' structure; both sides assert it.
unsafe impl DeviceParams for Tile {}

/// How a kernel cuts segments: `rows` packed rows a work, `group` heads a query and key head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packing {
    pub rows: usize,
    pub group: usize,
    pub kv_heads: usize,
}

/// A segment that has queries.
#[derive(Clone, Copy, Debug)]
struct Span {
    query_row: u32,
    num_queries: u32,
    position: u32,
    keys: u32,
}

/// Segments, uploaded once for all layers of a chunk of rows.
///
/// Per layer shape (heads, key heads) there is a list of works; it is made at its first use.
#[derive(Debug)]
pub struct DeviceSegments {
    rows: usize,
    spans: Vec<Span>,
    key_rows: DeviceBuffer<u32>,
    tiles: Mutex<Vec<(Packing, DeviceBuffer<Tile>)>>,
}

impl DeviceSegments {
    /// Uploads the rows of the segments' keys: 4 bytes per key and segment.
    ///
    /// # Errors
    /// `Argument` if two segments own a row, or rows or keys are past what kernels index; `OutOfMemory`.
    pub fn new(stream: &Stream, segments: &[Segment]) -> Result<Self, DeviceError> {
        let op = format!("attention's {} segments on the device", segments.len());
        let rows = segments
            .iter()
            .flat_map(|s| &s.keys)
            .map(|r| r.end)
            .max()
            .unwrap_or(0);
        narrow(&op, "the number of rows", rows)?;
        if let Some(row) = first_overlap(segments, rows) {
            return refused(
                &op,
                "a query row of two segments",
                row,
                "each row in one segment",
            );
        }
        let asking = || segments.iter().filter(|s| !s.queries().is_empty());
        let num_keys = asking().try_fold(0_usize, |sum, s| sum.checked_add(s.num_keys()));
        let num_keys = num_keys.unwrap_or(usize::MAX);
        narrow(&op, "the number of keys of all segments", num_keys)?;
        let mut key_rows = Vec::with_capacity(num_keys);
        let mut spans = Vec::new();
        for segment in asking() {
            let keys = key_rows.len();
            key_rows.extend(segment.keys.iter().cloned().flatten().map(|row| row as u32));
            let queries = segment.queries();
            spans.push(Span {
                query_row: queries.start as u32,
                num_queries: queries.len() as u32,
                position: (key_rows.len() - keys - queries.len()) as u32,
                keys: keys as u32,
            });
        }
        Ok(Self {
            rows,
            spans,
            key_rows: stream.upload("attention's key rows", &key_rows)?,
            tiles: Mutex::default(),
        })
    }

    /// Rows that the segments reach to.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether there is no query.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Address of the table of key rows.
    pub(super) fn key_rows(&self) -> u64 {
        self.key_rows.view().ptr()
    }

    /// Calls `with` with the address and the number of the works, which are uploaded if they are not there yet.
    pub(super) fn with_tiles(
        &self,
        stream: &Stream,
        packing: Packing,
        with: impl FnOnce(u64, usize) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        let mut lists = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match lists.iter().position(|(of, _)| *of == packing) {
            Some(at) => at,
            None => {
                let tiles = cut(&self.spans, packing)?;
                lists.push((packing, stream.upload("attention's works", &tiles)?));
                lists.len() - 1
            }
        };
        let tiles = &lists[at].1;
        with(tiles.view().ptr(), tiles.len())
    }
}

/// Works of all segments. Those of one segment and key head are neighbours, and so run together and share its keys in the second cache; in
/// them, and among segments, those with most keys come first, so that the last ones to run are short.
fn cut(spans: &[Span], packing: Packing) -> Result<Vec<Tile>, DeviceError> {
    let Packing {
        rows,
        group,
        kv_heads,
    } = packing;
    let op = format!("attention with {group} heads on each of {kv_heads} key heads");
    let mut spans: Vec<&Span> = spans.iter().collect();
    spans.sort_by_key(|span| Reverse(span.position + span.num_queries));
    let mut tiles = Vec::new();
    for span in spans {
        let packed = (span.num_queries as usize).saturating_mul(group);
        let packed = narrow(&op, "queries times heads of a segment", packed)? as usize;
        let works = tiles.len() + packed.div_ceil(rows).saturating_mul(kv_heads);
        if works > i32::MAX as usize {
            return refused(&op, "the number of works", works, "at most 2^31 - 1");
        }
        for kv_head in 0..kv_heads as u32 {
            tiles.extend((0..packed).step_by(rows).rev().map(|first| Tile {
                query_row: span.query_row,
                position: span.position,
                first: first as u32,
                rows: rows.min(packed - first) as u32,
                keys: span.keys,
                kv_head,
            }));
        }
    }
    Ok(tiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn works_cover_every_packed_row_of_every_head_once_and_the_longest_come_first() {
        let spans = [(0, 70, 0, 0), (70, 1, 5, 70), (71, 9, 400, 76)].map(
            |(query_row, num_queries, position, keys)| Span {
                query_row,
                num_queries,
                position,
                keys,
            },
        );
        let packing = Packing {
            rows: 64,
            group: 7,
            kv_heads: 3,
        };
        let tiles = cut(&spans, packing).unwrap();
        for span in spans {
            for kv_head in 0..3 {
                let own = |t: &&Tile| t.keys == span.keys && t.kv_head == kv_head;
                let places: Vec<usize> = (0..tiles.len()).filter(|&i| own(&&tiles[i])).collect();
                assert!(places.is_sorted_by(|a, b| a + 1 == *b), "neighbours");
                let mut end = span.num_queries * 7;
                for tile in tiles.iter().filter(own) {
                    assert_eq!(
                        (tile.first + tile.rows, tile.query_row),
                        (end, span.query_row)
                    );
                    assert!(tile.rows >= 1 && tile.rows <= 64);
                    end = tile.first;
                }
                assert_eq!(end, 0);
            }
        }
        let segments: Vec<u32> = tiles.iter().map(|tile| tile.keys).collect();
        assert!(segments.is_sorted_by_key(|keys| match keys {
            76 => 0,
            0 => 1,
            _ => 2,
        }));
    }

    #[test]
    fn more_packed_rows_than_are_indexed_are_refused() {
        let span = Span {
            query_row: 0,
            num_queries: 1 << 31,
            position: 0,
            keys: 0,
        };
        let packing = Packing {
            rows: 128,
            group: 2,
            kv_heads: 1,
        };
        let error = cut(&[span], packing).unwrap_err().to_string();
        assert!(error.contains("4294967296"), "{error}");
    }
}
