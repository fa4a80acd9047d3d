//! `linear` against its definition in f64, and the bits of rows in different company, on every GPU.

use crate::matrix::{Matrix, Value, within};
use crate::operand::{Operand, Resident, dot};
use crate::streams;
use gradus_kernels::activation::{Activation, reference::gated};
use gradus_kernels::device::{DeviceBuffer, DeviceError, DeviceRowsMut, Stream};
use gradus_kernels::linear::device::{LinearArgs, LinearOut, linear};
use gradus_kernels::linear::vendor::VendorLinear;
use half::bf16;
use std::ops::Range;

/// What is multiplied, with every part there is.
pub(crate) struct Case {
    x: Operand,
    w: Operand,
    low: Option<(Operand, Operand)>,
    scale: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
}

impl Case {
    /// `[m, k] x [n, k]^T`, of rank `r` beside it.
    pub(crate) fn new(m: usize, n: usize, k: usize, r: usize) -> Self {
        let seed = (m * 31 + n * 7 + k * 3 + r) as u64;
        let low = || {
            (
                Operand::random(m, r, 1.0, seed + 3),
                Operand::random(n, r, 0.3, seed + 4),
            )
        };
        Self {
            x: Operand::random(m, k, 1.0, seed + 1),
            w: Operand::random(n, k, 1.0 / (k as f32).sqrt(), seed + 2),
            low: (r > 0).then(low),
            scale: Some((0..n).map(|i| 0.5 + (i % 7) as f32 / 8.0).collect()),
            bias: Some((0..n).map(|i| (i % 5) as f32 / 4.0 - 0.5).collect()),
        }
    }

    fn value(&self, row: usize, column: usize) -> f64 {
        let low = self.low.as_ref();
        let sum = dot(self.x.row(row), self.w.row(column))
            + low.map_or(0.0, |(low, w)| dot(low.row(row), w.row(column)));
        let scale = self.scale.as_ref().map_or(1.0, |v| v[column]);
        let bias = self.bias.as_ref().map_or(0.0, |v| v[column]);
        sum * f64::from(scale) + f64::from(bias)
    }

    /// Its rows again and again, `rows` of them.
    pub(crate) fn repeated(&self, rows: usize) -> Self {
        let low = self.low.as_ref();
        Self {
            x: self.x.repeated(rows),
            w: self.w.clone(),
            low: low.map(|(low, w)| (low.repeated(rows), w.clone())),
            scale: self.scale.clone(),
            bias: self.bias.clone(),
        }
    }

    pub(crate) fn values(&self) -> Vec<Vec<f64>> {
        let row = |row| (0..self.w.rows).map(|n| self.value(row, n)).collect();
        (0..self.x.rows).map(row).collect()
    }

    pub(crate) fn upload(&self, stream: &Stream) -> OnGpu {
        let vector = |v: &Option<Vec<f32>>| {
            let v = v.as_ref();
            v.map(|v| stream.upload("a vector", v).expect("memory"))
        };
        OnGpu {
            stream: stream.clone(),
            x: self.x.upload(stream),
            w: self.w.upload(stream),
            low: self
                .low
                .as_ref()
                .map(|(low, w)| (low.upload(stream), w.upload(stream))),
            scale: vector(&self.scale),
            bias: vector(&self.bias),
        }
    }

    fn shape(&self, stream: &Stream) -> String {
        let (m, n, k) = (self.x.rows, self.w.rows, self.x.cols);
        let rank = self.low.as_ref().map_or(0, |(low, _)| low.cols);
        let info = stream.gpu().info();
        format!(
            "{:?}: [{m}, {k}] x [{n}, {k}]^T, rank {rank}",
            info.capability
        )
    }
}

/// A case in a GPU's memory.
pub(crate) struct OnGpu {
    stream: Stream,
    x: Resident,
    w: Resident,
    low: Option<(Resident, Resident)>,
    scale: Option<DeviceBuffer<f32>>,
    bias: Option<DeviceBuffer<f32>>,
}

/// How rows are handed over.
pub(crate) type Into<T> = for<'a> fn(DeviceRowsMut<'a, T>) -> LinearOut<'a>;

