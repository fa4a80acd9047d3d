//! Causal attention over packed rows.

use super::{DeviceBench, drawn, padded};
use crate::kernels::attention::{attention_shape, flop};
use crate::measure::{Work, compare};
use crate::shape::Shape;
use gradus_kernels::attention::device::{DeviceQkv, DeviceSegments, attention};
use gradus_kernels::attention::{AttentionShape, Qkv, Segment, reference};
use gradus_kernels::device::{
    DeviceBuffer, DeviceError, DeviceRows, DeviceRowsMut, Stream, aligned_stride,
};
use half::bf16;

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
        let got: Vec<bf16> = stream
            .download(self.out.slice(0..rows * aligned_stride(width)))
            .map_err(failed)?;
        let got: Vec<f32> = got
            .chunks(aligned_stride(width))
            .flat_map(|row| row[..width].iter().map(|v| v.to_f32()))
            .collect();
        // Weights and output rounded to bf16, of values up to 3.
        compare(&got, &want, 1.5e-2, 8e-3, "first rows")
    }
}
