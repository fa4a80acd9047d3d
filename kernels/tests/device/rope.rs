//! Rotation on the device against its definition.

use crate::matrix::{Matrix, random, within};
use crate::stream;
use gradus_kernels::device::Stream;
use gradus_kernels::rms_norm::{self, Gain};
use gradus_kernels::rope::device::{
    DeviceRopeTable, can_norm_and_rotate, norm_and_rotate, rotate, rotate_layout, scale_rows,
};
use gradus_kernels::rope::{LengthClass, Rope, RopeLayout, RopeScaling, RopeTable, reference};
use half::bf16;

const POSITIONS: [u32; 5] = [0, 1, 36, 5, 20];

struct Turned {
    rope: Rope,
    class: LengthClass,
    table: DeviceRopeTable,
}

fn turned(stream: &Stream, rotary_dim: usize) -> Turned {
    let rope = Rope::new(1e4, rotary_dim, RopeScaling::None).unwrap();
    let class = rope.class(37);
    let table = DeviceRopeTable::upload(stream, &RopeTable::new(&rope, class, 37)).unwrap();
    Turned { rope, class, table }
}

impl Turned {
    /// A row of heads.
    fn want(&self, row: &[f32], head_dim: usize, position: u32, layout: RopeLayout) -> Vec<f64> {
        let inv_freq = self.rope.inv_freq(self.class);
        row.chunks(head_dim)
            .flat_map(|head| reference::rotate(head, &inv_freq, 1.0, position, layout))
            .collect()
    }
}

#[test]
fn heads_of_every_shape_and_layout_match_reference_and_keep_what_is_not_rotated() {
    let stream = stream();
    // (heads, head_dim, rotary_dim): whole vectors, partial rotary, halves that are no multiple of 8.
    for (heads, head_dim, rotary_dim) in [
        (1, 64, 64),
        (5, 128, 128),
        (12, 64, 64),
        (3, 80, 80),
        (6, 80, 32),
        (2, 96, 96),
        (4, 256, 256),
        (7, 256, 64),
        (3, 20, 20),
        (2, 36, 12),
        (9, 2, 2),
        (1, 128, 16),
        (40, 128, 128),
    ] {
        let turned = turned(&stream, rotary_dim);
        let positions = stream.upload("positions", &POSITIONS).unwrap();
        for layout in [RopeLayout::HalfSplit, RopeLayout::Interleaved] {
            let what = format!("{heads} heads of {head_dim}, {rotary_dim} rotated, {layout:?}");
            let x = Matrix::<bf16>::random(5, heads * head_dim, 2.0, 1);
            let mut out = x.upload(&stream);
            rotate_layout(
                &stream,
                out.rows_mut(),
                head_dim,
                &turned.table,
                positions.view(),
                layout,
            )
            .unwrap();
            let out = out.download(&stream);
            for (row, &position) in POSITIONS.iter().enumerate() {
                let want = turned.want(&x.row_f32(row), head_dim, position, layout);
                // Products of values up to 2 in f32, which may cancel.
                within(&out, row, &want, 0.0, 6e-7, &what);
                for (col, (new, old)) in out.row(row).iter().zip(x.row(row)).enumerate() {
                    let kept = col % head_dim >= rotary_dim;
                    assert!(
                        !kept || new.to_bits() == old.to_bits(),
                        "{what}: column {col} changed"
                    );
                }
            }
            let mut alone = x.alone(2).upload(&stream);
            rotate_layout(
                &stream,
                alone.rows_mut(),
                head_dim,
                &turned.table,
                positions.slice(2..3),
                layout,
            )
            .unwrap();
            assert_eq!(alone.download(&stream).row(0), out.row(2), "{what}, alone");
        }
    }
}

#[test]
fn a_position_past_the_table_turns_its_own_row_into_nan() {
    let stream = stream();
    for head_dim in [64, 20] {
        let turned = turned(&stream, head_dim);
        let positions = stream
            .upload("positions", &[3u32, 37, u32::MAX, 4])
            .unwrap();
        let mut x = Matrix::<bf16>::random(4, 2 * head_dim, 1.0, 2).upload(&stream);
        rotate(
            &stream,
            x.rows_mut(),
            head_dim,
            &turned.table,
            positions.view(),
        )
        .unwrap();
        let x = x.download(&stream);
        assert!(
            x.row(1).iter().chain(x.row(2)).all(|v| v.is_nan()),
            "{head_dim}"
        );
        assert!(
            x.row(0).iter().chain(x.row(3)).all(|v| v.is_finite()),
            "{head_dim}"
        );
    }
}

