//! Causal attention over packed rows.

use super::{DeviceBench, drawn, narrow_rows, padded};
use crate::kernels::attention::{attention_shape, flop};
use crate::measure::{Allowed, Work, compare};
use crate::peer::problem::{Held, Matrix, Op, Problem};
use crate::shape::Shape;
use gradus_kernels::attention::device::{DeviceQkv, DeviceSegments, attention};
use gradus_kernels::attention::{AttentionShape, Qkv, Segment, reference};
use gradus_kernels::device::{
    DeviceBuffer, DeviceError, DeviceRows, DeviceRowsMut, Stream, aligned_stride,
};
use half::bf16;

/// Weights and output rounded to bf16, of values up to 3.
const ALLOWED: Allowed = Allowed::new(1.5e-2, 8e-3);

struct Attention {
    shape: AttentionShape,
    lengths: Vec<usize>,
    segments: DeviceSegments,
    rows: usize,
    /// Values of a row of queries, keys and values.
    cols: usize,
    qkv: DeviceBuffer<bf16>,
    out: DeviceBuffer<bf16>,
    host: Vec<f32>,
}

pub(super) fn build(stream: &Stream, shape: &Shape) -> Result<Box<dyn DeviceBench>, DeviceError> {
    let (lengths, shape) = (shape.lengths(), attention_shape(shape));
    let rows: usize = lengths.iter().sum();
    let cols = (shape.num_heads + 2 * shape.num_kv_heads) * shape.head_dim;
    let mut first = 0;
    let segments = lengths.iter().map(|n| {
        first += n;
        Segment::alone(first - n..first)
    });
    let segments: Vec<Segment> = segments.collect();
    let narrow: Vec<bf16> = drawn(rows * cols, 1)
        .iter()
        .map(|v| bf16::from_f32(v * 3.0))
        .collect();
    Ok(Box::new(Attention {
        segments: DeviceSegments::new(stream, &segments)?,
        qkv: stream.upload("queries, keys and values", &padded(&narrow, cols))?,
        out: stream.alloc_zeroed(
            "attention's output",
            rows * aligned_stride(shape.num_heads * shape.head_dim),
        )?,
        host: narrow.into_iter().map(bf16::to_f32).collect(),
        shape,
        lengths,
        rows,
        cols,
    }))
}

impl DeviceBench for Attention {
    fn work(&self) -> Work {
        let width = self.shape.num_heads * self.shape.head_dim;
        Work {
            flop: flop(&self.shape, &self.lengths),
            bytes: 2.0 * (self.rows * (self.cols + width)) as f64,
        }
    }

    fn run(&mut self, stream: &Stream) -> Result<(), DeviceError> {
        let width = self.shape.num_heads * self.shape.head_dim;
        let qkv = DeviceQkv {
            rows: DeviceRows::new(
                self.qkv.view(),
                self.rows,
                self.cols,
                aligned_stride(self.cols),
            )?,
            k: width,
            v: width + self.shape.num_kv_heads * self.shape.head_dim,
        };
        let out = DeviceRowsMut::new(self.out.view_mut(), self.rows, width, aligned_stride(width))?;
        attention(stream, &self.shape, qkv, &self.segments, out)
    }

    fn problem(&self) -> Option<Problem<'_>> {
        let op = Op::Attention {
            shape: self.shape,
            lengths: &self.lengths,
            qkv: Matrix::f32(&self.host, self.cols).held(Held::Bf16),
        };
        Some(Problem {
            rows: self.rows,
            op,
            results: vec![("attention", ALLOWED)],
        })
    }

    fn left(&self, stream: &Stream, rows: &[usize]) -> Result<Vec<Vec<f32>>, DeviceError> {
        let width = self.shape.num_heads * self.shape.head_dim;
        Ok(vec![narrow_rows(stream, &self.out, rows, width)?])
    }

    fn check(&mut self, stream: &Stream) -> Result<f64, String> {
        let failed = |error: DeviceError| error.to_string();
        self.run(stream).map_err(failed)?;
        let width = self.shape.num_heads * self.shape.head_dim;
        // A query sees no later row, so the first rows of the first segment are a whole problem of their own.
        let rows = self.lengths[0].min(150);
        let qkv = Qkv {
            data: &self.host,
            stride: self.cols,
            k: width,
            v: width + self.shape.num_kv_heads * self.shape.head_dim,
        };
        let want = reference::attention(&self.shape, qkv, &[Segment::alone(0..rows)], rows);
        let first: Vec<usize> = (0..rows).collect();
        let got = narrow_rows(stream, &self.out, &first, width).map_err(failed)?;
        compare(&got, &want, ALLOWED, "first rows")
    }
}
