//! What runs on a block of rows between two products: norms, rotations, gates, embeddings. One thread; blocks are
//! of the size that a task takes, so their rows come from the second cache, and so do the roofline's.

use crate::data::{random, random_bf16};
use crate::measure::{Allowed, Bench, Work, compare};
use crate::peer::problem::{self, Held, Matrix, Op, Problem, picked};
use crate::shape::Shape;
use gradus_kernels::activation::{self, Activation, gated};
use gradus_kernels::embedding::{self, embedding};
use gradus_kernels::rms_norm::{self, Gain, rms_norm};
use gradus_kernels::rope::{self, LengthClass, Rope, RopeLayout, RopeScaling, RopeTable, rotate};
use gradus_kernels::{Cpu, ParamDtype, Params, Rows, RowsMut};

// What each may differ by: a few units of f32's last place, at values of the inputs' size.
const NORM: Allowed = Allowed::new(1e-9, 4e-7);
const ROPE: Allowed = Allowed::new(2.5e-7, 0.0);
const GATE: Allowed = Allowed::new(5e-7, 1e-6);
const CAP: Allowed = Allowed::new(1e-12, 4.5e-7);
const EMBEDDING: Allowed = Allowed::new(0.0, 6e-8);

const THETA: f64 = 1e4;

/// Each of them; `None` for a family that is not one.
pub(super) fn build(shape: &Shape) -> Option<Box<dyn Bench>> {
    Some(match shape.family() {
        "rms_norm" => Box::new(Norm::new(
            shape.dim("rows"),
            shape.dim("cols"),
            shape.group(),
        )),
        "rope" => Box::new(Turn::new(
            shape.dim("rows"),
            shape.dim("heads"),
            shape.dim("head_dim"),
        )),
        "activation" => Box::new(Gate::new(
            shape.dim("rows"),
            activation(shape),
            shape.dim("cols"),
        )),
        "soft_cap" => Box::new(Cap::new(shape.dim("values"))),
        "embedding" => Box::new(Embed::new(
            shape.dim("rows"),
            shape.dim("vocab"),
            shape.dim("cols"),
        )),
        _ => return None,
    })
}

/// The kernel's name of a shape's kind.
pub(crate) fn activation(shape: &Shape) -> Activation {
    shape
        .word("kind")
        .map_or(Activation::Silu, activation_called)
}

/// The kernel's name of one that a shape calls `word`.
pub(crate) fn activation_called(word: &str) -> Activation {
    match word {
        "gelu" => Activation::Gelu,
        "gelu_tanh" => Activation::GeluTanh,
        _ => Activation::Silu,
    }
}

struct Norm {
    rows: usize,
    cols: usize,
    x: Vec<f32>,
    weight: Vec<f32>,
    y: Vec<f32>,
}

impl Norm {
    fn new(rows: usize, cols: usize, group: usize) -> Self {
        let (x, weight) = (random(rows * cols, 1), random(group, 2));
        Self {
            rows,
            cols,
            x,
            weight,
            y: vec![0.0; rows * cols],
        }
    }
}

impl Bench for Norm {
    fn work(&self) -> Work {
        Work {
            flop: 4.0 * (self.rows * self.cols) as f64,
            bytes: (2 * self.rows * self.cols * 4) as f64,
        }
    }

    fn run(&mut self, cpu: &Cpu) {
        let x = Rows::new(&self.x, self.rows, self.cols, self.cols).expect("whole rows");
        let y = RowsMut::new(&mut self.y, self.rows, self.cols, self.cols).expect("whole rows");
        rms_norm(cpu.isa(), x, &self.weight, 1e-5, Gain::Weight, y).expect("shapes agree");
    }

