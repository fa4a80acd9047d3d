//! Products with large weights, and losses over them.

use super::{Done, Operation, wide_rows};
use tch::{Kind, Reduction, Tensor};

/// Values of a weight that are widened to f64 together.
const WIDE: i64 = 1 << 25;

/// `x w^T` in f64, of `rows` of x.
fn product(x: &Tensor, w: &Tensor, rows: &Tensor) -> Done<Tensor> {
    let x = wide_rows(x, rows)?;
    let slabs = w.f_split((WIDE / w.size()[1].max(1)).max(1), 0)?;
    let part = |slab: &Tensor| x.f_matmul(&slab.f_totype(Kind::Double)?.f_transpose(0, 1)?);
    let parts = slabs.iter().map(part).collect::<Done<Vec<_>>>()?;
    Tensor::f_cat(&parts, 1)
}

/// A linear layer without bias, into the same tensor each time, as ours.
pub(super) struct Linear {
    x: Tensor,
    w: Tensor,
    out: Tensor,
}

impl Linear {
    pub(super) fn new(x: Tensor, w: Tensor) -> Done<Self> {
        let out = Tensor::f_zeros([x.size()[0], w.size()[0]], (x.kind(), x.device()))?;
        Ok(Self { x, w, out })
    }
}

impl Operation for Linear {
    fn timed(&self) -> Done<Vec<Tensor>> {
        Ok(vec![self.x.f_linear_out(
            &self.out,
            &self.w,
            None::<Tensor>,
        )?])
    }

    fn exact(&self, rows: &Tensor) -> Done<Vec<Tensor>> {
        Ok(vec![product(&self.x, &self.w, rows)?])
    }
}

/// Losses over logits that exist, in as many pieces of rows as memory asks for.
pub(super) struct Head {
    models: Vec<(Tensor, Tensor)>,
    tokens: Tensor,
    /// Rows of a piece.
    piece: i64,
}

impl Head {
    pub(super) fn new(
        models: Vec<(Tensor, Tensor)>,
        tokens: Tensor,
        room_bytes: f64,
    ) -> Done<Self> {
        // Logits, in f32 and their logarithms of probabilities; of two models both, and three tensors of their divergence.
        let (x, w) = &models[0];
        let narrow = if x.kind() == Kind::Float { 0 } else { 2 };
        let tensors = if models.len() > 1 { 7 } else { 2 };
        let row_bytes = (w.size()[0] * (narrow + 4 * tensors)) as f64;
        let piece = ((room_bytes / row_bytes) as i64).clamp(1, x.size()[0].max(1));
        Ok(Self {
            models,
            tokens,
            piece,
        })
    }

    fn rows(&self) -> i64 {
        self.tokens.size()[0]
    }

    /// The results of rows from `first` on.
    fn losses(&self, first: i64) -> Done<Vec<Tensor>> {
        let count = self.piece.min(self.rows() - first);
        let tokens = self.tokens.f_narrow(0, first, count)?;
        let logits = |(x, w): &(Tensor, Tensor)| {
            x.f_narrow(0, first, count)?
                .f_linear(w, None::<Tensor>)?
                .f_totype(Kind::Float)
        };
        let [base, other] = &self.models[..] else {
            let logits = logits(&self.models[0])?;
            let loss =
                logits.f_cross_entropy_loss(&tokens, None::<Tensor>, Reduction::None, -100, 0.0);
            return Ok(vec![loss?]);
        };
        let log_p = |model| logits(model)?.f_log_softmax(-1, None);
        let (base, other) = (log_p(base)?, log_p(other)?);
        let nll = |log_p: &Tensor| log_p.f_nll_loss(&tokens, None::<Tensor>, Reduction::None, -100);
        let kl = base.f_kl_div(&other, Reduction::None, true)?;
        let kl = kl.f_sum_dim_intlist(-1, false, None)?;
        Ok(vec![nll(&base)?, nll(&other)?, kl])
    }
}

impl Operation for Head {
    fn way(&self) -> String {
        match (self.rows() + self.piece - 1) / self.piece.max(1) {
            0 | 1 => " whole logits".to_owned(),
            pieces => format!(" logits in {pieces} pieces"),
        }
    }

    fn timed(&self) -> Done<Vec<Tensor>> {
        let firsts = (0..self.rows()).step_by(self.piece as usize);
        let pieces = firsts
            .map(|first| self.losses(first))
            .collect::<Done<Vec<_>>>()?;
        let results = pieces.first().map_or(0, Vec::len);
        let joined = (0..results).map(|result| {
            let parts: Vec<&Tensor> = pieces.iter().map(|piece| &piece[result]).collect();
            Tensor::f_cat(&parts, 0)
        });
        joined.collect()
    }

    fn exact(&self, rows: &Tensor) -> Done<Vec<Tensor>> {
        let tokens = self.tokens.f_index_select(0, rows)?.f_unsqueeze(1)?;
        let log_p = |(x, w): &(Tensor, Tensor)| {
            let logits = product(x, w, rows)?;
            logits.f_sub(&logits.f_logsumexp(-1, true)?)
        };
        let log_ps = self.models.iter().map(log_p).collect::<Done<Vec<_>>>()?;
        let nll = |log_p: &Tensor| log_p.f_gather(1, &tokens, false)?.f_neg();
        let mut results = log_ps.iter().map(nll).collect::<Done<Vec<_>>>()?;
        if let [base, other] = &log_ps[..] {
            let terms = other.f_exp()?.f_mul(&other.f_sub(base)?)?;
            results.push(terms.f_sum_dim_intlist(-1, false, None)?);
        }
        Ok(results)
    }
}
