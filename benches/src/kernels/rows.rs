//! What runs on a block of rows between two products: norms, rotations, gates, embeddings. One thread; blocks are
//! of the size that a task takes, so their rows come from the second cache, and so do the roofline's.

use super::Entry;
use crate::data::{random, random_bf16};
use crate::measure::{Bench, Work, compare};
use gradus_kernels::activation::{self, Activation, gated};
use gradus_kernels::embedding::{self, embedding};
use gradus_kernels::rms_norm::{self, Gain, rms_norm};
use gradus_kernels::rope::{self, LengthClass, Rope, RopeLayout, RopeScaling, RopeTable, rotate};
use gradus_kernels::{Cpu, ParamDtype, Params, Rows, RowsMut};

/// Rows of a block.
const ROWS: usize = 192;

pub(super) fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut add = |family, shape, build| {
        entries.push(Entry {
            family,
            shape,
            gflop: 0.0,
            build,
        })
    };
    for (cols, group) in [(576, 576), (896, 896), (2048, 2048), (1024, 128)] {
        let shape = format!("{ROWS}x{cols} groups of {group}");
        add(
            "rms_norm",
            shape,
            Box::new(move |_: &Cpu| Box::new(Norm::new(cols, group)) as Box<dyn Bench>),
        );
    }
    for (heads, head_dim) in [(12, 64), (40, 64), (8, 256), (7, 20)] {
        let shape = format!("{ROWS}x{heads} heads of {head_dim}");
        add(
            "rope",
            shape,
            Box::new(move |_| Box::new(Turn::new(heads, head_dim))),
        );
    }
    for (kind, cols) in [
        (Activation::Silu, 1536),
        (Activation::Silu, 4864),
        (Activation::Gelu, 1536),
        (Activation::GeluTanh, 1536),
        (Activation::GeluTanh, 9216),
    ] {
        let shape = format!("{ROWS}x{cols} {kind:?}");
        add(
            "activation",
            shape,
            Box::new(move |_| Box::new(Gate::new(kind, cols))),
        );
    }
    for cols in [4096, 65536] {
        add(
            "soft_cap",
            format!("{cols}"),
            Box::new(move |_| Box::new(Cap::new(cols))),
        );
    }
    for (vocab, cols) in [(49_152, 576), (151_936, 896)] {
        let shape = format!("{ROWS} of {vocab}x{cols} bf16");
        add(
            "embedding",
            shape,
            Box::new(move |_| Box::new(Embed::new(vocab, cols))),
        );
    }
    entries
}

struct Norm {
    cols: usize,
    x: Vec<f32>,
    weight: Vec<f32>,
    y: Vec<f32>,
}

impl Norm {
    fn new(cols: usize, group: usize) -> Self {
        let (x, weight) = (random(ROWS * cols, 1), random(group, 2));
        Self {
            cols,
            x,
            weight,
            y: vec![0.0; ROWS * cols],
        }
    }
}

impl Bench for Norm {
    fn work(&self) -> Work {
        Work::Memory {
            bytes: (2 * ROWS * self.cols * 4) as f64,
        }
    }

    fn run(&mut self, cpu: &Cpu) {
        let x = Rows::new(&self.x, ROWS, self.cols, self.cols).expect("whole rows");
        let y = RowsMut::new(&mut self.y, ROWS, self.cols, self.cols).expect("whole rows");
        rms_norm(cpu.isa(), x, &self.weight, 1e-5, Gain::Weight, y).expect("shapes agree");
    }

    fn check(&self) -> Result<f64, String> {
        let group = self.weight.len();
        let reference =
            |x: &[f32]| rms_norm::reference::rms_norm(x, &self.weight, 1e-5, Gain::Weight);
        let want: Vec<f64> = self.x.chunks(group).flat_map(reference).collect();
        compare(&self.y, &want, 1e-9, 4e-7, "norm")
    }
}

