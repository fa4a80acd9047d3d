//! Activations: the gated products of MLP blocks, and the soft cap of scores.
//!
//! * SiLU: `x / (1 + e^-x)` (SwiGLU: Shazeer, 2020, arXiv:2002.05202)
//! * GELU: `x Phi(x) = 0.5 x (1 + erf(x / sqrt 2))` (Hendrycks & Gimpel, 2016, arXiv:1606.08415)
//! * GELU by tanh: `0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))` (the same)
//! * soft cap: `cap tanh(x / cap)` (Gemma 2, arXiv:2408.00118)
//!
//! **Determinism.** Element by element in f32, from one exponential, so a value depends on its own inputs alone
//! and has the same bits on every instruction set.

mod cpu;
pub mod device;
pub mod reference;
#[cfg(test)]
mod tests;

use crate::rows::{Rows, RowsMut};
use crate::simd::Isa;
use cpu::{Gated, SoftCap};
use thiserror::Error;

/// The function applied to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x / (1 + e^-x)`, also named swish.
    Silu,
    /// GELU by the error function (`gelu`).
    Gelu,
    /// GELU by its tanh approximation (`gelu_pytorch_tanh`).
    GeluTanh,
}

/// Why a gate could not be applied.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GatedError {
    /// Arguments have different shapes.
    #[error(
        "gated activation: {what} is [{found_rows}, {found_cols}], but gate is [{rows}, {cols}]"
    )]
    Shape {
        /// Which argument.
        what: &'static str,
        /// Rows of gate.
        rows: usize,
        /// Values of a row of gate.
        cols: usize,
        /// Rows of the argument.
        found_rows: usize,
        /// Values of a row of the argument.
        found_cols: usize,
    },
    /// Gate and up do not share the columns equally.
    #[error("gated activation: rows of {cols} values are not a gate and an up of one length")]
    Halves {
        /// Values of a row.
        cols: usize,
    },
}

fn same_shape(
    what: &'static str,
    (rows, cols): (usize, usize),
    (found_rows, found_cols): (usize, usize),
) -> Result<(), GatedError> {
    if (rows, cols) == (found_rows, found_cols) {
        Ok(())
    } else {
        Err(GatedError::Shape {
            what,
            rows,
            cols,
            found_rows,
            found_cols,
        })
    }
}

/// `out = activation(gate) * up`, on the calling thread.
///
/// * `gate`, `up`: `[rows, cols]`, f32
/// * `out`: as `gate`, overwritten
///
/// # Errors
/// `Shape` if the shapes differ.
pub fn gated(
    isa: Isa,
    kind: Activation,
    gate: Rows<'_>,
    up: Rows<'_>,
    mut out: RowsMut<'_>,
) -> Result<(), GatedError> {
    let shape = (gate.rows(), gate.cols());
    same_shape("up", shape, (up.rows(), up.cols()))?;
    same_shape("out", shape, (out.rows(), out.cols()))?;
    for row in 0..gate.rows() {
        let (gate, up, out) = (gate.row(row), up.row(row), out.row_mut(row));
        let len = gate.len();
        isa.dispatch(Gated {
            gate: gate.as_ptr(),
            up: up.as_ptr(),
            out: out.as_mut_ptr(),
            len,
            kind,
        });
    }
    Ok(())
}

/// As [`gated`], over `gate` itself.
///
/// # Errors
/// `Shape` if the shapes differ.
pub fn gated_in_place(
    isa: Isa,
    kind: Activation,
    mut gate: RowsMut<'_>,
    up: Rows<'_>,
) -> Result<(), GatedError> {
    same_shape("up", (gate.rows(), gate.cols()), (up.rows(), up.cols()))?;
    for row in 0..gate.rows() {
        let (gate, up) = (gate.row_mut(row), up.row(row));
        let (len, out) = (gate.len(), gate.as_mut_ptr());
        isa.dispatch(Gated {
            gate: out,
            up: up.as_ptr(),
            out,
            len,
            kind,
        });
    }
    Ok(())
}

/// As [`gated`] for the output of one stacked projection: a row is the gate's values, then the up's, and the
/// result takes the gate's place.
///
/// # Errors
/// `Halves` if the columns are odd.
pub fn gated_halves(
    isa: Isa,
    kind: Activation,
    mut gate_up: RowsMut<'_>,
) -> Result<(), GatedError> {
    let cols = gate_up.cols();
    if !cols.is_multiple_of(2) {
        return Err(GatedError::Halves { cols });
    }
    for row in 0..gate_up.rows() {
        let (gate, up) = gate_up.row_mut(row).split_at_mut(cols / 2);
        let (len, out) = (gate.len(), gate.as_mut_ptr());
        isa.dispatch(Gated {
            gate: out,
            up: up.as_ptr(),
            out,
            len,
            kind,
        });
    }
    Ok(())
}

/// `x = cap tanh(x / cap)`, on the calling thread. Infinities become `±cap`, NaN stays.
///
/// # Panics
/// If `cap` is not a positive number.
pub fn soft_cap(isa: Isa, x: &mut [f32], cap: f32) {
    assert!(
        cap > 0.0 && cap.is_finite(),
        "a soft cap of {cap} is not a positive number"
    );
    isa.dispatch(SoftCap { x, cap });
}
