//! The fused head on a GPU: log-sum-exp and target logits over a vocabulary in slabs, and KL against a base; no logits tensor exists.
//!
//! A slab's logits are reduced in registers to a maximum and a sum of exponentials for each row and block of [`VOCAB_BLOCK`] tokens,
//! in f32; blocks are merged on the device in f64, in the order of the vocabulary. Targets' logits are products of their own.
//!
//! **Determinism.** As on the CPU: a row's numbers do not depend on the other rows, on slabs, or on how many models are computed.

mod kernels;

use super::{LogitTransform, Target};
use crate::device::check::{equal, narrow, refused};
use crate::device::{DeviceBuffer, DeviceError, DeviceRows, DeviceView, Stream};
use half::bf16;
use kernels::{Partials, kind, merge, target_logits};

/// Tokens whose exponentials are summed in f32 before they are merged in f64. Part of the device's numeric contract.
pub const VOCAB_BLOCK: usize = super::hopper::HOPPER_VOCAB_BLOCK;
/// A good number of tokens to take at a time: enough to fill a GPU, and whole blocks.
pub const VOCAB_SLAB: usize = 12 * VOCAB_BLOCK;

/// One model at the head: its rows, and the weights of this slab that are its own.
#[derive(Clone, Copy, Debug)]
pub struct DeviceHeadModel<'a> {
    /// Final hidden states, `[rows, hidden_size]`.
    pub rows: DeviceRows<'a, bf16>,
    /// Head weights of the slab, `[tokens, hidden_size]`.
    pub weights: DeviceRows<'a, bf16>,
    /// A low-rank addition: `[rows, rank]` (scaled) and `[tokens, rank]`.
    pub low: Option<(DeviceRows<'a, bf16>, DeviceRows<'a, bf16>)>,
    /// Factor of each of the slab's tokens, before the bias.
    pub scale: Option<DeviceView<'a, f32>>,
    /// Bias of the slab's tokens.
    pub bias: Option<DeviceView<'a, f32>>,
    /// What happens to its logits.
    pub transform: LogitTransform,
}

/// Sums of one model over the vocabulary so far.
#[derive(Debug)]
pub struct DeviceHeadSums {
    rows: usize,
    tokens: usize,
    max: DeviceBuffer<f64>,
    sum: DeviceBuffer<f64>,
    /// `sum_v e^(f_v - max) (f_v - b_v)`, if a KL is asked for.
    difference: Option<DeviceBuffer<f64>>,
    /// Row and token of each target, and its logit.
    targets: DeviceBuffer<u32>,
    target_rows: Vec<u32>,
    logits: DeviceBuffer<f32>,
}

impl DeviceHeadSums {
    /// Nothing summed yet, of `rows` rows.
    ///
    /// # Errors
    /// If a target names a row that does not exist, or memory is used up.
    pub fn new(
        stream: &Stream,
        rows: usize,
        targets: &[Target],
        kl: bool,
    ) -> Result<Self, DeviceError> {
        if let Some(target) = targets.iter().find(|t| t.row as usize >= rows) {
            let op = format!("a head of {rows} rows on the device");
            return refused(
                &op,
                "the row of a target",
                target.row,
                format!("below {rows}"),
            );
        }
        let flat: Vec<u32> = targets.iter().flat_map(|t| [t.row, t.token]).collect();
        let zeros = || stream.alloc_zeroed("sums of the head", rows);
        Ok(Self {
            rows,
            tokens: 0,
            max: stream.upload("maxima of the head", &vec![f64::NEG_INFINITY; rows])?,
            sum: zeros()?,
            difference: kl.then(zeros).transpose()?,
            targets: stream.upload("targets of the head", &flat)?,
            target_rows: targets.iter().map(|t| t.row).collect(),
            logits: stream.upload("logits of targets", &vec![f32::NAN; targets.len()])?,
        })
    }

