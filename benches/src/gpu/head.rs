//! The fused head, and the divergence of two models at it. No logits tensor exists.

use super::DeviceBench;
use super::drawn::{DrawnRows, dot};
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
    /// Hidden states and head weights of each model.
    models: Vec<(DrawnRows, DrawnRows)>,
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
    let model = |m| {
        Ok((
            DrawnRows::new(stream, [rows, hidden], 1.0, 2 * m)?,
            DrawnRows::new(stream, [vocab, hidden], scale, 2 * m + 1)?,
        ))
    };
    let target = |row| Target {
        row: row as u32,
        token: (row * 7919 % vocab) as u32,
    };
    let mut head = Head {
        vocab,
        hidden,
        models: (0..models as u64)
            .map(model)
            .collect::<Result<_, DeviceError>>()?,
        targets: (0..rows).map(target).collect(),
        sums: Vec::new(),
    };
    head.prepare(stream)?;
    Ok(Box::new(head))
}

impl Head {
    fn logits(&self, model: usize, row: usize) -> Vec<f64> {
        let (x, w) = &self.models[model];
        let x = x.host(row);
        (0..self.vocab).map(|token| dot(x, w.host(token))).collect()
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
        let models = self.models.len();
        Work {
            flop: 2.0 * (rows * vocab * hidden * models) as f64,
            bytes: (models * (2 * vocab * hidden + 2 * rows * hidden + 8 * rows)) as f64,
        }
    }

    fn captures(&self) -> bool {
        false
    }

    fn prepare(&mut self, stream: &Stream) -> Result<(), DeviceError> {
        let (rows, models) = (self.targets.len(), self.models.len());
        self.sums = (0..models)
            .map(|model| DeviceHeadSums::new(stream, rows, &self.targets, model > 0))
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    fn run(&mut self, stream: &Stream) -> Result<(), DeviceError> {
        let views: Vec<_> = self
            .models
            .iter()
            .map(|(x, w)| Ok((x.rows()?, w.rows()?)))
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
                    transform: LogitTransform::default(),
                })
                .collect();
            absorb(stream, &models, first, &mut self.sums)?;
        }
        Ok(())
    }

    fn problem(&self) -> Option<Problem<'_>> {
        let models = self.models.iter().map(|(x, w)| (x.matrix(), w.matrix()));
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
            let logits: Vec<_> = (0..self.models.len())
                .map(|m| self.logits(m, row))
                .collect();
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
