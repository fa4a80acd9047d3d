//! Gathers and conversions on the device: exact.

use crate::matrix::{COLS, Matrix, Value};
use crate::stream;
use gradus_kernels::device::{DeviceError, DeviceRows, DeviceRowsMut, DeviceView, Stream};
use gradus_kernels::rows::device::{Rounded, gather_bf16, gather_f32, to_bf16};
use half::{bf16, f16};

type Gather<T> = fn(
    &Stream,
    DeviceRows<'_, T>,
    DeviceView<'_, u32>,
    DeviceRowsMut<'_, T>,
) -> Result<(), DeviceError>;

fn gathered<T: Value>(
    stream: &Stream,
    gather: Gather<T>,
    x: &Matrix<T>,
    index: &[u32],
) -> Matrix<T> {
    let mut out = Matrix::poisoned(index.len(), x.cols).upload(stream);
    let index = stream.upload("index", index).unwrap();
    gather(
        stream,
        x.upload(stream).rows(),
        index.view(),
        out.rows_mut(),
    )
    .unwrap();
    out.download(stream)
}

fn check<T: Value>(gather: Gather<T>) {
    let stream = stream();
    for cols in COLS {
        let x = Matrix::<T>::random(6, cols, 1.0, 1);
        let index = [5, 0, 2, 2, 9, 1, 5];
        let out = gathered(&stream, gather, &x, &index);
        for (row, &from) in index.iter().enumerate() {
            if from == 9 {
                assert!(
                    out.row(row).iter().all(|v| v.widen().is_nan()),
                    "{cols} columns: no such row"
                );
            } else {
                assert_eq!(
                    out.row(row),
                    x.row(from as usize),
                    "row {row} of {cols} columns"
                );
            }
        }
    }
    assert_eq!(
        gathered(&stream, gather, &Matrix::random(3, 16, 1.0, 2), &[]).bits(),
        []
    );
}

#[test]
fn gathered_rows_keep_their_bits_and_one_that_is_not_there_is_nan() {
    check::<f32>(gather_f32);
    check::<bf16>(gather_bf16);
}

fn rounded<T: Value + Rounded>(stream: &Stream, x: &Matrix<T>) -> Matrix<bf16> {
    let mut out = Matrix::poisoned(x.rows, x.cols).upload(stream);
    to_bf16(stream, x.upload(stream).rows(), out.rows_mut()).unwrap();
    out.download(stream)
}

fn rounds_like_half<T: Value + Rounded>(special: &[f32]) {
    let stream = stream();
    for cols in COLS {
        let mut x = Matrix::<T>::random(5, cols, 3.0, 3);
        for (i, &value) in special.iter().enumerate() {
            x.set(i % 5, i % cols, T::of(value));
        }
        let out = rounded(&stream, &x);
        for row in 0..x.rows {
            for (x, y) in x.row_f32(row).iter().zip(out.row(row)) {
                let want = bf16::from_f32(*x);
                assert!(
                    want == *y || want.is_nan() && y.is_nan(),
                    "{x} became {y}, expected {want}"
                );
            }
        }
    }
    assert_eq!(
        rounded(&stream, &Matrix::<T>::random(0, 16, 1.0, 4)).bits(),
        []
    );
}

#[test]
fn f32_and_f16_round_to_nearest_even_bf16_and_nan_stays() {
    // Ties both ways, the largest, subnormals, infinities, NaN with low bits only.
    let special = [
        f32::from_bits(0x3f80_8000),
        f32::from_bits(0x3f81_8000),
        f32::from_bits(0x3f80_8001),
        f32::MAX,
        f32::MIN_POSITIVE / 3.0,
        -0.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::from_bits(0x7f80_0001),
        65504.0,
        5.96e-8,
        6.1e-5,
    ];
    rounds_like_half::<f32>(&special);
    rounds_like_half::<f16>(&special);
}

#[test]
fn wrong_shapes_are_named() {
    let stream = stream();
    let x = Matrix::<f32>::random(2, 24, 1.0, 5).upload(&stream);
    let mut out = Matrix::<bf16>::poisoned(2, 23).upload(&stream);
    let error = to_bf16(&stream, x.rows(), out.rows_mut()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rounding [2, 24] to bf16 on the device: the columns of out is 23, expected 24"
    );
}
