//! One stored tensor, and its rows as bytes.

use std::ops::Range;
use std::sync::Arc;

use crate::finite::{NonFinite, first_non_finite};
use crate::header::{self, HeaderEntry, ParseHeaderError};
use crate::source::{OpenFile, ReadFileError, SourceFile};
use crate::{Dtype, Owner};

/// A tensor of a checkpoint or adapter: what its header says, checked; its bytes stay in the file.
#[derive(Clone, Debug)]
pub struct TensorInfo {
    /// Name under which the model's definition knows it.
    pub name: String,
    /// Element type as stored.
    pub dtype: Dtype,
    /// Dimensions; empty for a scalar.
    pub shape: Vec<usize>,
    stored_name: String,
    file: Arc<SourceFile>,
    begin: u64,
    end: u64,
}

/// Why rows of a tensor cannot be had.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ReadTensorError {
    #[error(
        "tensor {name} is stored as {dtype}; F32, F16 and BF16 can be evaluated\nhelp: save the model in one of these"
    )]
    Dtype { name: String, dtype: Dtype },
    #[error("rows {begin}..{end} of tensor {name} were asked for, which has {rows}")]
    Rows {
        name: String,
        begin: usize,
        end: usize,
        rows: usize,
    },
    #[error("tensor {name} cannot be read")]
    File {
        name: String,
        #[source]
        source: ReadFileError,
    },
    #[error(transparent)]
    NonFinite(#[from] NonFinite),
}

impl ReadTensorError {
    /// Whose fault it is.
    pub fn owner(&self) -> Owner {
        match self {
            ReadTensorError::Dtype { .. } | ReadTensorError::NonFinite(_) => Owner::Submission,
            ReadTensorError::Rows { .. } => Owner::Bug,
            ReadTensorError::File { source, .. } => source.owner(),
        }
    }
}

impl TensorInfo {
    pub(crate) fn new(entry: HeaderEntry, name: String, file: Arc<SourceFile>) -> TensorInfo {
        let HeaderEntry {
            name: stored_name,
            dtype,
            shape,
            begin,
            end,
        } = entry;
        TensorInfo {
            name,
            dtype,
            shape,
            stored_name,
            file,
            begin,
            end,
        }
    }

    pub(crate) fn renamed(&self, name: &str) -> TensorInfo {
        TensorInfo {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// Name in the file; differs from `name` where a wrapper's prefix was taken off.
    pub fn stored_name(&self) -> &str {
        &self.stored_name
    }

    /// File that holds it.
    pub fn path(&self) -> &std::path::Path {
        self.file.path()
    }

    /// Number of elements; the header check made sure that it does not overflow.
    pub fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes in the file.
    pub fn size_bytes(&self) -> u64 {
        self.end - self.begin
    }

    /// First dimension; 1 for a scalar.
    pub fn num_rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Elements in one row: the product of all dimensions but the first.
    pub fn row_elements(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// Opens the file for many reads.
    ///
    /// # Errors
    /// `Dtype` for what is no parameter type, `File` if the file vanished, changed or fails.
    pub fn reader(&self) -> Result<TensorReader<'_>, ReadTensorError> {
        let Some(element) = self.dtype.param_bytes() else {
            return Err(ReadTensorError::Dtype {
                name: self.name.clone(),
                dtype: self.dtype,
            });
        };
        Ok(TensorReader {
            tensor: self,
            file: self.file.opened().map_err(|source| self.unread(source))?,
            row_bytes: self.row_elements() * element,
        })
    }

    fn unread(&self, source: ReadFileError) -> ReadTensorError {
        ReadTensorError::File {
            name: self.name.clone(),
            source,
        }
    }

    /// Replaces `out` by the bytes of some rows, little-endian, as stored.
    ///
    /// # Errors
    /// `Dtype` for what is no parameter type, `Rows` out of range, `File` if the file vanished, changed or fails.
    pub fn read_rows(&self, rows: Range<usize>, out: &mut Vec<u8>) -> Result<(), ReadTensorError> {
        let reader = self.reader()?;
        reader.check(&rows)?;
        out.clear();
        out.resize(rows.len() * reader.row_bytes, 0);
        reader.read_rows(rows, out)
    }

    /// Replaces `out` by some rows widened to f32. Every value of the three parameter types is exact in f32.
    ///
    /// # Errors
    /// As [`TensorInfo::read_rows`]; `NonFinite` at the first NaN or infinity.
    pub fn read_rows_f32(
        &self,
        rows: Range<usize>,
        bytes: &mut Vec<u8>,
        out: &mut Vec<f32>,
    ) -> Result<(), ReadTensorError> {
        let first_row = rows.start;
        self.read_rows(rows, bytes)?;
        self.check_finite(first_row, bytes)?;
        out.clear();
        match self.dtype {
            Dtype::F32 => out.extend(
                bytes
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            ),
            Dtype::BF16 => {
                out.extend(
                    bytes
                        .chunks_exact(2)
                        .map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()),
                );
            }
            _ => out.extend(
                bytes
                    .chunks_exact(2)
                    .map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()),
            ),
        }
        Ok(())
    }

