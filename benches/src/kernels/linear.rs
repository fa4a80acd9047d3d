//! `y = x w^T`: projections, and the head as a plain product. Packing is measured apart: it is paid once for all
//! rows that meet a weight.

use crate::data::{random, random_bf16};
use crate::measure::{Allowed, Bench, Work, compare};
use crate::peer::problem::{Held, Matrix, Op, Problem, picked};
use crate::shape::Shape;
use gradus_kernels::linear::{PackedWeights, linear, reference};
use gradus_kernels::{Cpu, ParamDtype, Params};

/// Sums of order one, of products that were each rounded to about 1e-7 of theirs.
const ALLOWED: Allowed = Allowed::new(3e-6, 1e-6);

pub(super) fn build(shape: &Shape) -> Result<Box<dyn Bench>, String> {
    if shape.count("rank").is_some() {
        return Err("a low-rank addition inside the product is a kernel of GPUs\nhelp: on a CPU, measure lora".to_owned());
    }
    if shape.word("gate").is_some() {
        return Err(
            "a gate inside the product is a kernel of GPUs\nhelp: on a CPU, measure linear and activation"
                .to_owned(),
        );
    }
    Ok(Box::new(Linear::new(
        shape.dim("rows"),
        shape.dim("out"),
        shape.dim("in"),
    )))
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
        let (rows, out, cols) = (self.rows, self.out, self.cols);
        Work {
            flop: 2.0 * rows as f64 * out as f64 * cols as f64,
            bytes: (4 * rows * (cols + out) + 2 * out * cols) as f64,
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

    fn problem(&self) -> Option<Problem<'_>> {
        let op = Op::Linear {
            x: Matrix::f32(&self.x, self.cols),
            w: Matrix::bf16(&self.w, self.cols).held(Held::F32),
        };
        Some(Problem {
            rows: self.rows,
            op,
            results: vec![("product", ALLOWED)],
        })
    }

    fn left(&self, rows: &[usize]) -> Vec<Vec<f32>> {
        vec![picked(&self.y, rows, self.out)]
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
                worst = worst.max(compare(got, &want, ALLOWED, &what)?);
            }
        }
        Ok(worst)
    }
}
