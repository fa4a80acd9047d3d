//! Causal attention over packed rows. Operations counted are those that the mask leaves: four for each value of a
//! head, query and key that it sees.

use crate::data::random;
use crate::measure::{Allowed, Bench, Work, compare};
use crate::peer::problem::{Matrix, Op, Problem, picked};
use crate::shape::Shape;
use gradus_kernels::Cpu;
use gradus_kernels::attention::{AttentionShape, Qkv, Segment, attention, reference};

/// Means of values up to 3 with weights rounded to a few 1e-7, of scores up to about 30.
const ALLOWED: Allowed = Allowed::new(1e-5, 1e-5);

pub(super) fn build(shape: &Shape) -> Result<Box<dyn Bench>, String> {
    Ok(Box::new(Attention::new(
        attention_shape(shape),
        shape.lengths(),
    )))
}

/// The kernel's view of a shape.
pub(crate) fn attention_shape(shape: &Shape) -> AttentionShape {
    let [num_heads, num_kv_heads, head_dim] =
        ["heads", "kv_heads", "head_dim"].map(|name| shape.dim(name));
    AttentionShape {
        num_heads,
        num_kv_heads,
        head_dim,
        scale: (head_dim as f32).sqrt().recip(),
        window: shape.count("window"),
        soft_cap: shape.count("cap").map(|cap| cap as f32),
    }
}

/// Operations that the mask leaves.
pub(crate) fn flop(shape: &AttentionShape, lengths: &[usize]) -> f64 {
    let seen = |n: usize| {
        let window = shape.window.unwrap_or(n).min(n);
        window * (window + 1) / 2 + (n - window) * window
    };
    let pairs: usize = lengths.iter().map(|&n| seen(n)).sum();
    4.0 * (shape.num_heads * shape.head_dim * pairs) as f64
}

struct Attention {
    shape: AttentionShape,
    lengths: Vec<usize>,
    segments: Vec<Segment>,
    data: Vec<f32>,
    out: Vec<f32>,
}

impl Attention {
    fn new(shape: AttentionShape, lengths: Vec<usize>) -> Self {
        let rows: usize = lengths.iter().sum();
        let stride = (shape.num_heads + 2 * shape.num_kv_heads) * shape.head_dim;
        let mut first = 0;
        let segments = lengths.iter().map(|n| {
            first += n;
            Segment::alone(first - n..first)
        });
        Self {
            shape,
            segments: segments.collect(),
            data: random(rows * stride, 1)
                .into_iter()
                .map(|v| v * 3.0)
                .collect(),
            out: vec![0.0; rows * shape.num_heads * shape.head_dim],
            lengths,
        }
    }

    fn qkv(&self) -> Qkv<'_> {
        let AttentionShape {
            num_heads,
            num_kv_heads,
            head_dim,
            ..
        } = self.shape;
        let k = num_heads * head_dim;
        let v = k + num_kv_heads * head_dim;
        Qkv {
            data: &self.data,
            stride: v + num_kv_heads * head_dim,
            k,
            v,
        }
    }
}

impl Bench for Attention {
    fn work(&self) -> Work {
        Work {
            flop: flop(&self.shape, &self.lengths),
            bytes: (4 * (self.data.len() + self.out.len())) as f64,
        }
    }

    fn run(&mut self, cpu: &Cpu) {
        let mut out = core::mem::take(&mut self.out);
        attention(cpu, &self.shape, self.qkv(), &self.segments, &mut out).expect("shapes agree");
        self.out = out;
    }

    fn problem(&self) -> Option<Problem<'_>> {
        let op = Op::Attention {
            shape: self.shape,
            lengths: &self.lengths,
            qkv: Matrix::f32(&self.data, self.qkv().stride),
        };
        Some(Problem {
            rows: self.lengths.iter().sum(),
            op,
            results: vec![("attention", ALLOWED)],
        })
    }

    fn left(&self, rows: &[usize]) -> Vec<Vec<f32>> {
        let width = self.shape.num_heads * self.shape.head_dim;
        vec![picked(&self.out, rows, width)]
    }

    fn check(&self) -> Result<f64, String> {
        // A query sees no later row, so the first rows of the first segment are a whole problem of their own.
        let rows = self.lengths[0].min(150);
        let want = reference::attention(&self.shape, self.qkv(), &[Segment::alone(0..rows)], rows);
        compare(&self.out[..want.len()], &want, ALLOWED, "first rows")
    }
}
