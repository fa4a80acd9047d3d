//! Causal attention: the function that LibTorch has for it, a mask where there is a window, and plain tensors where scores are capped.

use super::{Done, Operation};
use gradus_kernels::attention::AttentionShape;
use tch::{Device, Kind, Tensor};

pub(super) struct Attention {
    shape: AttentionShape,
    lengths: Vec<i64>,
    /// What is computed together: sequences of one length, or one sequence.
    parts: Vec<Part>,
}

/// Queries, keys and values, each `[sequences, heads, length, head_dim]`.
struct Part {
    q: Tensor,
    k: Tensor,
    v: Tensor,
    /// Which keys a query sees, where that is not those before it.
    seen: Option<Tensor>,
}

/// Which keys the queries at `places` see, `[places, length]`.
fn seen(places: &Tensor, length: i64, window: Option<usize>) -> Done<Tensor> {
    let keys = Tensor::f_arange(length, (Kind::Int64, places.device()))?;
    // How far back a key lies.
    let back = places.f_unsqueeze(1)?.f_sub(&keys.f_unsqueeze(0)?)?;
    let before = back.f_ge(0)?;
    match window {
        None => Ok(before),
        Some(window) => before.f_logical_and(&back.f_lt(window as i64)?),
    }
}

impl Attention {
    pub(super) fn new(shape: AttentionShape, lengths: &[usize], qkv: Tensor) -> Done<Self> {
        let lengths: Vec<i64> = lengths.iter().map(|&n| n as i64).collect();
        let alike = lengths.windows(2).all(|pair| pair[0] == pair[1]);
        let together: Vec<i64> = match alike {
            true => vec![lengths.iter().sum()],
            false => lengths.clone(),
        };
        let device = qkv.device();
        let dim = shape.head_dim as i64;
        let heads = [shape.num_heads, shape.num_kv_heads, shape.num_kv_heads];
        let part = |rows: &Tensor| {
            let length = if alike { lengths[0] } else { rows.size()[0] };
            let wide = rows.f_view([-1, length, rows.size()[1]])?;
            let mut first = 0;
            let mut cut = |heads: usize| {
                let (at, width) = (first, heads as i64 * dim);
                first += width;
                let part = wide.f_narrow(2, at, width)?;
                part.f_reshape([-1, length, heads as i64, dim])?
                    .f_transpose(1, 2)
            };
            let narrow = shape.window.is_some() || shape.soft_cap.is_some();
            let places = || Tensor::f_arange(length, (Kind::Int64, device));
            Ok(Part {
                q: cut(heads[0])?,
                k: cut(heads[1])?,
                v: cut(heads[2])?,
                seen: match narrow {
                    true => Some(seen(&places()?, length, shape.window)?),
                    false => None,
                },
            })
        };
        let parts = qkv.f_split_with_sizes(together, 0)?;
        Ok(Self {
            parts: parts.iter().map(part).collect::<Done<_>>()?,
            shape,
            lengths,
        })
    }

    fn scale(&self) -> f64 {
        f64::from(self.shape.scale)
    }

    /// Heads that share a key.
    fn group(&self) -> i64 {
        (self.shape.num_heads / self.shape.num_kv_heads) as i64
    }

    /// By the definition: capped scores of what is seen, softmax, means.
    fn defined(&self, q: &Tensor, k: &Tensor, v: &Tensor, seen: &Tensor) -> Done<Tensor> {
        let shared = |t: &Tensor| t.f_repeat_interleave_self_int(self.group(), 1, None);
        let scores = q.f_matmul(&shared(k)?.f_transpose(-2, -1)?)?;
        let mut scores = scores.f_mul_scalar(self.scale())?;
        if let Some(cap) = self.shape.soft_cap.map(f64::from) {
            scores = scores.f_div_scalar(cap)?.f_tanh()?.f_mul_scalar(cap)?;
        }
        let scores = scores.f_masked_fill(&seen.f_logical_not()?, f64::NEG_INFINITY)?;
        scores.f_softmax(-1, None)?.f_matmul(&shared(v)?)
    }

    fn computed(&self, part: &Part) -> Done<Tensor> {
        let Part { q, k, v, seen } = part;
        match seen {
            Some(seen) if self.shape.soft_cap.is_some() => self.defined(q, k, v, seen),
            seen => Tensor::f_scaled_dot_product_attention(
                q,
                k,
                v,
                seen.as_ref(),
                0.0,
                seen.is_none(),
                self.scale(),
                self.group() > 1,
            ),
        }
    }
}

/// `[sequences, heads, length, head_dim]` as packed rows.
fn packed(out: &Tensor) -> Done<Tensor> {
    out.f_transpose(1, 2)?.f_flatten(2, 3)?.f_flatten(0, 1)
}

impl Operation for Attention {
    fn way(&self) -> String {
        let how = match (self.shape.soft_cap, self.shape.window) {
            (Some(_), _) => " plain",
            (None, Some(_)) => " SDPA with a mask",
            (None, None) => " SDPA",
        };
        let by_row = if self.parts.len() > 1 { " by row" } else { "" };
        format!("{how}{by_row}")
    }

    fn timed(&self) -> Done<Vec<Tensor>> {
        let outs = self.parts.iter().map(|part| packed(&self.computed(part)?));
        let outs = outs.collect::<Done<Vec<_>>>()?;
        Ok(vec![match &outs[..] {
            [one] => one.shallow_clone(),
            all => Tensor::f_cat(all, 0)?,
        }])
    }

    fn exact(&self, rows: &Tensor) -> Done<Vec<Tensor>> {
        let wanted: Vec<i64> = super::values(&rows.f_to(Device::Cpu)?)?;
        let (mut first, mut outs) = (0, Vec::new());
        for (sequence, &length) in self.lengths.iter().enumerate() {
            let inside = wanted.iter().map(|row| row - first);
            let inside: Vec<i64> = inside.filter(|row| (0..length).contains(row)).collect();
            first += length;
            if inside.is_empty() {
                continue;
            }
            let (part, at) = match &self.parts[..] {
                [one] => (one, sequence as i64),
                parts => (&parts[sequence], 0),
            };
            let of = |t: &Tensor| t.f_narrow(0, at, 1)?.f_totype(Kind::Double);
            let places = Tensor::f_from_slice(&inside)?.f_to(rows.device())?;
            let q = of(&part.q)?.f_index_select(2, &places)?;
            let seen = seen(&places, length, self.shape.window)?;
            outs.push(packed(&self.defined(
                &q,
                &of(&part.k)?,
                &of(&part.v)?,
                &seen,
            )?)?);
        }
        Ok(vec![Tensor::f_cat(&outs, 0)?])
    }
}