    fn problem(&self) -> Option<Problem<'_>> {
        let op = Op::Norm {
            norm: problem::Norm::Rms,
            x: Matrix::f32(&self.x, self.cols),
            weight: &self.weight,
            eps: 1e-5,
            out: Held::F32,
        };
        Some(Problem {
            rows: self.rows,
            op,
            results: vec![("norm", NORM)],
        })
    }

    fn left(&self, rows: &[usize]) -> Vec<Vec<f32>> {
        vec![picked(&self.y, rows, self.cols)]
    }

    fn check(&self) -> Result<f64, String> {
        let group = self.weight.len();
        let reference =
            |x: &[f32]| rms_norm::reference::rms_norm(x, &self.weight, 1e-5, Gain::Weight);
        let want: Vec<f64> = self.x.chunks(group).flat_map(reference).collect();
        compare(&self.y, &want, NORM, "norm")
    }
}

struct Turn {
    rows: usize,
    heads: usize,
    head_dim: usize,
    rope: Rope,
    table: RopeTable,
    positions: Vec<u32>,
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Turn {
    fn new(rows: usize, heads: usize, head_dim: usize) -> Self {
        let rope = Rope::new(THETA, head_dim, RopeScaling::None).expect("an even head");
        let x = random(rows * heads * head_dim, 1);
        Self {
            rows,
            heads,
            head_dim,
            table: RopeTable::new(&rope, LengthClass::Base, 1024),
            rope,
            positions: (0..rows as u32).map(|r| r * 37 % 1024).collect(),
            y: x.clone(),
            x,
        }
    }
}

impl Bench for Turn {
    fn work(&self) -> Work {
        Work {
            flop: 3.0 * (self.rows * self.heads * self.head_dim) as f64,
            bytes: (self.rows * (2 * self.heads + 1) * self.head_dim * 4) as f64,
        }
    }

    fn prepare(&mut self, _: &Cpu) -> bool {
        self.y.copy_from_slice(&self.x);
        false
    }

    fn run(&mut self, cpu: &Cpu) {
        // Turned again and again: lengths of pairs do not change, so values stay as large as they are.
        let cols = self.heads * self.head_dim;
        let rows = RowsMut::new(&mut self.y, self.rows, cols, cols).expect("whole rows");
        rotate(
            cpu.isa(),
            rows,
            self.head_dim,
            &self.table,
            &self.positions,
            RopeLayout::HalfSplit,
        )
        .expect("shapes agree");
    }

    fn problem(&self) -> Option<Problem<'_>> {
        let op = Op::Rope {
            x: Matrix::f32(&self.x, self.heads * self.head_dim),
            head_dim: self.head_dim,
            theta: THETA,
            positions: &self.positions,
        };
        Some(Problem {
            rows: self.rows,
            op,
            results: vec![("rope", ROPE)],
        })
    }

    fn left(&self, rows: &[usize]) -> Vec<Vec<f32>> {
        vec![picked(&self.y, rows, self.heads * self.head_dim)]
    }

    fn check(&self) -> Result<f64, String> {
        let inv_freq = self.rope.inv_freq(LengthClass::Base);
        let rows = self
            .x
            .chunks(self.heads * self.head_dim)
            .zip(&self.positions);
        let turn = |head, position| {
            rope::reference::rotate(head, &inv_freq, 1.0, position, RopeLayout::HalfSplit)
        };
        let want: Vec<f64> = rows
            .flat_map(|(row, &p)| {
                row.chunks(self.head_dim)
                    .flat_map(move |head| turn(head, p))
            })
            .collect();
        compare(&self.y, &want, ROPE, "rope")
    }
}

struct Gate {
    rows: usize,
    kind: Activation,
    cols: usize,
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Gate {
    fn new(rows: usize, kind: Activation, cols: usize) -> Self {
        let x: Vec<f32> = random(rows * 2 * cols, 1)
            .into_iter()
            .map(|v| v * 4.0)
            .collect();
        Self {
            rows,
            kind,
            cols,
            x,
            y: vec![0.0; rows * cols],
        }
    }
}

impl Bench for Gate {
    fn work(&self) -> Work {
        Work {
            flop: 5.0 * (self.rows * self.cols) as f64,
            bytes: (3 * self.rows * self.cols * 4) as f64,
        }
    }

