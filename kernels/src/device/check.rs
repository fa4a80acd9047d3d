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

/// A count that a kernel keeps in 32 bits; at most 2^31, so that sums of a few more columns stay inside.
pub(crate) fn narrow(op: &str, what: &'static str, count: usize) -> Result<u32, DeviceError> {
    match u32::try_from(count) {
        Ok(narrow) if narrow <= 1 << 31 => Ok(narrow),
        _ => refused(op, what, count, "at most 2^31"),
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
