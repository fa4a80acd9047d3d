//! What runs row by row: norms, rotations, gates, embeddings, gathers, and the scales of weight-decomposed adapters.

mod problem;
mod reference;

use super::{DeviceBench, drawn, narrow_rows, padded};
use crate::kernels::rows::activation;
use crate::measure::{Allowed, Work, compare};
use crate::peer::problem::Problem;
use crate::shape::Shape;
use gradus_kernels::activation::Activation;
use gradus_kernels::device::{
    DeviceBuffer, DeviceError, DeviceRows, DeviceRowsMut, Stream, aligned_stride,
};
use gradus_kernels::rms_norm::{self, Gain};
use gradus_kernels::rope::{self, LengthClass, Rope, RopeScaling, RopeTable};
use gradus_kernels::{embedding, lora, rows};
use half::bf16;

const EPS: f64 = 1e-5;
const SCALE: f32 = 1.5;
const THETA: f64 = 1e4;
/// Positions of the rotary table.
const POSITIONS: usize = 4096;

/// Which kernel.
enum Op {
    RmsNorm,
    HeadNorm,
    LayerNorm,
    AddNormed,
    Rotate {
        rope: Box<Rope>,
        table: rope::device::DeviceRopeTable,
        head_dim: usize,
    },
    Gate(Activation),
    Embedding,
    Gather,
    DoraScale {
        a: DeviceBuffer<bf16>,
        b: DeviceBuffer<bf16>,
        rank: usize,
        host: [Vec<f32>; 2],
    },
}

/// A matrix in, a matrix out, and what goes with them. A buffer that an operation does not use is empty.
struct RowsBench {
    op: Op,
    /// Rows and columns of the input.
    rows: usize,
    cols: usize,
    /// Of the output.
    out_rows: usize,
    out_cols: usize,
    /// Inputs on the host, rounded where the device has bf16.
    host: Vec<f32>,
    weight: Vec<f32>,
    x: DeviceBuffer<f32>,
    x16: DeviceBuffer<bf16>,
    w: DeviceBuffer<f32>,
    ids: Vec<u32>,
    places: DeviceBuffer<u32>,
    out: DeviceBuffer<f32>,
    out16: DeviceBuffer<bf16>,
}

/// The family's kernel at `shape`; `None` for a family that is not here.
pub(super) fn build(
    stream: &Stream,
    shape: &Shape,
) -> Result<Option<Box<dyn DeviceBench>>, DeviceError> {
    let dim = |name: &str| shape.dim(name);
    let (op, rows, cols, out_rows, out_cols, weights) = match shape.family() {
        "rms_norm" if shape.count("group").is_some() => (
            Op::HeadNorm,
            dim("rows"),
            dim("cols"),
            dim("rows"),
            dim("cols"),
            shape.group(),
        ),
        "rms_norm" => (
            Op::RmsNorm,
            dim("rows"),
            dim("cols"),
            dim("rows"),
            dim("cols"),
            dim("cols"),
        ),
        "layer_norm" => (
            Op::LayerNorm,
            dim("rows"),
            dim("cols"),
            dim("rows"),
            dim("cols"),
            dim("cols"),
        ),
        "add_normed" => (
            Op::AddNormed,
            dim("rows"),
            dim("cols"),
            dim("rows"),
            dim("cols"),
            dim("cols"),
        ),
        "rope" => {
            let head_dim = dim("head_dim");
            let cols = dim("heads") * head_dim;
            let rope = Rope::new(THETA, head_dim, RopeScaling::None).expect("an even head");
            let table = RopeTable::new(&rope, LengthClass::Base, POSITIONS);
            let op = Op::Rotate {
                rope: Box::new(rope),
                table: rope::device::DeviceRopeTable::upload(stream, &table)?,
                head_dim,
            };
            (op, dim("rows"), cols, dim("rows"), cols, 0)
        }
        "activation" => (
            Op::Gate(activation(shape)),
            dim("rows"),
            2 * dim("cols"),
            dim("rows"),
            dim("cols"),
            0,
        ),
        "embedding" => (
            Op::Embedding,
            dim("vocab"),
            dim("cols"),
            dim("rows"),
            dim("cols"),
            0,
        ),
        "gather" => (
            Op::Gather,
            dim("from"),
            dim("cols"),
            dim("rows"),
            dim("cols"),
            0,
        ),
        "dora_scale" => {
            let rank = dim("rank");
            let [a, b] = [(rank, dim("in"), 5), (dim("out"), rank, 6)]
                .map(|(rows, cols, seed)| (rounded(&drawn(rows * cols, seed)), cols));
            let op = Op::DoraScale {
                a: stream.upload("A", &padded(&narrow(&a.0), a.1))?,
                b: stream.upload("B", &padded(&narrow(&b.0), b.1))?,
                rank,
                host: [a.0, b.0],
            };
            (op, dim("out"), dim("in"), 1, dim("out"), dim("out"))
        }
        _ => return Ok(None),
    };
    let wide = matches!(op, Op::RmsNorm | Op::LayerNorm | Op::AddNormed);
    let host = drawn(rows * cols, 1);
    let host = if wide { host } else { rounded(&host) };
    let weight = drawn(weights, 2);
    let ids: Vec<u32> = match op {
        Op::Embedding | Op::Gather => (0..out_rows).map(|i| (i * 7919 % rows) as u32).collect(),
        Op::Rotate { .. } => (0..rows).map(|i| (i * 37 % POSITIONS) as u32).collect(),
        _ => Vec::new(),
    };
    let out_len = out_rows * aligned_stride(out_cols);
    let out_wide = matches!(op, Op::AddNormed | Op::Embedding | Op::DoraScale { .. });
    let in_place = matches!(op, Op::HeadNorm | Op::Rotate { .. });
    let (out_len, out16_len) = match (in_place, out_wide) {
        (true, _) => (0, 0),
        // A vector, and as long as it is.
        (_, true) if matches!(op, Op::DoraScale { .. }) => (out_cols, 0),
        (_, true) => (out_len, 0),
        (_, false) => (0, out_len),
    };
    let empty: (&[f32], &[bf16]) = (&[], &[]);
    let padded_host = padded(&host, cols);
    Ok(Some(Box::new(RowsBench {
        x: stream.upload("the input", if wide { &padded_host } else { empty.0 })?,
        x16: if wide {
            stream.upload("the input", empty.1)?
        } else {
            stream.upload("the input", &narrow(&padded_host))?
        },
        w: stream.upload("the weight", &weight)?,
        places: stream.upload("the places", &ids)?,
        out: stream.alloc_zeroed("the output", out_len)?,
        out16: stream.alloc_zeroed("the output", out16_len)?,
        op,
        rows,
        cols,
        out_rows,
        out_cols,
        host,
        weight,
        ids,
    })))
}

