//! Norms on the device against their definitions.

use crate::matrix::{COLS, Matrix, random, within};
use crate::stream;
use gradus_kernels::device::Stream;
use gradus_kernels::rms_norm::device::{
    add_normed, add_normed_then_norm, layer_norm, rms_norm, rms_norm_heads,
};
use gradus_kernels::rms_norm::{Gain, reference};
use half::bf16;

const EPS: f64 = 1e-5;
/// f32 sums of up to 16,391 squares and five roundings.
const REL: f64 = 1e-6;

pub(crate) fn norm(stream: &Stream, x: &Matrix<f32>, weight: &[f32], gain: Gain) -> Matrix<bf16> {
    let mut out = Matrix::poisoned(x.rows, x.cols).upload(stream);
    let weight = stream.upload("weight", weight).unwrap();
    rms_norm(
        stream,
        x.upload(stream).rows(),
        weight.view(),
        EPS,
        gain,
        out.rows_mut(),
    )
    .unwrap();
    out.download(stream)
}

#[test]
fn rows_of_every_width_match_reference() {
    let stream = stream();
    for cols in COLS {
        for gain in [Gain::Weight, Gain::OnePlusWeight] {
            let (x, weight) = (Matrix::random(3, cols, 3.0, 1), random(cols, 2));
            let out = norm(&stream, &x, &weight, gain);
            for row in 0..x.rows {
                let want = reference::rms_norm(x.row(row), &weight, EPS, gain);
                within(&out, row, &want, REL, 0.0, "rms_norm");
            }
        }
    }
}

#[test]
fn a_row_alone_has_the_bits_it_has_in_company() {
    let stream = stream();
    for cols in [9, 1003, 2051, 4096, 8200, 16391] {
        // 17 rows: three blocks of a kernel that has eight rows in each.
        let (x, weight) = (Matrix::random(17, cols, 1.0, 3), random(cols, 4));
        let all = norm(&stream, &x, &weight, Gain::Weight);
        for row in [0, 8, 16] {
            let alone = norm(&stream, &x.alone(row), &weight, Gain::Weight);
            assert_eq!(alone.row(0), all.row(row), "row {row} of {cols} columns");
        }
    }
}

#[test]
fn layer_norm_matches_its_definition_with_and_without_bias() {
    let stream = stream();
    for cols in COLS {
        let x = Matrix::<f32>::random(2, cols, 2.0, 5);
        let (weight, bias) = (random(cols, 6), random(cols, 7));
        let on_device = (
            stream.upload("weight", &weight).unwrap(),
            stream.upload("bias", &bias).unwrap(),
        );
        for with_bias in [false, true] {
            let mut out = Matrix::<bf16>::poisoned(x.rows, cols).upload(&stream);
            let bias_view = with_bias.then(|| on_device.1.view());
            layer_norm(
                &stream,
                x.upload(&stream).rows(),
                on_device.0.view(),
                bias_view,
                EPS,
                out.rows_mut(),
            )
            .unwrap();
            let out = out.download(&stream);
            for row in 0..x.rows {
                let values: Vec<f64> = x.row(row).iter().map(|&v| f64::from(v)).collect();
                let mean = values.iter().sum::<f64>() / cols as f64;
                let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / cols as f64;
                let want: Vec<f64> = (0..cols)
                    .map(|c| {
                        let bias = if with_bias { f64::from(bias[c]) } else { 0.0 };
                        (values[c] - mean) / (variance + EPS).sqrt() * f64::from(weight[c]) + bias
                    })
                    .collect();
                // The mean is rounded, and what is near it cancels.
                within(&out, row, &want, REL, 3e-6, "layer_norm");
            }
        }
    }
}

#[test]
fn add_normed_adds_to_the_residual_stream_with_and_without_a_norm() {
    let stream = stream();
    for cols in COLS {
        let y = Matrix::<f32>::random(3, cols, 2.0, 8);
        let before = Matrix::<f32>::random(3, cols, 1.0, 9);
        let weight = random(cols, 10);
        let on_device = stream.upload("weight", &weight).unwrap();
        for with_norm in [false, true] {
            let mut hidden = before.upload(&stream);
            let view = with_norm.then(|| on_device.view());
            add_normed(
                &stream,
                y.upload(&stream).rows(),
                view,
                EPS,
                Gain::OnePlusWeight,
                0.22,
                hidden.rows_mut(),
            )
            .unwrap();
            let hidden = hidden.download(&stream);
            for row in 0..y.rows {
                let added = if with_norm {
                    reference::rms_norm(y.row(row), &weight, EPS, Gain::OnePlusWeight)
                } else {
                    y.row(row).iter().map(|&v| f64::from(v)).collect()
                };
                let want: Vec<f64> = before
                    .row(row)
                    .iter()
                    .zip(added)
                    .map(|(&h, a)| f64::from(h) + f64::from(0.22f32) * a)
                    .collect();
                within(&hidden, row, &want, 1e-7, 5e-7, "add_normed");
            }
        }
    }
}

