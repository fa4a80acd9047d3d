//! Embedding on the device against its definition.

use crate::matrix::{COLS, Matrix, Value, within};
use crate::stream;
use gradus_kernels::device::Stream;
use gradus_kernels::embedding::device::{TableValue, embedding};
use half::{bf16, f16};

fn embed<T: Value + TableValue>(
    stream: &Stream,
    table: &Matrix<T>,
    ids: &[u32],
    scale: f32,
) -> Matrix<f32> {
    let mut out = Matrix::poisoned(ids.len(), table.cols).upload(stream);
    let ids = stream.upload("ids", ids).unwrap();
    embedding(
        stream,
        table.upload(stream).rows(),
        ids.view(),
        scale,
        out.rows_mut(),
    )
    .unwrap();
    out.download(stream)
}

fn check<T: Value + TableValue>(cols: usize) {
    let stream = stream();
    let table = Matrix::<T>::random(11, cols, 2.0, 1);
    let ids = [10, 0, 3, 3, 7];
    for scale in [1.0, 33.941_124] {
        let out = embed(&stream, &table, &ids, scale);
        for (row, &id) in ids.iter().enumerate() {
            let want: Vec<f64> = table
                .row(id as usize)
                .iter()
                .map(|v| v.widen() * f64::from(scale))
                .collect();
            within(&out, row, &want, 0.0, 0.0, "embedding");
        }
        let alone = embed(&stream, &table, &ids[4..], scale);
        assert_eq!(alone.row(0), out.row(4), "{cols} columns, alone");
    }
}

#[test]
fn rows_of_every_width_and_type_are_widened_and_scaled() {
    for cols in COLS {
        check::<f32>(cols);
        check::<bf16>(cols);
        check::<f16>(cols);
    }
}

#[test]
fn an_id_outside_the_table_gives_nan_and_no_other_row_changes() {
    let stream = stream();
    for cols in [64, 37] {
        let table = Matrix::<bf16>::random(4, cols, 1.0, 2);
        let out = embed(&stream, &table, &[1, 4, u32::MAX, 2], 1.0);
        assert!(out.row(1).iter().chain(out.row(2)).all(|v| v.is_nan()));
        assert_eq!(out.row_f32(0), table.row_f32(1));
        assert_eq!(out.row_f32(3), table.row_f32(2));
    }
}

#[test]
fn no_ids_are_nothing_to_do_and_wrong_shapes_are_named() {
    let stream = stream();
    let table = Matrix::<f32>::random(4, 24, 1.0, 3);
    assert_eq!(embed(&stream, &table, &[], 1.0).bits(), []);
    let ids = stream.upload("ids", &[1u32, 2]).unwrap();
    let mut out = Matrix::<f32>::poisoned(3, 24).upload(&stream);
    let error = embedding(
        &stream,
        table.upload(&stream).rows(),
        ids.view(),
        1.0,
        out.rows_mut(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "embedding 2 tokens of 24 values on the device: the rows of out is 3, expected 2"
    );
}
