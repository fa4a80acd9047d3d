use super::*;
use crate::testing::{random, within};

/// Values of a group: heads of every size, and widths around 16 and 64.
const GROUPS: [usize; 13] = [1, 5, 15, 16, 17, 20, 36, 63, 64, 65, 128, 576, 2048];

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn ragged_groups_match_reference() {
    for isa in Isa::available() {
        for group in GROUPS {
            for (gain, groups) in [(Gain::Weight, 1), (Gain::OnePlusWeight, 3)] {
                let (rows, cols) = (3, groups * group);
                let x = random(rows * cols, 1);
                let weight = random(group, 2);
                let mut out = vec![f32::NAN; rows * cols];
                let view = Rows::new(&x, rows, cols, cols).unwrap();
                let target = RowsMut::new(&mut out, rows, cols, cols).unwrap();
                rms_norm(isa, view, &weight, 1e-5, gain, target).unwrap();
                for (x, y) in x.chunks(group).zip(out.chunks(group)) {
                    // Two roundings and the sum's error (see the module), on values of a few units.
                    let want = reference::rms_norm(x, &weight, 1e-5, gain);
                    within(y, &want, 1e-9, 4e-7, &format!("{isa:?} {group} x {groups}"));
                }
            }
        }
    }
}

#[test]
fn eps_alone_decides_an_all_zero_row_and_a_tiny_one() {
    for isa in Isa::available() {
        let mut x = vec![0.0; 20];
        x.extend([1e-12; 20]);
        let weight = random(20, 3);
        let want: Vec<f64> = x
            .chunks(20)
            .flat_map(|x| reference::rms_norm(x, &weight, 1e-6, Gain::Weight))
            .collect();
        let rows = RowsMut::new(&mut x, 2, 20, 20).unwrap();
        rms_norm_in_place(isa, rows, &weight, 1e-6, Gain::Weight).unwrap();
        within(&x, &want, 0.0, 4e-7, "tiny");
    }
}

#[test]
fn every_set_gives_the_same_bits() {
    for group in GROUPS {
        let x = random(4 * group, 4);
        let weight = random(group, 5);
        let mut first = None;
        for isa in Isa::available() {
            let mut y = x.clone();
            let rows = RowsMut::new(&mut y, 2, 2 * group, 2 * group).unwrap();
            rms_norm_in_place(isa, rows, &weight, 1e-5, Gain::OnePlusWeight).unwrap();
            let first = first.get_or_insert_with(|| bits(&y));
            assert_eq!(first, &bits(&y), "{isa:?} {group}");
        }
    }
}

#[test]
fn in_place_strided_and_alone_give_the_same_bits_and_leave_the_rest() {
    let (rows, groups, group, stride) = (5, 3, 36, 150);
    let x = random(rows * stride, 6);
    let weight = random(group, 7);
    let isa = Isa::detect();
    let mut y = x.clone();
    let view = RowsMut::new(&mut y, rows, groups * group, stride).unwrap();
    rms_norm_in_place(isa, view, &weight, 1e-5, Gain::Weight).unwrap();
    for row in 0..rows {
        let start = row * stride;
        for first in (start..start + groups * group).step_by(group) {
            let mut alone = vec![0.0; group];
            let x = Rows::new(&x[first..], 1, group, group).unwrap();
            let out = RowsMut::new(&mut alone, 1, group, group).unwrap();
            rms_norm(isa, x, &weight, 1e-5, Gain::Weight, out).unwrap();
            assert_eq!(bits(&alone), bits(&y[first..][..group]), "row {row}");
        }
        let rest = start + groups * group..start + stride;
        assert_eq!(
            bits(&x[rest.clone()]),
            bits(&y[rest]),
            "row {row}: values between rows"
        );
    }
}

#[test]
fn nan_and_infinity_reach_their_whole_group_only() {
    for isa in Isa::available() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = random(3 * 20, 8);
            x[25] = bad;
            let weight = vec![1.0; 20];
            let rows = RowsMut::new(&mut x, 1, 60, 60).unwrap();
            rms_norm_in_place(isa, rows, &weight, 1e-5, Gain::Weight).unwrap();
            assert!(x[25].is_nan(), "{isa:?} {bad}");
            assert!(
                x[..20]
                    .iter()
                    .chain(&x[40..])
                    .all(|v| v.is_finite() && *v != 0.0)
            );
        }
    }
}

#[test]
fn wrong_shapes_are_named() {
    let x = [0.0; 12];
    let mut out = [0.0; 12];
    let rows = Rows::new(&x, 2, 6, 6).unwrap();
    let target = RowsMut::new(&mut out, 3, 4, 4).unwrap();
    let error = rms_norm(Isa::detect(), rows, &[1.0; 6], 0.0, Gain::Weight, target).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rms_norm: out is [3, 4], but x is [2, 6]"
    );
    for group in [0, 4, 7] {
        let target = RowsMut::new(&mut out, 2, 6, 6).unwrap();
        let weight = vec![1.0; group];
        let error = rms_norm_in_place(Isa::detect(), target, &weight, 0.0, Gain::Weight);
        assert_eq!(error, Err(RmsNormError::Group { cols: 6, group }));
    }
}