fn to_f32(rows: DeviceRowsMut<'_, f32>) -> LinearOut<'_> {
    LinearOut::F32(rows)
}

fn to_bf16(rows: DeviceRowsMut<'_, bf16>) -> LinearOut<'_> {
    LinearOut::Bf16(rows)
}

/// Half of the product is added.
pub(crate) fn half_of_it(rows: DeviceRowsMut<'_, f32>) -> LinearOut<'_> {
    LinearOut::AddF32 { rows, factor: 0.5 }
}

impl OnGpu {
    /// The product of these rows, in place of or added to `before`.
    pub(crate) fn product<T: Value>(
        &self,
        rows: Range<usize>,
        before: &Matrix<T>,
        into: Into<T>,
    ) -> Matrix<T> {
        let mut out = before.upload(&self.stream);
        let low = self.low.as_ref();
        let args = LinearArgs {
            x: self.x.some(rows.clone()),
            w: self.w.all(),
            low: low.map(|(low, w)| (low.some(rows), w.all())),
            scale: self.scale.as_ref().map(DeviceBuffer::view),
            bias: self.bias.as_ref().map(DeviceBuffer::view),
        };
        linear(&self.stream, &args, into(out.rows_mut())).expect("a launch");
        out.download(&self.stream)
    }
}

/// M, N, K, R: every tile of every architecture, at its edges.
const SHAPES: [(usize, usize, usize, usize); 8] = [
    (1, 1, 1, 0),
    (127, 8, 7, 4),
    (129, 64, 37, 0),
    (129, 65, 64, 12),
    (300, 100, 37, 5),
    (300, 257, 64, 48),
    (127, 520, 72, 16),
    (3, 193, 1003, 9),
];

#[test]
fn products_match_their_definition_at_every_edge_of_a_tile() {
    for (m, n, k, r) in SHAPES {
        let case = Case::new(m, n, k, r);
        let values = case.values();
        let before = Matrix::<f32>::random(m, n, 3.0, 9);
        for stream in streams() {
            let (gpu, what) = (case.upload(&stream), case.shape(&stream));
            let stored = gpu.product(0..m, &Matrix::<f32>::poisoned(m, n), to_f32);
            let rounded = gpu.product(0..m, &Matrix::<bf16>::poisoned(m, n), to_bf16);
            let added = gpu.product(0..m, &before, half_of_it);
            for (row, values) in values.iter().enumerate() {
                // f32 sums of K products of order 1 / sqrt(K), and of R.
                within(&stored, row, values, 2e-6, 3e-6, &what);
                within(&rounded, row, values, 2e-6, 3e-6, &what);
                let sums = values.iter().zip(before.row(row));
                let sums: Vec<f64> = sums.map(|(v, &b)| f64::from(b) + 0.5 * v).collect();
                within(&added, row, &sums, 2e-6, 3e-6, &what);
            }
            let once = stored.bits().into_iter().map(f32::from_bits);
            let once: Vec<u32> = once.map(|v| bf16::from_f32(v).bits()).collect();
            assert_eq!(
                rounded.bits(),
                once,
                "{what}: bf16 is not the rounded f32 sum"
            );
        }
    }
}

pub(crate) fn silu(rows: DeviceRowsMut<'_, bf16>) -> LinearOut<'_> {
    LinearOut::Gated {
        rows,
        activation: Activation::Silu,
    }
}

fn gelu(rows: DeviceRowsMut<'_, bf16>) -> LinearOut<'_> {
    LinearOut::Gated {
        rows,
        activation: Activation::Gelu,
    }
}

fn gelu_tanh(rows: DeviceRowsMut<'_, bf16>) -> LinearOut<'_> {
    LinearOut::Gated {
        rows,
        activation: Activation::GeluTanh,
    }
}

pub(crate) const GATED: [(Activation, Into<bf16>); 3] = [
    (Activation::Silu, silu),
    (Activation::Gelu, gelu),
    (Activation::GeluTanh, gelu_tanh),
];

/// Rows of `out` are the activation of one half of `values` times the other.
pub(crate) fn gated_within(
    out: &Matrix<bf16>,
    values: &[Vec<f64>],
    activation: Activation,
    stream: &Stream,
    what: &str,
) {
    // Elsewhere than on Hopper the halves are rounded to bf16 in between.
    let between = if stream.gpu().is_hopper() { 0.0 } else { 8e-3 };
    for (row, values) in values.iter().enumerate() {
        let (gate, up) = values.split_at(out.cols);
        let pairs = gate.iter().zip(up);
        let want = pairs.map(|(&gate, &up)| gated(activation, gate as f32, up as f32));
        let want: Vec<f64> = want.collect();
        within(out, row, &want, 3e-6 + between, 4e-6 + between, what);
    }
}

#[test]
fn a_gated_product_is_the_activation_of_one_half_times_the_other() {
    for (m, n, k, r) in SHAPES {
        let case = Case::new(m, 2 * n, k, r);
        let values = case.values();
        for stream in streams() {
            let (gpu, what) = (case.upload(&stream), case.shape(&stream));
            for (activation, into) in GATED {
                let out = gpu.product(0..m, &Matrix::<bf16>::poisoned(m, n), into);
                gated_within(&out, &values, activation, &stream, &what);
            }
        }
    }
}

#[test]
fn a_row_of_a_gated_product_has_the_same_bits_alone_as_in_company() {
    for (m, n, k, r) in SHAPES {
        let case = Case::new(m, 2 * n, k, r);
        for stream in streams() {
            let (gpu, what) = (case.upload(&stream), case.shape(&stream));
            let all = gpu.product(0..m, &Matrix::<bf16>::poisoned(m, n), silu);
            for row in [0, m * 2 / 3, m - 1] {
                let alone = gpu.product(row..row + 1, &Matrix::<bf16>::poisoned(1, n), silu);
                let bits = all.bits()[row * n..(row + 1) * n].to_vec();
                assert_eq!(alone.bits(), bits, "{what}: row {row} alone");
            }
        }
    }
}

#[test]
fn the_vendors_product_is_the_same_product_where_it_is_installed() {
    for (m, n, k) in [(1, 8, 8), (129, 65, 37), (300, 257, 64)] {
        let mut case = Case::new(m, n, k, 0);
        (case.scale, case.bias) = (None, None);
        let values = case.values();
        for stream in streams() {
            let (x, w) = (case.x.upload(&stream), case.w.upload(&stream));
            let mut out = Matrix::<bf16>::poisoned(m, n).upload(&stream);
            let made = VendorLinear::new(&stream, x.all(), w.all(), &out.rows_mut());
            let Some(vendor) = made.expect("an algorithm") else {
                println!("SKIPPED: cuBLASLt is not installed");
                return;
            };
            assert!(vendor.algorithm().is_some());
            let ran = vendor.run(&stream, x.all(), w.all(), &mut out.rows_mut());
            ran.expect("a product");
            let got = out.download(&stream);
            for (row, values) in values.iter().enumerate() {
                within(&got, row, values, 2e-6, 3e-6, &case.shape(&stream));
            }
            let mut other = Matrix::<bf16>::poisoned(m, n + 1).upload(&stream);
            let error = vendor.run(&stream, x.all(), w.all(), &mut other.rows_mut());
            let error = error.expect_err("another shape").to_string();
            assert!(error.contains("the columns of out is"), "{error}");
        }
    }
}

#[test]
fn parts_that_are_absent_do_nothing() {
    for parts in 0..8 {
        let mut case = Case::new(70, 90, 37, 5);
        if parts & 1 == 0 {
            case.low = None;
        }
        if parts & 2 == 0 {
            case.scale = None;
        }
        if parts & 4 == 0 {
            case.bias = None;
        }
        let values = case.values();
        for stream in streams() {
            let before = Matrix::<f32>::poisoned(70, 90);
            let out = case.upload(&stream).product(0..70, &before, to_f32);
            let what = format!("{}, parts {parts}", case.shape(&stream));
            for (row, values) in values.iter().enumerate() {
                within(&out, row, values, 2e-6, 3e-6, &what);
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_as_in_company() {
    for (m, n, k, r) in SHAPES {
        let case = Case::new(m, n, k, r);
        let before = Matrix::<f32>::random(m, n, 3.0, 9);
        for stream in streams() {
            let (gpu, what) = (case.upload(&stream), case.shape(&stream));
            let all = gpu.product(0..m, &before, half_of_it);
            for row in [0, m * 2 / 3, m - 1] {
                let alone = gpu.product(row..row + 1, &before.alone(row), half_of_it);
                let bits = all.bits()[row * n..(row + 1) * n].to_vec();
                assert_eq!(alone.bits(), bits, "{what}: row {row} alone");
            }
        }
    }
}

#[test]
fn nan_stays_in_its_row_and_its_column() {
    let (m, n) = (140, 70);
    let mut case = Case::new(m, n, 40, 4);
    case.x.set(130, 7, f32::NAN);
    case.w.set(66, 39, f32::NAN);
    for stream in streams() {
        let before = Matrix::<f32>::random(m, n, 1.0, 1);
        let out = case.upload(&stream).product(0..m, &before, to_f32);
        for row in 0..m {
            for (column, value) in out.row(row).iter().enumerate() {
                let nan = row == 130 || column == 66;
                assert_eq!(value.is_nan(), nan, "row {row}, column {column}: {value}");
            }
        }
    }
}

#[test]
fn no_rows_are_no_work() {
    let case = Case::new(3, 65, 9, 4);
    for stream in streams() {
        let out = Matrix::<f32>::poisoned(0, 65);
        let out = case.upload(&stream).product(0..0, &out, to_f32);
        assert_eq!(out.rows, 0);
    }
}

#[test]
fn wrong_shapes_are_named() {
    let sizes = [(5, 16), (8, 16), (8, 15), (5, 4), (8, 3), (7, 4), (5, 0)];
    let operands = sizes.map(|(rows, cols)| Operand::random(rows, cols, 1.0, 1));
    for stream in streams() {
        let [x, w, other_w, low, other_low_w, short_low_w, nothing] =
            operands.each_ref().map(|operand| operand.upload(&stream));
        let no_w = Operand::random(8, 0, 1.0, 1).upload(&stream);
        let vector = stream.upload("a vector", &[1.0_f32; 9]).expect("memory");
        let refused = |args: LinearArgs<'_>, rows, cols| -> String {
            let mut out = Matrix::<f32>::poisoned(rows, cols).upload(&stream);
            let result = linear(&stream, &args, LinearOut::F32(out.rows_mut()));
            let error = result.expect_err("shapes that do not fit");
            assert!(matches!(error, DeviceError::Argument { .. }), "{error}");
            error.to_string()
        };
        let args = LinearArgs {
            x: x.all(),
            w: w.all(),
            low: None,
            scale: None,
            bias: None,
        };
        let with_low = |low, low_w| LinearArgs {
            low: Some((low, low_w)),
            ..args
        };
        let (long, none) = (Some(vector.view()), nothing.all());
        let cases = [
            (
                refused(
                    LinearArgs {
                        w: other_w.all(),
                        ..args
                    },
                    5,
                    8,
                ),
                "the columns of w is 15",
            ),
            (refused(args, 4, 8), "the rows of out is 4"),
            (refused(args, 5, 9), "the columns of out is 9"),
            (
                refused(
                    LinearArgs {
                        scale: long,
                        ..args
                    },
                    5,
                    8,
                ),
                "the length of scale is 9",
            ),
            (
                refused(LinearArgs { bias: long, ..args }, 5, 8),
                "the length of bias is 9",
            ),
            (
                refused(with_low(low.some(0..4), w.all()), 5, 8),
                "the rows of low is 4",
            ),
            (
                refused(with_low(low.all(), other_low_w.all()), 5, 8),
                "the columns of the low-rank weights is 3",
            ),
            (
                refused(with_low(low.all(), short_low_w.all()), 5, 8),
                "the rows of the low-rank weights is 7",
            ),
            (
                refused(
                    LinearArgs {
                        x: none,
                        w: no_w.all(),
                        ..args
                    },
                    5,
                    8,
                ),
                "is 0, expected at least 1",
            ),
        ];
        for (error, part) in cases {
            assert!(error.contains(part), "{error}: not {part:?}");
        }
    }
}