struct Turn {
    heads: usize,
    head_dim: usize,
    rope: Rope,
    table: RopeTable,
    positions: Vec<u32>,
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Turn {
    fn new(heads: usize, head_dim: usize) -> Self {
        let rope = Rope::new(1e4, head_dim, RopeScaling::None).expect("an even head");
        let x = random(ROWS * heads * head_dim, 1);
        Self {
            heads,
            head_dim,
            table: RopeTable::new(&rope, LengthClass::Base, 1024),
            rope,
            positions: (0..ROWS as u32).map(|r| r * 37 % 1024).collect(),
            y: x.clone(),
            x,
        }
    }
}

impl Bench for Turn {
    fn work(&self) -> Work {
        Work::Memory {
            bytes: (ROWS * (2 * self.heads + 1) * self.head_dim * 4) as f64,
        }
    }

    fn prepare(&mut self, _: &Cpu) -> bool {
        self.y.copy_from_slice(&self.x);
        false
    }

    fn run(&mut self, cpu: &Cpu) {
        // Turned again and again: lengths of pairs do not change, so values stay as large as they are.
        let cols = self.heads * self.head_dim;
        let rows = RowsMut::new(&mut self.y, ROWS, cols, cols).expect("whole rows");
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
        compare(&self.y, &want, 2.5e-7, 0.0, "rope")
    }
}

struct Gate {
    kind: Activation,
    cols: usize,
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Gate {
    fn new(kind: Activation, cols: usize) -> Self {
        let x: Vec<f32> = random(ROWS * 2 * cols, 1)
            .into_iter()
            .map(|v| v * 4.0)
            .collect();
        Self {
            kind,
            cols,
            x,
            y: vec![0.0; ROWS * cols],
        }
    }
}

impl Bench for Gate {
    fn work(&self) -> Work {
        Work::Memory {
            bytes: (3 * ROWS * self.cols * 4) as f64,
        }
    }

    fn run(&mut self, cpu: &Cpu) {
        // Not in place: a gate that is gated again and again ends in subnormal numbers, which are slow.
        let (cols, stride) = (self.cols, 2 * self.cols);
        let gate = Rows::new(&self.x, ROWS, cols, stride).expect("whole rows");
        let up = Rows::new(&self.x[cols..], ROWS, cols, stride).expect("whole rows");
        let out = RowsMut::new(&mut self.y, ROWS, cols, cols).expect("whole rows");
        gated(cpu.isa(), self.kind, gate, up, out).expect("shapes agree");
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
            worst = worst.max(compare(got, &want, 5e-7, 1e-6, &format!("row {row}"))?);
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
        Work::Memory {
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
        compare(&self.y, &want, 1e-12, 4.5e-7, "soft cap")
    }
}

struct Embed {
    vocab: usize,
    cols: usize,
    table: Vec<u8>,
    ids: Vec<u32>,
    y: Vec<f32>,
}

impl Embed {
    fn new(vocab: usize, cols: usize) -> Self {
        let ids = (0..ROWS).map(|i| (i * 7919 % vocab) as u32).collect();
        Self {
            vocab,
            cols,
            table: random_bf16(vocab * cols, 1, 1),
            ids,
            y: vec![0.0; ROWS * cols],
        }
    }

    fn params(&self) -> Params<'_> {
        Params::new(&self.table, ParamDtype::Bf16, self.vocab, self.cols)
            .expect("made with this shape")
    }
}

impl Bench for Embed {
    fn work(&self) -> Work {
        Work::Memory {
            bytes: (ROWS * self.cols * (2 + 4)) as f64,
        }
    }

    fn run(&mut self, cpu: &Cpu) {
        let mut y = core::mem::take(&mut self.y);
        embedding(cpu.isa(), self.params(), &self.ids, 1.5, &mut y).expect("ids are rows");
        self.y = y;
    }

    fn check(&self) -> Result<f64, String> {
        let want = embedding::reference::embedding(&self.params(), &self.ids, 1.5);
        compare(&self.y, &want, 0.0, 6e-8, "embedding")
    }
}
