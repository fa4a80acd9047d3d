use super::*;
use crate::testing::{random, within};

const KINDS: [Activation; 3] = [Activation::Silu, Activation::Gelu, Activation::GeluTanh];
const WIDTHS: [usize; 6] = [1, 15, 16, 17, 37, 1003];

/// Values of every size and sign, smallest to largest.
fn spread() -> Vec<f32> {
    let mut xs = vec![0.0, -0.0, 1e-38, -1e-38];
    for exponent in -30..=6 {
        for step in 0..40 {
            let x = 10f32.powi(exponent) * (1.0 + 0.23 * step as f32);
            xs.extend([x, -x]);
        }
    }
    xs
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn ragged_widths_match_reference_in_every_form() {
    for isa in Isa::available() {
        for kind in KINDS {
            for cols in WIDTHS {
                let (rows, stride) = (3, 2 * cols + 5);
                let mut buffer = random(rows * stride, 1);
                buffer.iter_mut().for_each(|v| *v *= 9.0);
                let gate = Rows::new(&buffer, rows, cols, stride).unwrap();
                let up = Rows::new(&buffer[cols..], rows, cols, stride).unwrap();
                let mut out = vec![f32::NAN; rows * cols];
                gated(
                    isa,
                    kind,
                    gate,
                    up,
                    RowsMut::new(&mut out, rows, cols, cols).unwrap(),
                )
                .unwrap();
                for row in 0..rows {
                    let pairs = gate.row(row).iter().zip(up.row(row));
                    let want: Vec<f64> =
                        pairs.map(|(&g, &u)| reference::gated(kind, g, u)).collect();
                    // The exponent of e^(-2u) is up to 2|u| roundings wrong: 1e-7 of each unit of u, up to 60 here.
                    within(
                        &out[row * cols..][..cols],
                        &want,
                        1e-7,
                        1e-6,
                        &format!("{isa:?} {kind:?} {cols}"),
                    );
                }

                let mut gate = buffer.clone();
                let target = RowsMut::new(&mut gate, rows, cols, stride).unwrap();
                gated_in_place(isa, kind, target, up).unwrap();
                let mut halves = buffer.clone();
                let target = RowsMut::new(&mut halves, rows, 2 * cols, stride).unwrap();
                gated_halves(isa, kind, target).unwrap();
                for row in 0..rows {
                    let want = bits(&out[row * cols..][..cols]);
                    let at = row * stride;
                    assert_eq!(bits(&gate[at..][..cols]), want, "in place");
                    assert_eq!(bits(&halves[at..][..cols]), want, "halves");
                    assert_eq!(
                        bits(&halves[at + cols..][..cols]),
                        bits(up.row(row)),
                        "up is kept"
                    );
                }
            }
        }
    }
}

#[test]
fn far_tails_end_in_zero_or_the_identity_without_nan() {
    let x = [-1e30, -200.0, -89.0, 40.0, 200.0, 1e12];
    let up = [1.0; 6];
    for isa in Isa::available() {
        for kind in KINDS {
            let mut y = x;
            let target = RowsMut::new(&mut y, 1, 6, 6).unwrap();
            gated_in_place(isa, kind, target, Rows::new(&up, 1, 6, 6).unwrap()).unwrap();
            assert!(
                y[..3].iter().all(|v| v.abs() < 1e-6),
                "{isa:?} {kind:?} {y:?}"
            );
            assert_eq!(y[3..], x[3..], "{isa:?} {kind:?}");
        }
    }
}

#[test]
fn soft_cap_is_relatively_accurate_from_the_tiniest_to_the_largest() {
    for isa in Isa::available() {
        for cap in [0.7, 30.0, 50.0] {
            let xs = spread();
            let mut ys = xs.clone();
            soft_cap(isa, &mut ys, cap);
            let want: Vec<f64> = xs.iter().map(|&x| reference::soft_cap(x, cap)).collect();
            // Three roundings of the argument and four of the quotient; below the smallest normal number nothing
            // is promised.
            within(&ys, &want, 2e-38, 4.5e-7, &format!("{isa:?} cap {cap}"));
        }
    }
}

#[test]
fn soft_cap_bounds_infinities_and_keeps_nan() {
    for isa in Isa::available() {
        let mut x = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX];
        soft_cap(isa, &mut x, 30.0);
        assert_eq!((x[0], x[1], x[3]), (30.0, -30.0, 30.0), "{isa:?}");
        assert!(x[2].is_nan(), "{isa:?}");
    }
}

#[test]
fn every_set_gives_the_same_bits() {
    let xs = spread();
    let mut first = None;
    for isa in Isa::available() {
        let mut all = Vec::new();
        for kind in KINDS {
            let mut y = xs.clone();
            let n = y.len();
            let up = Rows::new(&xs, 1, n, n).unwrap();
            gated_in_place(isa, kind, RowsMut::new(&mut y, 1, n, n).unwrap(), up).unwrap();
            all.extend(bits(&y));
        }
        let mut y = xs.clone();
        soft_cap(isa, &mut y, 50.0);
        all.extend(bits(&y));
        assert_eq!(first.get_or_insert_with(|| all.clone()), &all, "{isa:?}");
    }
}

#[test]
fn wrong_shapes_are_named() {
    let values = [0.0; 12];
    let mut out = [0.0; 12];
    let gate = Rows::new(&values, 2, 6, 6).unwrap();
    let up = Rows::new(&values, 3, 4, 4).unwrap();
    let isa = Isa::detect();
    let target = RowsMut::new(&mut out, 2, 6, 6).unwrap();
    let error = gated(isa, Activation::Silu, gate, up, target).unwrap_err();
    assert_eq!(
        error.to_string(),
        "gated activation: up is [3, 4], but gate is [2, 6]"
    );
    let target = RowsMut::new(&mut out, 4, 3, 3).unwrap();
    let error = gated_halves(isa, Activation::Silu, target).unwrap_err();
    assert_eq!(error, GatedError::Halves { cols: 3 });
}
