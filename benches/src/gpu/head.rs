//! The fused head, and the divergence of two models at it. No logits tensor exists.

use super::DeviceBench;
use super::drawn::DrawnRows;
use crate::measure::{Allowed, Work, compare};
use crate::peer::problem::{Problem, picked_f64};
use crate::shape::Shape;
use gradus_kernels::cross_entropy::device::{DeviceHeadModel, DeviceHeadSums, VOCAB_SLAB, absorb};
use gradus_kernels::cross_entropy::{LogitTransform, Target, reference};
use gradus_kernels::device::{DeviceError, Stream};

/// Logits of order ten, each a sum of thousands of products in f32.
const NLL: Allowed = Allowed::new(1e-4, 1e-5);
/// Differences of such.
const KL: Allowed = Allowed::new(1e-4, 1e-4);

struct Head {
    vocab: usize,
    hidden: usize,
    /// Hidden states of each model.
    rows: Vec<DrawnRows>,
    /// Head weights of each model, or one for all.
    weights: Vec<DrawnRows>,
    transform: LogitTransform,
    targets: Vec<Target>,
    sums: Vec<DeviceHeadSums>,
}

pub(super) fn build(
    stream: &Stream,
    shape: &Shape,
    models: usize,
) -> Result<Box<dyn DeviceBench>, DeviceError> {
    let [rows, vocab, hidden] = ["rows", "vocab", "hidden"].map(|name| shape.dim(name));
    // Logits with a spread of two or so, as models have them.
    let scale = 6.0 / (hidden as f32).sqrt();
    let heads = if shape.flag("shared") {
        1
    } else {
        models as u64
    };
    let drawn = |size, scale: f32, seed| DrawnRows::new(stream, [size, hidden], scale, seed);
    let target = |row| Target {
        row: row as u32,
        token: (row * 7919 % vocab) as u32,
    };
    let mut head = Head {
        vocab,
        hidden,
        rows: (0..models as u64)
            .map(|m| drawn(rows, 1.0, 2 * m))
            .collect::<Result<_, _>>()?,
        weights: (0..heads)
            .map(|m| drawn(vocab, scale, 2 * m + 1))
            .collect::<Result<_, _>>()?,
        transform: LogitTransform {
            soft_cap: shape.count("cap").map(|cap| cap as f32),
            ..LogitTransform::default()
        },
        targets: (0..rows).map(target).collect(),
        sums: Vec::new(),
    };
    head.prepare(stream)?;
    Ok(Box::new(head))
}

/// The weights of a model: its own, or those of all.
fn head_of(weights: &[DrawnRows], model: usize) -> &DrawnRows {
    weights.get(model).unwrap_or(&weights[0])
}

impl Head {
    fn logits(&self, model: usize, row: usize) -> Vec<f64> {
        let mut logits = head_of(&self.weights, model).products(self.rows[model].host(row));
        if let Some(cap) = self.transform.soft_cap.map(f64::from) {
            logits.iter_mut().for_each(|x| *x = cap * (*x / cap).tanh());
        }
        logits
    }

    /// Losses of every row by each model, and then of two their divergence.
    fn losses(&self, stream: &Stream) -> Result<Vec<Vec<f64>>, DeviceError> {
        let nll = self.sums.iter().map(|sums| sums.nll(stream));
        let mut losses: Vec<Vec<f64>> = nll.collect::<Result<_, _>>()?;
        if let [base, other] = &self.sums[..] {
            losses.push(other.kl(stream, &base.logsumexp(stream)?)?);
        }
        Ok(losses)
    }
}

impl DeviceBench for Head {
    fn work(&self) -> Work {
        let (rows, vocab, hidden) = (self.targets.len(), self.vocab, self.hidden);
        let (models, heads) = (self.rows.len(), self.weights.len());
        Work {
            flop: 2.0 * (rows * vocab * hidden * models) as f64,
            bytes: (heads * 2 * vocab * hidden + models * (2 * rows * hidden + 8 * rows)) as f64,
        }
    }

    fn captures(&self) -> bool {
        false
    }

    fn prepare(&mut self, stream: &Stream) -> Result<(), DeviceError> {
        let (rows, models) = (self.targets.len(), self.rows.len());
        self.sums = (0..models)
            .map(|model| DeviceHeadSums::new(stream, rows, &self.targets, model > 0))
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    fn run(&mut self, stream: &Stream) -> Result<(), DeviceError> {
        let views: Vec<_> = self
            .rows
            .iter()
            .enumerate()
            .map(|(model, x)| Ok((x.rows()?, head_of(&self.weights, model).rows()?)))
            .collect::<Result<_, DeviceError>>()?;
        for first in (0..self.vocab).step_by(VOCAB_SLAB) {
            let models: Vec<DeviceHeadModel<'_>> = views
                .iter()
                .map(|(rows, weights)| DeviceHeadModel {
                    rows: *rows,
                    weights: weights.slice(first, self.vocab.min(first + VOCAB_SLAB)),
                    low: None,
                    scale: None,
                    bias: None,
                    transform: self.transform,
                })
                .collect();
            absorb(stream, &models, first, &mut self.sums)?;
        }
        Ok(())
    }

    fn problem(&self) -> Option<Problem<'_>> {
        if self.transform.soft_cap.is_some() {
            return None;
        }
        let models = self.rows.iter().enumerate();
        let models = models.map(|(model, x)| (x.matrix(), head_of(&self.weights, model).matrix()));
        Some(Problem::head(
            models.collect(),
            self.targets.iter().map(|target| target.token).collect(),
            NLL,
            KL,
        ))
    }

    fn left(&self, stream: &Stream, rows: &[usize]) -> Result<Vec<Vec<f32>>, DeviceError> {
        let losses = self.losses(stream)?;
        Ok(losses.iter().map(|loss| picked_f64(loss, rows)).collect())
    }

    fn check(&mut self, stream: &Stream) -> Result<f64, String> {
        let failed = |error: DeviceError| error.to_string();
        self.prepare(stream)
            .and_then(|()| self.run(stream))
            .map_err(failed)?;
        let losses = self.losses(stream).map_err(failed)?;
        let mut worst: f64 = 0.0;
        for row in [0, self.targets.len() - 1] {
            let token = self.targets[row].token as usize;
            let logits: Vec<_> = (0..self.rows.len()).map(|m| self.logits(m, row)).collect();
            for (logits, nll) in logits.iter().zip(&losses) {
                let want = reference::logsumexp(logits) - logits[token];
                let what = format!("nll of row {row}");
                worst = worst.max(compare(&[nll[row] as f32], &[want], NLL, &what)?);
            }
            if let ([base, other], [.., kl]) = (&logits[..], &losses[..]) {
                let want = reference::kl(other, base);
                let what = format!("KL of row {row}");
                worst = worst.max(compare(&[kl[row] as f32], &[want], KL, &what)?);
            }
        }
        Ok(worst)
    }
}