fn narrow(values: &[f32]) -> Vec<bf16> {
    values.iter().map(|v| bf16::from_f32(*v)).collect()
}

/// As bf16 has them.
fn rounded(values: &[f32]) -> Vec<f32> {
    values.iter().map(|v| bf16::from_f32(*v).to_f32()).collect()
}

impl DeviceBench for RowsBench {
    fn work(&self) -> Work {
        let (values, outs) = (
            (self.rows * self.cols) as f64,
            (self.out_rows * self.out_cols) as f64,
        );
        let (flop, bytes) = match &self.op {
            Op::RmsNorm => (4.0 * values, 6.0 * values),
            Op::LayerNorm => (6.0 * values, 6.0 * values),
            Op::HeadNorm => (4.0 * values, 4.0 * values),
            Op::AddNormed => (6.0 * values, 12.0 * values),
            Op::Rotate { .. } => (3.0 * values, 4.0 * values),
            Op::Gate(_) => (5.0 * outs, 6.0 * outs),
            Op::Embedding => (outs, 6.0 * outs),
            Op::Gather => (0.0, 4.0 * outs),
            Op::DoraScale { rank, .. } => {
                let ends = (self.rows + self.cols) as f64;
                (
                    (2.0 * *rank as f64 + 4.0) * values,
                    2.0 * values + 2.0 * *rank as f64 * ends,
                )
            }
        };
        Work { flop, bytes }
    }