    fn run(&mut self, cpu: &Cpu) {
        // Not in place: a gate that is gated again and again ends in subnormal numbers, which are slow.
        let (cols, stride) = (self.cols, 2 * self.cols);
        let gate = Rows::new(&self.x, self.rows, cols, stride).expect("whole rows");
        let up = Rows::new(&self.x[cols..], self.rows, cols, stride).expect("whole rows");
        let out = RowsMut::new(&mut self.y, self.rows, cols, cols).expect("whole rows");
        gated(cpu.isa(), self.kind, gate, up, out).expect("shapes agree");
    }

    fn problem(&self) -> Option<Problem<'_>> {
        let op = Op::Gate {
            kind: self.kind,
            x: Matrix::f32(&self.x, 2 * self.cols),
        };
        Some(Problem {
            rows: self.rows,
            op,
            results: vec![("gate", GATE)],
        })
    }

    fn left(&self, rows: &[usize]) -> Vec<Vec<f32>> {
        vec![picked(&self.y, rows, self.cols)]
    }

    fn check(&self) -> Result<f64, String> {
        let mut worst: f64 = 0.0;
        for (row, x) in self.x.chunks(2 * self.cols).enumerate() {
            let (gate, up) = x.split_at(self.cols);
            let pairs = gate.iter().zip(up);
            let want: Vec<f64> = pairs
                .map(|(&g, &u)| activation::reference::gated(self.kind, g, u))
                .collect();
            let got = &self.y[row * self.cols..][..self.cols];
            worst = worst.max(compare(got, &want, GATE, &format!("row {row}"))?);
        }
        Ok(worst)
    }
}

struct Cap {
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Cap {
    fn new(n: usize) -> Self {
        let x: Vec<f32> = random(n, 1).into_iter().map(|v| v * 100.0).collect();
        Self { y: x.clone(), x }
    }
}

impl Bench for Cap {
    fn work(&self) -> Work {
        Work {
            flop: 3.0 * self.x.len() as f64,
            bytes: (2 * self.x.len() * 4) as f64,
        }
    }

    fn run(&mut self, cpu: &Cpu) {
        activation::soft_cap(cpu.isa(), &mut self.y, 50.0);
    }

    fn check(&self) -> Result<f64, String> {
        let want: Vec<f64> = self
            .x
            .iter()
            .map(|&x| activation::reference::soft_cap(x, 50.0))
            .collect();
        compare(&self.y, &want, CAP, "soft cap")
    }
}

struct Embed {
    rows: usize,
    vocab: usize,
    cols: usize,
    table: Vec<u8>,
    ids: Vec<u32>,
    y: Vec<f32>,
}

impl Embed {
    fn new(rows: usize, vocab: usize, cols: usize) -> Self {
        let ids = (0..rows).map(|i| (i * 7919 % vocab) as u32).collect();
        Self {
            rows,
            vocab,
            cols,
            table: random_bf16(vocab * cols, 1, 1),
            ids,
            y: vec![0.0; rows * cols],
        }
    }

    fn params(&self) -> Params<'_> {
        Params::new(&self.table, ParamDtype::Bf16, self.vocab, self.cols)
            .expect("made with this shape")
    }
}

impl Bench for Embed {
    fn work(&self) -> Work {
        Work {
            flop: 1.0 * (self.rows * self.cols) as f64,
            bytes: (self.rows * self.cols * (2 + 4)) as f64,
        }
    }

    fn run(&mut self, cpu: &Cpu) {
        let mut y = core::mem::take(&mut self.y);
        embedding(cpu.isa(), self.params(), &self.ids, 1.5, &mut y).expect("ids are rows");
        self.y = y;
    }

    fn problem(&self) -> Option<Problem<'_>> {
        let op = Op::Embedding {
            table: Matrix::bf16(&self.table, self.cols),
            ids: &self.ids,
            scale: 1.5,
        };
        Some(Problem {
            rows: self.rows,
            op,
            results: vec![("embedding", EMBEDDING)],
        })
    }

    fn left(&self, rows: &[usize]) -> Vec<Vec<f32>> {
        vec![picked(&self.y, rows, self.cols)]
    }

    fn check(&self) -> Result<f64, String> {
        let want = embedding::reference::embedding(&self.params(), &self.ids, 1.5);
        compare(&self.y, &want, EMBEDDING, "embedding")
    }
}
