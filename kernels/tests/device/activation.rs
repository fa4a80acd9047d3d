//! Gated activations on the device against their definitions.

use crate::matrix::{COLS, Matrix, within};
use crate::stream;
use gradus_kernels::activation::device::gated_halves;
use gradus_kernels::activation::{Activation, reference};
use gradus_kernels::device::Stream;
use half::bf16;

const KINDS: [Activation; 3] = [Activation::Silu, Activation::Gelu, Activation::GeluTanh];

pub(crate) fn gated(stream: &Stream, kind: Activation, x: &Matrix<bf16>) -> Matrix<bf16> {
    let mut out = Matrix::poisoned(x.rows, x.cols / 2).upload(stream);
    gated_halves(stream, kind, x.upload(stream).rows(), out.rows_mut()).unwrap();
    out.download(stream)
}

fn check(kind: Activation, x: &Matrix<bf16>, out: &Matrix<bf16>) {
    let inner = out.cols;
    for row in 0..x.rows {
        let values = x.row_f32(row);
        let want: Vec<f64> = (0..inner)
            .map(|i| reference::gated(kind, values[i], values[inner + i]))
            .collect();
        // Exponent and reciprocal of about an ulp, an argument of up to 90 rounded before the exponential.
        within(out, row, &want, 2e-5, 1e-7, &format!("{kind:?}"));
    }
}

#[test]
fn halves_of_every_width_match_reference() {
    let stream = stream();
    for inner in COLS {
        for kind in KINDS {
            let x = Matrix::random(3, 2 * inner, 6.0, 1);
            let out = gated(&stream, kind, &x);
            check(kind, &x, &out);
            let alone = gated(&stream, kind, &x.alone(2));
            assert_eq!(alone.row(0), out.row(2), "{kind:?} of {inner}, alone");
        }
    }
}

#[test]
fn gates_of_every_size_match_reference() {
    let stream = stream();
    for size in [1e-30, 1e-3, 1.0, 30.0, 300.0, 1e6] {
        for kind in KINDS {
            let x = Matrix::random(2, 512, size, 2);
            // An up of one size: the gate is what is looked at.
            let mut x = x;
            for row in 0..2 {
                for col in 256..512 {
                    x.set(row, col, bf16::ONE);
                }
            }
            check(kind, &x, &gated(&stream, kind, &x));
        }
    }
}

#[test]
fn nan_stays_where_it_is() {
    let stream = stream();
    for (inner, at) in [(16, 3), (5, 3)] {
        for kind in KINDS {
            let mut x = Matrix::<bf16>::random(2, 2 * inner, 1.0, 3);
            x.set(0, at, bf16::NAN);
            x.set(1, inner + at, bf16::NAN);
            let out = gated(&stream, kind, &x);
            for row in 0..2 {
                for (col, value) in out.row(row).iter().enumerate() {
                    assert_eq!(
                        value.is_nan(),
                        col == at,
                        "{kind:?}: row {row}, column {col}"
                    );
                }
            }
        }
    }
}

#[test]
fn no_rows_are_nothing_to_do_and_wrong_shapes_are_named() {
    let stream = stream();
    assert_eq!(
        gated(&stream, Activation::Silu, &Matrix::random(0, 64, 1.0, 4)).bits(),
        []
    );
    let x = Matrix::<bf16>::random(2, 7, 1.0, 5).upload(&stream);
    let mut out = Matrix::<bf16>::poisoned(2, 3).upload(&stream);
    let error = gated_halves(&stream, Activation::Silu, x.rows(), out.rows_mut()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "gated activation of [2, 7] on the device: the columns is 7, expected a gate and an up of one length"
    );
}
