//! Causal attention over packed rows. Operations counted are those that the mask leaves: four for each value of a
//! head, query and key that it sees.

use super::Entry;
use crate::data::random;
use crate::measure::{Bench, Work, compare};
use gradus_kernels::Cpu;
use gradus_kernels::attention::{AttentionShape, Qkv, Segment, attention, reference};

/// Name, query heads, key heads, head size, window, soft cap, lengths of the packed rows.
type Case = (
    &'static str,
    usize,
    usize,
    usize,
    Option<usize>,
    Option<f32>,
    &'static [usize],
);

const CASES: [Case; 7] = [
    ("4x512", 9, 3, 64, None, None, &[512; 4]),
    ("16x128", 9, 3, 64, None, None, &[128; 16]),
    (
        "mixed",
        9,
        3,
        64,
        None,
        None,
        &[37, 700, 5, 301, 96, 512, 130],
    ),
    ("1x4096", 14, 2, 64, None, None, &[4096]),
    ("4x512", 32, 8, 64, None, None, &[512; 4]),
    ("2x1024 window 512", 16, 8, 128, Some(512), None, &[1024; 2]),
    ("2x1024 cap 50", 8, 4, 256, None, Some(50.0), &[1024; 2]),
];

pub(super) fn entries() -> Vec<Entry> {
    let entry = |case: &Case| {
        let (name, heads, kv_heads, head_dim, ..) = *case;
        let bench = Attention::shape(case);
        Entry {
            family: "attention",
            shape: format!("{heads}:{kv_heads} of {head_dim}, {name}"),
            gflop: flop(&bench, case.6) / 1e9,
            build: Box::new({
                let case = *case;
                move |_| Box::new(Attention::new(&case))
            }),
        }
    };
    CASES.iter().map(entry).collect()
}

fn flop(shape: &AttentionShape, lengths: &[usize]) -> f64 {
    let seen = |n: usize| {
        (1..=n)
            .map(|p| p.min(shape.window.unwrap_or(p)))
            .sum::<usize>()
    };
    let pairs: usize = lengths.iter().map(|&n| seen(n)).sum();
    4.0 * (shape.num_heads * shape.head_dim * pairs) as f64
}

struct Attention {
    shape: AttentionShape,
    lengths: &'static [usize],
    segments: Vec<Segment>,
    data: Vec<f32>,
    out: Vec<f32>,
}

impl Attention {
    fn shape(
        &(_, num_heads, num_kv_heads, head_dim, window, soft_cap, _): &Case,
    ) -> AttentionShape {
        let scale = (head_dim as f32).sqrt().recip();
        AttentionShape {
            num_heads,
            num_kv_heads,
            head_dim,
            scale,
            window,
            soft_cap,
        }
    }

    fn new(case: &Case) -> Self {
        let (shape, lengths) = (Self::shape(case), case.6);
        let rows: usize = lengths.iter().sum();
        let stride = (shape.num_heads + 2 * shape.num_kv_heads) * shape.head_dim;
        let mut first = 0;
        let segments = lengths.iter().map(|n| {
            first += n;
            Segment::alone(first - n..first)
        });
        Self {
            shape,
            lengths,
            segments: segments.collect(),
            data: random(rows * stride, 1)
                .into_iter()
                .map(|v| v * 3.0)
                .collect(),
            out: vec![0.0; rows * shape.num_heads * shape.head_dim],
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
        Work::Compute {
            flop: flop(&self.shape, self.lengths),
        }
    }

    fn run(&mut self, cpu: &Cpu) {
        let mut out = core::mem::take(&mut self.out);
        attention(cpu, &self.shape, self.qkv(), &self.segments, &mut out).expect("shapes agree");
        self.out = out;
    }

    fn check(&self) -> Result<f64, String> {
        // A query sees no later row, so the first rows of the first segment are a whole problem of their own.
        let rows = self.lengths[0].min(150);
        let want = reference::attention(&self.shape, self.qkv(), &[Segment::alone(0..rows)], rows);
        // Means of values up to 3 with weights rounded to a few 1e-7, of scores up to about 30.
        compare(&self.out[..want.len()], &want, 1e-5, 1e-5, "first rows")
    }
}
