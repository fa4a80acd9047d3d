//! Models at the head, for tests: their logits by definition, and their numbers on a GPU.

use crate::operand::{Operand, Resident};
use gradus_kernels::cross_entropy::device::{DeviceHeadModel, DeviceHeadSums, VOCAB_BLOCK, absorb};
use gradus_kernels::cross_entropy::{LogitTransform, Target, reference};
use gradus_kernels::device::{DeviceBuffer, Stream};
use gradus_kernels::params::Params;
use std::ops::Range;

/// A model at the head.
pub(crate) struct Head {
    pub(crate) x: Operand,
    pub(crate) w: Operand,
    pub(crate) low: Option<(Operand, Operand)>,
    scale: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
    pub(crate) transform: LogitTransform,
}

impl Head {
    /// Logits that spread over `+-5` or so.
    pub(crate) fn new(m: usize, v: usize, k: usize, r: usize) -> Self {
        let seed = (m * 31 + v * 7 + k * 3 + r) as u64;
        let low = || {
            (
                Operand::random(m, r, 1.0, seed + 3),
                Operand::random(v, r, 0.3, seed + 4),
            )
        };
        Self {
            x: Operand::random(m, k, 1.0, seed + 1),
            w: Operand::random(v, k, 6.0 / (k as f32).sqrt(), seed + 2),
            low: (r > 0).then(low),
            scale: None,
            bias: None,
            transform: LogitTransform::default(),
        }
    }

    /// With a factor and a bias for each token.
    pub(crate) fn with_vectors(mut self) -> Self {
        let v = self.w.rows;
        self.scale = Some((0..v).map(|i| 0.5 + (i % 7) as f32 / 8.0).collect());
        self.bias = Some((0..v).map(|i| (i % 5) as f32 / 4.0 - 0.5).collect());
        self
    }

    pub(crate) fn transformed(mut self, scale: f32, soft_cap: Option<f32>) -> Self {
        self.transform = LogitTransform {
            scale,
            soft_cap,
            round_to_bf16: false,
        };
        self
    }

    /// The same weights behind other rows.
    pub(crate) fn beside(&self, x: Operand) -> Self {
        Self {
            x,
            w: self.w.clone(),
            low: None,
            scale: self.scale.clone(),
            bias: self.bias.clone(),
            transform: self.transform,
        }
    }

    /// Its rows again and again, `rows` of them.
    pub(crate) fn repeated(&self, rows: usize) -> Self {
        let low = self.low.as_ref();
        Self {
            low: low.map(|(low, w)| (low.repeated(rows), w.clone())),
            ..self.beside(self.x.repeated(rows))
        }
    }

    /// Logits of a row: factors of tokens go into the weights, the low rank and the bias into more columns of both factors, exactly.
    pub(crate) fn logits(&self, row: usize) -> Vec<f64> {
        let mut x: Vec<f32> = self.x.row(row).iter().map(|v| v.to_f32()).collect();
        if let Some((low, _)) = &self.low {
            x.extend(low.row(row).iter().map(|v| v.to_f32()));
        }
        x.push(1.0);
        let mut w = Vec::with_capacity(x.len() * self.w.rows);
        for token in 0..self.w.rows {
            let scale = self.scale.as_ref().map_or(1.0, |v| v[token]);
            w.extend(self.w.row(token).iter().map(|v| v.to_f32() * scale));
            if let Some((_, low)) = &self.low {
                w.extend(low.row(token).iter().map(|v| v.to_f32() * scale));
            }
            w.push(self.bias.as_ref().map_or(0.0, |v| v[token]));
        }
        let w = Params::from_f32(&w, self.w.rows, x.len());
        reference::logits(&x, &w, self.transform)
    }

    pub(crate) fn upload(&self, stream: &Stream) -> OnGpu {
        let vector = |v: &Option<Vec<f32>>| {
            let v = v.as_ref();
            v.map(|v| stream.upload("a vector", v).expect("memory"))
        };
        OnGpu {
            x: self.x.upload(stream),
            w: self.w.upload(stream),
            low: self
                .low
                .as_ref()
                .map(|(low, w)| (low.upload(stream), w.upload(stream))),
            scale: vector(&self.scale),
            bias: vector(&self.bias),
            transform: self.transform,
        }
    }
}

/// A model in a GPU's memory.
pub(crate) struct OnGpu {
    x: Resident,
    w: Resident,
    low: Option<(Resident, Resident)>,
    scale: Option<DeviceBuffer<f32>>,
    bias: Option<DeviceBuffer<f32>>,
    transform: LogitTransform,
}

