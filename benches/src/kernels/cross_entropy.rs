//! The fused head: product, log-sum-exp and target logits over a vocabulary in slabs; and KL, two models at once.
//! Widening of the weights is part of the run.

use crate::data::{random, random_bf16};
use crate::measure::{Allowed, Bench, Work, compare};
use crate::peer::problem::{Held, Matrix, Problem, picked_f64};
use crate::shape::Shape;
use gradus_kernels::cross_entropy::{
    HeadModel, HeadRows, HeadSums, LogitTransform, Target, absorb, reference,
};
use gradus_kernels::{Cpu, ParamDtype, Params};

/// Tokens that arrive together.
const SLAB: usize = 8192;

/// Losses of order ten.
const NLL: Allowed = Allowed::new(1e-6, 1e-6);
/// Differences of such.
const KL: Allowed = Allowed::new(1e-6, 1e-5);

pub(super) fn build(cpu: &Cpu, shape: &Shape, models: usize) -> Result<Box<dyn Bench>, String> {
    let [rows, vocab, hidden] = ["rows", "vocab", "hidden"].map(|name| shape.dim(name));
    let heads = if shape.flag("shared") { 1 } else { models };
    let mut head = Head::new(cpu, [rows, vocab, hidden], models, heads);
    head.transform.soft_cap = shape.count("cap").map(|cap| cap as f32);
    Ok(Box::new(head))
}

struct Head {
    vocab: usize,
    hidden: usize,
    x: Vec<Vec<f32>>,
    rows: Vec<HeadRows>,
    /// Each model's weights, or one for all: adapters of one base share theirs, full fine-tunes do not.
    weights: Vec<Vec<u8>>,
    transform: LogitTransform,
    targets: Vec<Target>,
    sums: Vec<HeadSums>,
}

impl Head {
    fn new(cpu: &Cpu, [rows, vocab, hidden]: [usize; 3], models: usize, heads: usize) -> Self {
        let x: Vec<Vec<f32>> = (0..models as u64)
            .map(|m| random(rows * hidden, m))
            .collect();
        let target = |row| Target {
            row: row as u32,
            token: (row * 7919 % vocab) as u32,
        };
        Self {
            vocab,
            hidden,
            rows: x
                .iter()
                .map(|x| HeadRows::pack(cpu, x, rows, hidden))
                .collect(),
            x,
            weights: (0..heads as u64)
                .map(|m| random_bf16(vocab * hidden, hidden, 9 + m))
                .collect(),
            transform: LogitTransform::default(),
            targets: (0..rows).map(target).collect(),
            sums: Vec::new(),
        }
    }

    fn head_of(&self, model: usize) -> &[u8] {
        self.weights.get(model).unwrap_or(&self.weights[0])
    }

    fn slab(&self, model: usize, first: usize) -> Params<'_> {
        let bytes = self.head_of(model);
        let all = Params::new(bytes, ParamDtype::Bf16, self.vocab, self.hidden)
            .expect("made with this shape");
        all.slice_rows(first..self.vocab.min(first + SLAB))
    }

    /// Logits of one row, a slab at a time.
    fn logits(&self, model: usize, row: usize) -> Vec<f64> {
        let x = &self.x[model][row * self.hidden..][..self.hidden];
        let slabs = (0..self.vocab).step_by(SLAB);
        slabs
            .flat_map(|first| reference::logits(x, &self.slab(model, first), self.transform))
            .collect()
    }
}

impl Bench for Head {
    fn work(&self) -> Work {
        let (rows, vocab, hidden) = (self.targets.len(), self.vocab, self.hidden);
        let (models, heads) = (self.x.len(), self.weights.len());
        Work {
            flop: 2.0 * (rows * vocab * hidden * models) as f64,
            bytes: (heads * 2 * vocab * hidden + models * (4 * rows * hidden + 8 * rows)) as f64,
        }
    }

    fn run(&mut self, cpu: &Cpu) {
        let rows = self.targets.len();
        let new = |_: &HeadRows| HeadSums::new(rows, &self.targets).expect("targets are rows");
        let mut sums: Vec<HeadSums> = self.rows.iter().map(new).collect();
        for first in (0..self.vocab).step_by(SLAB) {
            let model = |(i, rows)| HeadModel {
                rows,
                weights: self.slab(i, first),
                lora: None,
                bias: None,
                transform: self.transform,
            };
            let models: Vec<HeadModel<'_>> = self.rows.iter().enumerate().map(model).collect();
            let kl = models.len() > 1;
            absorb(cpu, kl, &models, &mut sums).expect("shapes agree");
        }
        self.sums = sums;
    }

    fn problem(&self) -> Option<Problem<'_>> {
        if self.transform.soft_cap.is_some() {
            return None;
        }
        let models = self.x.iter().enumerate().map(|(model, x)| {
            let w = Matrix::bf16(self.head_of(model), self.hidden).held(Held::F32);
            (Matrix::f32(x, self.hidden), w)
        });
        Some(Problem::head(
            models.collect(),
            self.targets.iter().map(|target| target.token).collect(),
            NLL,
            KL,
        ))
    }

    fn left(&self, rows: &[usize]) -> Vec<Vec<f32>> {
        let nll = self.sums.iter().map(|sums| picked_f64(&sums.nll(), rows));
        let mut left: Vec<Vec<f32>> = nll.collect();
        if let [base, other] = &self.sums[..] {
            left.push(picked_f64(&other.kl(base), rows));
        }
        left
    }

    fn check(&self) -> Result<f64, String> {
        let mut worst: f64 = 0.0;
        for row in [0, self.targets.len() - 1] {
            let logits: Vec<Vec<f64>> = (0..self.x.len())
                .map(|model| self.logits(model, row))
                .collect();
            for (model, logits) in logits.iter().enumerate() {
                let token = self.targets[row].token as usize;
                let want = reference::logsumexp(logits) - logits[token];
                let got = self.sums[model].nll()[row] as f32;
                let what = format!("nll of row {row}");
                worst = worst.max(compare(&[got], &[want], NLL, &what)?);
            }
            if let [base, other] = &logits[..] {
                let want = reference::kl(other, base);
                let got = self.sums[1].kl(&self.sums[0])[row] as f32;
                let what = format!("KL of row {row}");
                worst = worst.max(compare(&[got], &[want], KL, &what)?);
            }
        }
        Ok(worst)
    }
}
