//! Checks that families make before a launch, with errors of one form.

use super::buffer::DeviceView;
use super::error::DeviceError;
use super::stream::Grid;
use std::fmt::Display;

/// `found` is `expected`.
pub(crate) fn equal<T: PartialEq + Display>(
    op: &str,
    what: &'static str,
    found: T,
    expected: T,
) -> Result<(), DeviceError> {
    if found == expected {
        return Ok(());
    }
    refused(op, what, found, expected.to_string())
}

/// An argument that does not fit.
pub(crate) fn refused<R>(
    op: &str,
    what: &'static str,
    found: impl Display,
    expected: impl Into<String>,
) -> Result<R, DeviceError> {
    Err(DeviceError::Argument {
        op: op.to_owned(),
        what,
        found: found.to_string(),
        expected: expected.into(),
    })
}

/// The most that a kernel counts in 32 bits, signed ones too: a tile more stays inside.
const NARROW_MAX: u32 = (1 << 31) - (1 << 12);

/// A count that a kernel keeps in 32 bits. Addresses are 64 bits wide everywhere: a row's number times its stride may be more.
pub(crate) fn narrow(op: &str, what: &'static str, count: usize) -> Result<u32, DeviceError> {
    match u32::try_from(count) {
        Ok(narrow) if narrow <= NARROW_MAX => Ok(narrow),
        _ => refused(op, what, count, format!("at most {NARROW_MAX}")),
    }
}

/// A vector that kernels read 16 bytes at a time: `len` values at an address of 16 bytes.
pub(crate) fn vector<T>(
    op: &str,
    what: &'static str,
    view: &DeviceView<'_, T>,
    len: usize,
) -> Result<u64, DeviceError> {
    if view.len() != len {
        let found = format!("{} values", view.len());
        return refused(op, what, found, format!("{len} values"));
    }
    if len > 0 && !view.ptr().is_multiple_of(16) {
        let found = format!("at {:#x}", view.ptr());
        return refused(op, what, found, "at an address of 16 bytes");
    }
    Ok(view.ptr())
}

/// Enough blocks of `threads` for `units` of work, `per_block` each.
pub(crate) fn grid(
    op: &str,
    units: u64,
    per_block: u64,
    threads: u32,
) -> Result<Grid, DeviceError> {
    let blocks = units.div_ceil(per_block);
    if blocks > i32::MAX as u64 {
        return refused(op, "the number of blocks", blocks, "at most 2^31 - 1");
    }
    Ok(Grid {
        blocks: [blocks as u32, 1, 1],
        threads,
        smem_bytes: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_32_bits_do_not_count_is_refused_by_name_and_a_tile_more_stays_inside() {
        assert_eq!(
            narrow("op", "the rows", NARROW_MAX as usize).unwrap(),
            NARROW_MAX
        );
        // Tiles are 256 rows at most, keys 128; kernels add one to a count in `int` before they divide.
        assert!(i32::try_from(NARROW_MAX + 256).is_ok());
        for count in [NARROW_MAX as usize + 1, 1 << 31, 1 << 32, (1 << 32) + 5] {
            let error = narrow("op", "the rows", count).unwrap_err().to_string();
            assert!(
                error.contains("the rows") && error.contains(&count.to_string()),
                "{error}"
            );
        }
        let error = grid("op", 1 << 40, 256, 256).unwrap_err().to_string();
        assert!(
            error.contains("the number of blocks is 4294967296"),
            "{error}"
        );
    }
}