    /// Refuses NaN and infinities in bytes that were read from this tensor.
    ///
    /// * `first_row`: row that `bytes` starts with
    ///
    /// # Errors
    /// `NonFinite` with the place of the first one.
    pub fn check_finite(&self, first_row: usize, bytes: &[u8]) -> Result<(), ReadTensorError> {
        match first_non_finite(self.dtype, bytes) {
            None => Ok(()),
            Some((idx, value)) => {
                let row_elements = self.row_elements().max(1);
                Err(NonFinite {
                    name: self.name.clone(),
                    row: first_row + idx / row_elements,
                    column: idx % row_elements,
                    value,
                }
                .into())
            }
        }
    }
}

/// A tensor whose file is open. Several threads may read at once.
#[derive(Debug)]
pub struct TensorReader<'a> {
    tensor: &'a TensorInfo,
    file: OpenFile<'a>,
    row_bytes: usize,
}

impl TensorReader<'_> {
    /// Bytes of a row, as stored.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    fn check(&self, rows: &Range<usize>) -> Result<(), ReadTensorError> {
        let all = self.tensor.num_rows();
        if rows.start <= rows.end && rows.end <= all {
            return Ok(());
        }
        Err(ReadTensorError::Rows {
            name: self.tensor.name.clone(),
            begin: rows.start,
            end: rows.end,
            rows: all,
        })
    }

    /// Fills `out`, which is as long as they are, with the bytes of some rows, little-endian, as stored.
    ///
    /// # Errors
    /// `Rows` out of range, `File` if the file changed or fails.
    ///
    /// # Panics
    /// If `out` has another length.
    pub fn read_rows(&self, rows: Range<usize>, out: &mut [u8]) -> Result<(), ReadTensorError> {
        self.check(&rows)?;
        assert_eq!(out.len(), rows.len() * self.row_bytes, "whole rows");
        let begin = self.tensor.begin + (rows.start * self.row_bytes) as u64;
        self.file
            .read_at(begin, out)
            .map_err(|source| self.tensor.unread(source))
    }

    /// As [`TensorReader::read_rows`], and refuses NaN and infinities.
    ///
    /// # Errors
    /// Those, and `NonFinite` with the place of the first one.
    ///
    /// # Panics
    /// If `out` has another length.
    pub fn read_finite(&self, rows: Range<usize>, out: &mut [u8]) -> Result<(), ReadTensorError> {
        let first = rows.start;
        self.read_rows(rows, out)?;
        self.tensor.check_finite(first, out)
    }
}

/// Why the header of a safetensors file cannot be had.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ReadHeaderError {
    #[error(transparent)]
    File(#[from] ReadFileError),
    #[error("{} is not a valid safetensors file", .path.display())]
    Header {
        path: std::path::PathBuf,
        #[source]
        source: ParseHeaderError,
    },
}

impl ReadHeaderError {
    /// Whose fault it is.
    pub fn owner(&self) -> Owner {
        match self {
            ReadHeaderError::File(e) => e.owner(),
            ReadHeaderError::Header { source, .. } => source.owner(),
        }
    }
}

/// Header entries of a file; reads the header only.
pub(crate) fn read_header(file: &SourceFile) -> Result<Vec<HeaderEntry>, ReadHeaderError> {
    let fail = |source| ReadHeaderError::Header {
        path: file.path().to_owned(),
        source,
    };
    let file_bytes = file.size_bytes();
    let mut prefix = [0u8; 8];
    if file_bytes >= header::PREFIX_BYTES {
        file.read_at(0, &mut prefix)?;
    }
    let len = header::header_len(prefix, file_bytes).map_err(fail)?;
    let mut json = vec![0u8; len as usize]; // at most HEADER_BYTES_MAX and within the file
    file.read_at(header::PREFIX_BYTES, &mut json)?;
    header::parse_header(&json, file_bytes).map_err(fail)
}

#[cfg(test)]
mod tests;