    /// Log-sum-exp of each row's logits, once all work is done.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn logsumexp(&self, stream: &Stream) -> Result<Vec<f64>, DeviceError> {
        let (max, sum) = (
            stream.download(self.max.view())?,
            stream.download(self.sum.view())?,
        );
        Ok(max
            .iter()
            .zip(&sum)
            .map(|(max, sum)| max + libm::log(*sum))
            .collect())
    }

    /// Negative log-likelihood of each target, nats, in the order they were given; NaN for a token outside the vocabulary that
    /// went by.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn nll(&self, stream: &Stream) -> Result<Vec<f64>, DeviceError> {
        let lse = self.logsumexp(stream)?;
        let logits = stream.download(self.logits.view())?;
        Ok(self
            .target_rows
            .iter()
            .zip(&logits)
            .map(|(&row, &logit)| lse[row as usize] - f64::from(logit))
            .collect())
    }

    /// KL(this || base) of each row, nats, where `base` is the base's log-sum-exp.
    ///
    /// # Errors
    /// If KL was not asked for, or the device is lost.
    pub fn kl(&self, stream: &Stream, base: &[f64]) -> Result<Vec<f64>, DeviceError> {
        let op = format!("KL of {} rows on the device", self.rows);
        equal(&op, "the number of the base's rows", base.len(), self.rows)?;
        let Some(difference) = &self.difference else {
            return refused(&op, "what was summed", "likelihoods", "differences as well");
        };
        let (own, sum) = (self.logsumexp(stream)?, stream.download(self.sum.view())?);
        let difference = stream.download(difference.view())?;
        Ok((0..self.rows)
            .map(|row| difference[row] / sum[row] - own[row] + base[row])
            .collect())
    }
}

/// Takes the next slab of the vocabulary, for several models at once. Sums that ask for a KL are against the first model, the base;
/// all then have the same rows.
///
/// Slabs come in order; each but the last is a whole number of [`VOCAB_BLOCK`]s.
///
/// # Errors
/// If a slab is out of order, sizes disagree, or memory is used up.
pub fn absorb(
    stream: &Stream,
    models: &[DeviceHeadModel<'_>],
    first: usize,
    sums: &mut [DeviceHeadSums],
) -> Result<(), DeviceError> {
    let Some(base) = models.first() else {
        return Ok(());
    };
    let tokens = base.weights.rows();
    let op = format!("a slab of {tokens} tokens from {first} at the head on the device");
    equal(&op, "the number of sums", sums.len(), models.len())?;
    equal(
        &op,
        "the first token's place in its block",
        first % VOCAB_BLOCK,
        0,
    )?;
    narrow(&op, "the last token", first + tokens)?;
    for (model, sum) in models.iter().zip(sums.iter()) {
        equal(&op, "the first token", first, sum.tokens)?;
        equal(&op, "the number of tokens", model.weights.rows(), tokens)?;
        equal(&op, "the number of rows", model.rows.rows(), sum.rows)?;
        equal(
            &op,
            "the hidden size",
            model.rows.cols(),
            model.weights.cols(),
        )?;
        if sum.difference.is_some() {
            equal(
                &op,
                "the number of rows beside the base's",
                sum.rows,
                base.rows.rows(),
            )?;
        }
        if let Some((low, b)) = model.low {
            equal(&op, "the rows of low", low.rows(), sum.rows)?;
            equal(&op, "the rows of the low-rank weights", b.rows(), tokens)?;
            equal(
                &op,
                "the rank of the low-rank weights",
                b.cols(),
                low.cols(),
            )?;
        }
        for (what, vector) in [
            ("the length of scale", model.scale),
            ("the length of bias", model.bias),
        ] {
            equal(&op, what, vector.map_or(tokens, |v| v.len()), tokens)?;
        }
    }
    // Where there is something to compare it with, the base's sums come with the first comparison that gives them the bits of any other.
    let compares = |i: usize, sum: &DeviceHeadSums| i > 0 && sum.difference.is_some();
    let with_base = (1..models.len()).find(|&i| {
        let kernel = kind(&models[i]).with(kind(base));
        compares(i, &sums[i]) && sums[i].rows > 0 && kind(base).has_same_bits_in(kernel)
    });
    for i in (0..models.len()).filter(|_| tokens > 0) {
        let model = &models[i];
        if sums[i].rows == 0 {
            continue;
        }
        target_logits(stream, model, first, &mut sums[i])?;
        if i == 0 && with_base.is_some() {
            continue;
        }
        let against = compares(i, &sums[i]).then_some(base);
        let (own, of_base) = Partials::of(stream, model, against)?;
        merge(stream, &own, &mut sums[i])?;
        if let Some(of_base) = of_base.filter(|_| Some(i) == with_base) {
            merge(stream, &of_base, &mut sums[0])?;
        }
    }
    for sum in sums {
        sum.tokens += tokens;
    }
    Ok(())
}
