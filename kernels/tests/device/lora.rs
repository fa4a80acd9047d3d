//! DoRA's factor on the device against its definition.

use crate::matrix::{Matrix, random};
use crate::stream;
use gradus_kernels::device::Stream;
use gradus_kernels::lora::device::{MAX_DORA_RANK, dora_scale};
use half::bf16;

pub(crate) struct Case {
    w: Matrix<bf16>,
    a: Matrix<bf16>,
    b: Matrix<bf16>,
    magnitude: Vec<f32>,
}

const SCALE: f32 = 0.7;

pub(crate) fn case(n: usize, k: usize, rank: usize) -> Case {
    Case {
        w: Matrix::random(n, k, 0.5, 1),
        a: Matrix::random(rank, k, 0.5, 2),
        b: Matrix::random(n, rank, 0.5, 3),
        magnitude: random(n, 4),
    }
}

pub(crate) fn factor(stream: &Stream, case: &Case) -> Vec<f32> {
    let magnitude = stream.upload("magnitude", &case.magnitude).unwrap();
    let mut out = stream
        .upload("factors", &vec![f32::NAN; case.w.rows])
        .unwrap();
    let (w, a, b) = (
        case.w.upload(stream),
        case.a.upload(stream),
        case.b.upload(stream),
    );
    dora_scale(
        stream,
        w.rows(),
        a.rows(),
        b.rows(),
        SCALE,
        magnitude.view(),
        &mut out,
    )
    .unwrap();
    stream.download(out.view()).unwrap()
}

#[test]
fn the_factor_is_magnitude_over_the_merged_norm() {
    let stream = stream();
    for (n, k, rank) in [
        (13, 37, 3),
        (8, 64, 16),
        (1, 1, 1),
        (9, 2051, 5),
        (16, 4096, 8),
        (3, 100, 1024),
        (7, 40, 0),
    ] {
        let case = case(n, k, rank);
        let got = factor(&stream, &case);
        for (n, &got) in got.iter().enumerate() {
            let (w, b) = (case.w.row_f32(n), case.b.row_f32(n));
            let square: f64 = (0..k)
                .map(|k| {
                    let delta: f64 = (0..rank)
                        .map(|r| f64::from(b[r]) * case.a.row(r)[k].to_f64())
                        .sum();
                    (f64::from(w[k]) + f64::from(SCALE) * delta).powi(2)
                })
                .sum();
            let want = f64::from(case.magnitude[n]) / square.sqrt();
            let diff = (f64::from(got) - want).abs();
            assert!(
                diff <= 2e-6 * want.abs(),
                "feature {n} of {k} with rank {rank} is {got}, expected {want}"
            );
        }
    }
}

#[test]
fn a_feature_alone_has_the_bits_it_has_in_company() {
    let stream = stream();
    let all = case(11, 1003, 5);
    let together = factor(&stream, &all);
    for n in [0, 7, 8, 10] {
        let alone = Case {
            w: all.w.alone(n),
            a: all.a.clone(),
            b: all.b.alone(n),
            magnitude: vec![all.magnitude[n]],
        };
        assert_eq!(
            factor(&stream, &alone)[0].to_bits(),
            together[n].to_bits(),
            "feature {n}"
        );
    }
}

#[test]
fn no_features_are_nothing_to_do_and_wrong_shapes_are_named() {
    let stream = stream();
    assert_eq!(factor(&stream, &case(0, 16, 4)), []);
    let mut wrong = case(4, 16, 4);
    wrong.a = Matrix::random(MAX_DORA_RANK + 1, 16, 1.0, 5);
    wrong.b = Matrix::random(4, MAX_DORA_RANK + 1, 1.0, 6);
    let magnitude = stream.upload("magnitude", &wrong.magnitude).unwrap();
    let mut out = stream.alloc::<f32>("factors", 4).unwrap();
    let (w, a, b) = (
        wrong.w.upload(&stream),
        wrong.a.upload(&stream),
        wrong.b.upload(&stream),
    );
    let error = dora_scale(
        &stream,
        w.rows(),
        a.rows(),
        b.rows(),
        SCALE,
        magnitude.view(),
        &mut out,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "DoRA's factor of [4, 16] with rank 1025 on the device: the rank is 1025, expected at most 1024"
    );
}