#[test]
fn rows_of_every_width_are_scaled_by_their_factor() {
    let stream = stream();
    for cols in crate::matrix::COLS {
        let (x, factors) = (Matrix::<bf16>::random(4, cols, 2.0, 3), random(4, 4));
        let mut out = x.upload(&stream);
        let on_device = stream.upload("factors", &factors).unwrap();
        scale_rows(&stream, out.rows_mut(), on_device.view()).unwrap();
        let out = out.download(&stream);
        for (row, &factor) in factors.iter().enumerate() {
            let want: Vec<bf16> = x
                .row_f32(row)
                .iter()
                .map(|v| bf16::from_f32(v * factor))
                .collect();
            assert_eq!(out.row(row), want, "row {row} of {cols} columns");
        }
    }
}

#[test]
fn norm_and_rotation_in_one_pass_match_their_definitions() {
    let stream = stream();
    for (q_heads, k_heads, head_dim, rotary_dim) in [
        (4, 2, 64, 64),
        (7, 1, 128, 128),
        (3, 3, 80, 80),
        (5, 0, 96, 96),
        (2, 1, 256, 256),
        (1, 1, 128, 32),
        (33, 8, 64, 16),
    ] {
        assert!(can_norm_and_rotate(head_dim, rotary_dim));
        let turned = turned(&stream, rotary_dim);
        let positions = stream.upload("positions", &POSITIONS).unwrap();
        let weights = (random(head_dim, 5), random(head_dim, 6));
        let q = stream.upload("query weight", &weights.0).unwrap();
        let k = stream.upload("key weight", &weights.1).unwrap();
        for gain in [Gain::Weight, Gain::OnePlusWeight] {
            let x = Matrix::<bf16>::random(5, (q_heads + k_heads) * head_dim, 2.0, 7);
            let run = |x: &Matrix<bf16>, rows: core::ops::Range<usize>| {
                let mut x = x.upload(&stream);
                norm_and_rotate(
                    &stream,
                    x.rows_mut(),
                    q_heads,
                    q.view(),
                    k.view(),
                    1e-6,
                    gain,
                    &turned.table,
                    positions.slice(rows),
                )
                .unwrap();
                x.download(&stream)
            };
            let out = run(&x, 0..5);
            for (row, &position) in POSITIONS.iter().enumerate() {
                let inv_freq = turned.rope.inv_freq(turned.class);
                let values = x.row_f32(row);
                let want: Vec<f64> = values
                    .chunks(head_dim)
                    .enumerate()
                    .flat_map(|(head, x)| {
                        let weight = if head < q_heads {
                            &weights.0
                        } else {
                            &weights.1
                        };
                        let normed = rms_norm::reference::rms_norm(x, weight, 1e-6, gain);
                        let normed: Vec<f32> = normed.iter().map(|&v| v as f32).collect();
                        reference::rotate(&normed, &inv_freq, 1.0, position, RopeLayout::HalfSplit)
                    })
                    .collect();
                within(
                    &out,
                    row,
                    &want,
                    1e-6,
                    2e-6,
                    &format!("{q_heads} + {k_heads} heads of {head_dim}"),
                );
            }
            assert_eq!(run(&x.alone(3), 3..4).row(0), out.row(3), "alone");
        }
    }
}

#[test]
fn no_rows_are_nothing_to_do_and_wrong_shapes_are_named() {
    let stream = stream();
    let turned = turned(&stream, 64);
    let positions = stream.upload("positions", &POSITIONS).unwrap();
    let mut empty = Matrix::<bf16>::random(0, 128, 1.0, 8).upload(&stream);
    rotate(
        &stream,
        empty.rows_mut(),
        64,
        &turned.table,
        positions.slice(0..0),
    )
    .unwrap();
    let mut x = Matrix::<bf16>::random(5, 128, 1.0, 9).upload(&stream);
    let error = rotate(&stream, x.rows_mut(), 48, &turned.table, positions.view()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rotation of [5, 128], head_dim 48, on the device: head_dim is 48, expected a divisor of 128"
    );
    let error = rotate(&stream, x.rows_mut(), 32, &turned.table, positions.view()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("rotary_dim is 64, expected at most head_dim, 32"),
        "{error}"
    );
    let error = rotate(
        &stream,
        x.rows_mut(),
        64,
        &turned.table,
        positions.slice(0..4),
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the number of positions is 4, expected 5"),
        "{error}"
    );
}