#[test]
fn the_fused_pass_gives_the_bits_of_its_two_halves() {
    let stream = stream();
    for cols in [7, 64, 1003, 1024, 2051, 4096, 8200, 9001, 16391] {
        let y = Matrix::<f32>::random(9, cols, 2.0, 11);
        let before = Matrix::<f32>::random(9, cols, 1.0, 12);
        let (weight, next) = (random(cols, 13), random(cols, 14));
        let weights = (
            stream.upload("weight", &weight).unwrap(),
            stream.upload("next weight", &next).unwrap(),
        );
        for with_norm in [false, true] {
            let view = with_norm.then(|| weights.0.view());
            let y = y.upload(&stream);
            let mut apart = before.upload(&stream);
            add_normed(
                &stream,
                y.rows(),
                view,
                EPS,
                Gain::Weight,
                1.0,
                apart.rows_mut(),
            )
            .unwrap();
            let apart = apart.download(&stream);
            let normed = norm(&stream, &apart, &next, Gain::Weight);
            let mut fused = before.upload(&stream);
            let mut out = Matrix::<bf16>::poisoned(9, cols).upload(&stream);
            add_normed_then_norm(
                &stream,
                y.rows(),
                view,
                EPS,
                Gain::Weight,
                1.0,
                fused.rows_mut(),
                weights.1.view(),
                out.rows_mut(),
            )
            .unwrap();
            assert_eq!(
                fused.download(&stream).bits(),
                apart.bits(),
                "hidden of {cols} columns"
            );
            assert_eq!(
                out.download(&stream).bits(),
                normed.bits(),
                "norm of {cols} columns"
            );
        }
    }
}

pub(crate) fn heads(stream: &Stream, x: &Matrix<bf16>, weight: &[f32], gain: Gain) -> Matrix<bf16> {
    let weight = stream.upload("weight", weight).unwrap();
    let mut out = x.upload(stream);
    rms_norm_heads(stream, out.rows_mut(), weight.view(), EPS, gain).unwrap();
    out.download(stream)
}

#[test]
fn heads_of_every_size_match_reference_in_place() {
    let stream = stream();
    // Lane sets of 8, 16 and 32, ragged groups, groups as wide as a row.
    for (groups, group) in [
        (1, 8),
        (5, 16),
        (3, 64),
        (3, 72),
        (7, 80),
        (5, 96),
        (9, 128),
        (2, 136),
        (3, 256),
        (3, 5),
        (2, 100),
        (37, 1),
        (1, 264),
        (2, 1000),
        (1, 4096),
        (1, 9008),
        (1, 1003),
    ] {
        for gain in [Gain::Weight, Gain::OnePlusWeight] {
            let x = Matrix::random(5, groups * group, 2.0, 15);
            let weight = random(group, 16);
            let out = heads(&stream, &x, &weight, gain);
            for row in 0..x.rows {
                let want: Vec<f64> = x
                    .row_f32(row)
                    .chunks(group)
                    .flat_map(|x| reference::rms_norm(x, &weight, EPS, gain))
                    .collect();
                within(
                    &out,
                    row,
                    &want,
                    REL,
                    0.0,
                    &format!("{groups} heads of {group}"),
                );
            }
            let alone = heads(&stream, &x.alone(4), &weight, gain);
            assert_eq!(alone.row(0), out.row(4), "{groups} heads of {group}, alone");
        }
    }
}

#[test]
fn nan_reaches_its_own_row_only() {
    let stream = stream();
    for cols in [37, 2051] {
        let mut x = Matrix::<f32>::random(3, cols, 1.0, 17);
        x.set(1, cols - 1, f32::NAN);
        let out = norm(&stream, &x, &vec![1.0; cols], Gain::Weight);
        assert!(out.row(1).iter().all(|v| v.is_nan()));
        assert!(out.row(0).iter().chain(out.row(2)).all(|v| v.is_finite()));
    }
}

#[test]
fn no_rows_are_nothing_to_do_and_wrong_shapes_are_named() {
    let stream = stream();
    let empty = Matrix::<f32>::random(0, 64, 1.0, 0);
    assert_eq!(norm(&stream, &empty, &[1.0; 64], Gain::Weight).bits(), []);
    let weight = stream.upload("weight", &[1.0f32; 63]).unwrap();
    let x = Matrix::<f32>::random(2, 64, 1.0, 0).upload(&stream);
    let mut out = Matrix::<bf16>::poisoned(2, 64).upload(&stream);
    let error = rms_norm(
        &stream,
        x.rows(),
        weight.view(),
        EPS,
        Gain::Weight,
        out.rows_mut(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "rms_norm of [2, 64] on the device: the weight is 63 values, expected 64 values"
    );
    let weight = stream.upload("weight", &[1.0f32; 65]).unwrap();
    let moved = weight.slice(1..65);
    let error = rms_norm(&stream, x.rows(), moved, EPS, Gain::Weight, out.rows_mut()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("expected at an address of 16 bytes"),
        "{error}"
    );
    let error = rms_norm_heads(
        &stream,
        out.rows_mut(),
        weight.slice(0..48),
        EPS,
        Gain::Weight,
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the weight's length is 48, expected a divisor of 64"),
        "{error}"
    );
}