impl OnGpu {
    pub(crate) fn slab(&self, rows: &Range<usize>, tokens: &Range<usize>) -> DeviceHeadModel<'_> {
        DeviceHeadModel {
            rows: self.x.some(rows.clone()),
            weights: self.w.some(tokens.clone()),
            low: self
                .low
                .as_ref()
                .map(|(low, w)| (low.some(rows.clone()), w.some(tokens.clone()))),
            scale: self.scale.as_ref().map(|v| v.slice(tokens.clone())),
            bias: self.bias.as_ref().map(|v| v.slice(tokens.clone())),
            transform: self.transform,
        }
    }
}

/// Numbers of one model.
#[derive(Debug, PartialEq)]
pub(crate) struct Numbers {
    pub(crate) lse: Vec<f64>,
    pub(crate) nll: Vec<f64>,
    pub(crate) kl: Vec<f64>,
}

impl Numbers {
    pub(crate) fn bits(&self) -> Vec<u64> {
        let all = [&self.lse, &self.nll, &self.kl];
        all.into_iter().flatten().map(|v| v.to_bits()).collect()
    }
}

/// Sums `models` over slabs that end at `ends`, and KL against the first if there are several.
pub(crate) fn run(
    stream: &Stream,
    models: &[&OnGpu],
    rows: Range<usize>,
    ends: &[usize],
    targets: &[Target],
) -> Vec<Numbers> {
    run_with(stream, models, rows, ends, targets, false)
}

/// As [`run`]; `shared`: with the first model's weights for all of them.
pub(crate) fn run_with(
    stream: &Stream,
    models: &[&OnGpu],
    rows: Range<usize>,
    ends: &[usize],
    targets: &[Target],
    shared: bool,
) -> Vec<Numbers> {
    let kl = models.len() > 1;
    let new = |_: &&OnGpu| DeviceHeadSums::new(stream, rows.len(), targets, kl).expect("memory");
    let mut sums: Vec<DeviceHeadSums> = models.iter().map(new).collect();
    let mut first = 0;
    for &end in ends {
        let slab = first..end;
        let mut slabs: Vec<_> = models.iter().map(|m| m.slab(&rows, &slab)).collect();
        if shared {
            let weights = slabs[0].weights;
            slabs.iter_mut().for_each(|slab| slab.weights = weights);
        }
        absorb(stream, &slabs, first, &mut sums).expect("launches");
        first = end;
    }
    let base = sums[0].logsumexp(stream).expect("sums");
    let numbers = |sums: &DeviceHeadSums| Numbers {
        lse: sums.logsumexp(stream).expect("sums"),
        nll: sums.nll(stream).expect("logits"),
        kl: if kl {
            sums.kl(stream, &base).expect("differences")
        } else {
            Vec::new()
        },
    };
    sums.iter().map(numbers).collect()
}

/// Several targets for some rows, one of them outside the vocabulary, none for others; not in the order of rows.
pub(crate) fn targets(rows: usize, tokens: usize) -> Vec<Target> {
    let row = |row: usize| {
        let inside = [0, tokens - 1, row * 37 % tokens, tokens / 2];
        let all = inside.into_iter().chain([tokens, u32::MAX as usize]);
        all.map(move |token| Target {
            row: row as u32,
            token: token as u32,
        })
    };
    (0..rows).step_by(11).rev().flat_map(row).collect()
}

/// Bits of kernels whose threads meet: of the head without and with transforms, and of KL.
pub(crate) fn sample(stream: &Stream) -> Vec<u32> {
    let (m, v) = (70, VOCAB_BLOCK + 130);
    let plain = Head::new(m, v, 70, 9);
    let general = plain.beside(Operand::random(m, 70, 1.0, 5)).with_vectors();
    let (plain, general) = (plain.upload(stream), general.upload(stream));
    let targets = targets(m, v);
    let (bare, other) = {
        let bare = Head::new(m, v, 70, 0);
        let other = bare.beside(Operand::random(m, 70, 1.0, 6));
        (bare.upload(stream), other.upload(stream))
    };
    let capped = Head::new(m, v, 70, 9).transformed(1.0, Some(30.0));
    let [beside, other_capped] = [7, 8].map(|seed| {
        let other = capped.beside(Operand::random(m, 70, 1.0, seed));
        other.upload(stream)
    });
    let capped = capped.upload(stream);
    let models: [&[&OnGpu]; 6] = [
        &[&plain],
        &[&general],
        &[&general, &plain],
        &[&bare, &plain],
        &[&capped],
        &[&beside, &capped],
    ];
    let shared: [&[&OnGpu]; 2] = [&[&bare, &other], &[&beside, &other_capped]];
    models
        .into_iter()
        .flat_map(|models| run(stream, models, 0..m, &[v], &targets))
        .chain(
            shared
                .into_iter()
                .flat_map(|models| run_with(stream, models, 0..m, &[v], &targets, true)),
        )
        .flat_map(|numbers| numbers.bits())
        .flat_map(|bits| [bits as u32, (bits >> 32) as u32])
        .collect()
}