    fn run(&mut self, stream: &Stream) -> Result<(), DeviceError> {
        let (rows, cols, stride) = (self.rows, self.cols, aligned_stride(self.cols));
        let (out_rows, out_cols, out_stride) =
            (self.out_rows, self.out_cols, aligned_stride(self.out_cols));
        let x = |x| DeviceRows::new(x, rows, cols, stride);
        let w = self.w.view();
        match &mut self.op {
            Op::RmsNorm => {
                let out =
                    DeviceRowsMut::new(self.out16.view_mut(), out_rows, out_cols, out_stride)?;
                rms_norm::device::rms_norm(stream, x(self.x.view())?, w, EPS, Gain::Weight, out)
            }
            Op::LayerNorm => {
                let out =
                    DeviceRowsMut::new(self.out16.view_mut(), out_rows, out_cols, out_stride)?;
                rms_norm::device::layer_norm(stream, x(self.x.view())?, w, None, EPS, out)
            }
            Op::HeadNorm => {
                let x = DeviceRowsMut::new(self.x16.view_mut(), rows, cols, stride)?;
                rms_norm::device::rms_norm_heads(stream, x, w, EPS, Gain::Weight)
            }
            Op::AddNormed => {
                let out = DeviceRowsMut::new(self.out.view_mut(), out_rows, out_cols, out_stride)?;
                rms_norm::device::add_normed(
                    stream,
                    x(self.x.view())?,
                    Some(w),
                    EPS,
                    Gain::Weight,
                    SCALE,
                    out,
                )
            }
            Op::Rotate {
                table, head_dim, ..
            } => {
                let x = DeviceRowsMut::new(self.x16.view_mut(), rows, cols, stride)?;
                rope::device::rotate(stream, x, *head_dim, table, self.places.view())
            }
            Op::Gate(kind) => {
                let out =
                    DeviceRowsMut::new(self.out16.view_mut(), out_rows, out_cols, out_stride)?;
                let x = DeviceRows::new(self.x16.view(), rows, cols, stride)?;
                gradus_kernels::activation::device::gated_halves(stream, *kind, x, out)
            }
            Op::Embedding => {
                let out = DeviceRowsMut::new(self.out.view_mut(), out_rows, out_cols, out_stride)?;
                let x = DeviceRows::new(self.x16.view(), rows, cols, stride)?;
                embedding::device::embedding(stream, x, self.places.view(), SCALE, out)
            }
            Op::Gather => {
                let out =
                    DeviceRowsMut::new(self.out16.view_mut(), out_rows, out_cols, out_stride)?;
                let x = DeviceRows::new(self.x16.view(), rows, cols, stride)?;
                rows::device::gather_bf16(stream, x, self.places.view(), out)
            }
            Op::DoraScale { a, b, rank, .. } => {
                let (a_stride, b_stride) = (aligned_stride(cols), aligned_stride(*rank));
                let x = DeviceRows::new(self.x16.view(), rows, cols, stride)?;
                let a = DeviceRows::new(a.view(), *rank, cols, a_stride)?;
                let b = DeviceRows::new(b.view(), rows, *rank, b_stride)?;
                lora::device::dora_scale(stream, x, a, b, SCALE, w, &mut self.out)
            }
        }
    }

    fn problem(&self) -> Option<Problem<'_>> {
        problem::of(self)
    }

    fn left(&self, stream: &Stream, rows: &[usize]) -> Result<Vec<Vec<f32>>, DeviceError> {
        let rows = rows.iter().map(|&row| self.row(stream, row));
        let rows: Vec<Vec<f32>> = rows.collect::<Result<_, _>>()?;
        Ok(vec![rows.concat()])
    }

    fn check(&mut self, stream: &Stream) -> Result<f64, String> {
        let failed = |error: DeviceError| error.to_string();
        self.run(stream).map_err(failed)?;
        if let Op::DoraScale { .. } = self.op {
            let got: Vec<f32> = stream.download(self.out.view()).map_err(failed)?;
            let want: Vec<f64> = self
                .samples()
                .iter()
                .map(|row| self.want(*row)[0])
                .collect();
            let got: Vec<f32> = self.samples().iter().map(|row| got[*row]).collect();
            return compare(&got, &want, Allowed::new(1e-6, 1e-4), "factors");
        }
        let mut worst: f64 = 0.0;
        for row in self.samples() {
            let got = self.row(stream, row).map_err(failed)?;
            let what = format!("row {row}");
            worst = worst.max(compare(&got, &self.want(row), self.allowed(), &what)?);
        }
        Ok(worst)
    }
}

impl RowsBench {
    /// A row of what the last run left.
    fn row(&self, stream: &Stream, row: usize) -> Result<Vec<f32>, DeviceError> {
        if !self.out.is_empty() {
            let first = row * aligned_stride(self.out_cols);
            return stream.download(self.out.slice(first..first + self.out_cols));
        }
        let in_place = matches!(self.op, Op::HeadNorm | Op::Rotate { .. });
        let of = if in_place { &self.x16 } else { &self.out16 };
        narrow_rows(stream, of, &[row], self.out_cols)
    }

    /// f32: sums of a row's squares in f32. bf16: half a unit of its eight bits, and the sums.
    fn allowed(&self) -> Allowed {
        let wide = !self.out.is_empty();
        Allowed::new(1e-6, if wide { 1e-5 } else { 0.004 })
    }

    /// Rows that are compared: the first, one in the middle, the last.
    fn samples(&self) -> Vec<usize> {
        let count = if matches!(self.op, Op::DoraScale { .. }) {
            self.rows
        } else {
            self.out_rows
        };
        let mut rows = vec![0, count / 2, count - 1];
        rows.dedup();
        rows
    }
}
