//! `y = x w^T`: projections, and the head as a plain product. Packing is measured apart: it is paid once for all
//! rows that meet a weight.

use super::Entry;
use crate::data::{random, random_bf16};
use crate::measure::{Bench, Work, compare};
use gradus_kernels::linear::{PackedWeights, linear, reference};
use gradus_kernels::{Cpu, ParamDtype, Params};

/// Rows, output features, input features.
const SHAPES: [(usize, usize, usize); 14] = [
    (512, 2048, 2048),
    (512, 151_936, 896),
    (512, 32_000, 768),
    (512, 49_152, 576),
    (512, 960, 576),
    (512, 576, 576),
    (512, 3072, 576),
    (512, 576, 1536),
    (512, 1152, 896),
    (512, 9728, 896),
    (512, 896, 4864),
    (4096, 2048, 2048),
    (37, 2048, 2048),
    (512, 1003, 397),
];

pub(super) fn entries() -> Vec<Entry> {
    let entry = |&(rows, out, cols): &(usize, usize, usize)| Entry {
        family: "linear",
        shape: format!("{rows}x{out}x{cols} bf16"),
        gflop: flop(rows, out, cols) / 1e9,
        build: Box::new(move |_| Box::new(Linear::new(rows, out, cols))),
    };
    SHAPES.iter().map(entry).collect()
}

fn flop(rows: usize, out: usize, cols: usize) -> f64 {
    2.0 * rows as f64 * out as f64 * cols as f64
}

struct Linear {
    rows: usize,
    out: usize,
    cols: usize,
    x: Vec<f32>,
    w: Vec<u8>,
    packed: PackedWeights,
    y: Vec<f32>,
}

impl Linear {
    fn new(rows: usize, out: usize, cols: usize) -> Self {
        Self {
            rows,
            out,
            cols,
            x: random(rows * cols, 1),
            w: random_bf16(out * cols, cols, 2),
            packed: PackedWeights::new(),
            y: vec![0.0; rows * out],
        }
    }

    fn weights(&self) -> Params<'_> {
        Params::new(&self.w, ParamDtype::Bf16, self.out, self.cols).expect("made with this shape")
    }
}

impl Bench for Linear {
    fn work(&self) -> Work {
        Work::Compute {
            flop: flop(self.rows, self.out, self.cols),
        }
    }

    fn prepare(&mut self, cpu: &Cpu) -> bool {
        let w = Params::new(&self.w, ParamDtype::Bf16, self.out, self.cols)
            .expect("made with this shape");
        self.packed.pack(cpu, w);
        true
    }

    fn run(&mut self, cpu: &Cpu) {
        linear(cpu, &self.x, self.rows, &self.packed, None, &mut self.y).expect("shapes agree");
    }

    fn check(&self) -> Result<f64, String> {
        let mut worst: f64 = 0.0;
        let ends = 40.min(self.out);
        for row in [0, self.rows / 2, self.rows - 1] {
            for first in [0, self.out - ends] {
                let x = &self.x[row * self.cols..][..self.cols];
                let want =
                    reference::linear(x, &self.weights().slice_rows(first..first + ends), None);
                let got = &self.y[row * self.out + first..][..ends];
                let what = format!("row {row}, features from {first}");
                // Sums of order one, of products that were each rounded to about 1e-7 of theirs.
                worst = worst.max(compare(got, &want, 3e-6, 1e-6, &what)?);
            }
        }
        Ok(worst)
    }
}
