//! An adapter beside a base product, on rows that are packed for it already; one thread, as inside a block of rows.

use crate::data::{random, random_bf16};
use crate::measure::{Allowed, Bench, Work, compare};
use crate::shape::Shape;
use gradus_kernels::linear::RowPanels;
use gradus_kernels::lora::{LoraPart, LoraScratch, PackedLora, reference};
use gradus_kernels::{Cpu, ParamDtype, Params};

const SCALE: f32 = 2.0;

pub(super) fn build(cpu: &Cpu, shape: &Shape) -> Result<Box<dyn Bench>, String> {
    let [rows, out, cols, rank] = ["rows", "out", "in", "rank"].map(|name| shape.dim(name));
    Ok(Box::new(Lora::new(cpu, rows, out, cols, rank)))
}

struct Lora {
    rows: usize,
    out: usize,
    cols: usize,
    rank: usize,
    x: Vec<f32>,
    a: Vec<u8>,
    b: Vec<u8>,
    panels: RowPanels,
    packed: PackedLora,
    scratch: LoraScratch,
    y: Vec<f32>,
}

impl Lora {
    fn new(cpu: &Cpu, rows: usize, out: usize, cols: usize, rank: usize) -> Self {
        let x = random(rows * cols, 1);
        let mut panels = RowPanels::default();
        panels.pack(cpu.isa(), &x, rows, cols, cols);
        Self {
            rows,
            out,
            cols,
            rank,
            x,
            a: random_bf16(rank * cols, cols, 2),
            b: random_bf16(out * rank, rank, 3),
            panels,
            packed: PackedLora::default(),
            scratch: LoraScratch::default(),
            y: vec![0.0; rows * out],
        }
    }

    fn params(&self) -> (Params<'_>, Params<'_>) {
        let a = Params::new(&self.a, ParamDtype::Bf16, self.rank, self.cols);
        let b = Params::new(&self.b, ParamDtype::Bf16, self.out, self.rank);
        (
            a.expect("made with this shape"),
            b.expect("made with this shape"),
        )
    }
}

impl Bench for Lora {
    fn work(&self) -> Work {
        let (rows, rank, ends) = (self.rows, self.rank, self.out + self.cols);
        Work {
            flop: 2.0 * (rows * rank * ends) as f64,
            bytes: (4 * rows * (ends + self.out) + 2 * rank * ends) as f64,
        }
    }

    fn prepare(&mut self, cpu: &Cpu) -> bool {
        let (a, b) = self.params();
        let part = LoraPart {
            a,
            b,
            scale: SCALE,
            bias: None,
            offset: 0,
        };
        let packed = PackedLora::pack(cpu, &[part]);
        self.packed = packed;
        true
    }

    fn run(&mut self, cpu: &Cpu) {
        // The adapter adds to what is there; sums of a few hundred runs stay small enough to be harmless, and
        // `check` follows the first.
        let (isa, stride) = (cpu.isa(), self.out);
        self.packed
            .apply(isa, &self.panels, &mut self.scratch, &mut self.y, stride);
    }

    fn check(&self) -> Result<f64, String> {
        let (a, b) = self.params();
        let mut worst: f64 = 0.0;
        for row in [0, self.rows - 1] {
            let x = &self.x[row * self.cols..][..self.cols];
            let want = reference::lora(x, &a, &b, f64::from(SCALE));
            let got = &self.y[row * self.out..][..self.out];
            worst = worst.max(compare(
                got,
                &want,
                Allowed::new(5e-6, 1e-6),
                &format!("row {row}"),
            )?);
        }
        Ok(worst)
    }
}
