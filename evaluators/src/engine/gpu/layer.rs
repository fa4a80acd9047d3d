//! One decoder layer of one member over a chunk, on the GPU.
//!
//! Queries, keys and values of the whole chunk are there at once, since rows look at rows; everything else goes by in tiles of
//! tokens, so that what is wide is never long.

use super::adapter::{AdapterPlan, LinearPlan};
use super::prepared::Prepared;
use super::weights::{LayerPlan, Vector};
use super::{GpuExecutor, States};
use crate::engine::executor::{Step, StepError};
use crate::model::{Model, QkNorm};
use crate::plan::tile_tokens;
use gradus_checkpoint::ModelConfig;
use gradus_kernels::attention::device::{DeviceQkv, attention};
use gradus_kernels::device::{
    DeviceBuffer, DeviceError, DeviceRows, DeviceRowsMut, DeviceView, Stream, aligned_stride,
};
use gradus_kernels::linear::device::{LinearArgs, LinearOut, linear};
use gradus_kernels::rms_norm::device::{add_normed, rms_norm, rms_norm_heads};
use gradus_kernels::rope::device::{rotate, scale_rows};
use gradus_kernels::rows::device::{gather_bf16, gather_f32, to_bf16};
use half::bf16;
use thiserror::Error;

/// A bf16 matrix of its own.
struct Bf16 {
    buffer: DeviceBuffer<bf16>,
    rows: usize,
    cols: usize,
}

impl Bf16 {
    fn alloc(stream: &Stream, what: &str, rows: usize, cols: usize) -> Result<Self, DeviceError> {
        let buffer = stream.alloc(what, rows * aligned_stride(cols))?;
        Ok(Self { buffer, rows, cols })
    }

    fn rows(&self) -> Result<DeviceRows<'_, bf16>, DeviceError> {
        DeviceRows::new(
            self.buffer.view(),
            self.rows,
            self.cols,
            aligned_stride(self.cols),
        )
    }

    fn rows_mut(&mut self) -> Result<DeviceRowsMut<'_, bf16>, DeviceError> {
        let (rows, cols) = (self.rows, self.cols);
        DeviceRowsMut::new(self.buffer.view_mut(), rows, cols, aligned_stride(cols))
    }
}

/// One linear layer with what the member's adapter does to it.
struct Linear<'a> {
    w: DeviceRows<'a, bf16>,
    delta: Option<super::adapter::Delta<'a>>,
    /// DoRA's factors.
    factors: Option<DeviceBuffer<f32>>,
    bias: Option<DeviceView<'a, f32>>,
}

impl<'a> Linear<'a> {
    fn new(
        stream: &Stream,
        w: DeviceRows<'a, bf16>,
        bias: Option<DeviceView<'a, f32>>,
        plan: Option<&LinearPlan>,
        memory: Option<DeviceView<'a, u8>>,
    ) -> Result<Self, DeviceError> {
        let (Some(plan), Some(memory)) = (plan, memory) else {
            return Ok(Self {
                w,
                delta: None,
                factors: None,
                bias,
            });
        };
        let delta = plan.view(memory)?;
        let factors = plan.dora(stream, w, &delta, memory)?;
        let bias = delta.bias.or(bias);
        Ok(Self {
            w,
            delta: Some(delta),
            factors,
            bias,
        })
    }

    fn apply(
        &self,
        stream: &Stream,
        x: DeviceRows<'_, bf16>,
        out: LinearOut<'_>,
    ) -> Result<(), DeviceError> {
        let mut low = None;
        if let Some(delta) = &self.delta {
            let mut product =
                Bf16::alloc(stream, "an adapter's product", x.rows(), delta.a.rows())?;
            let args = LinearArgs {
                x,
                w: delta.a,
                low: None,
                scale: Some(delta.scale),
                bias: None,
            };
            linear(stream, &args, LinearOut::Bf16(product.rows_mut()?))?;
            low = Some((product, delta.b));
        }
        let low = match &low {
            Some((product, b)) => Some((product.rows()?, *b)),
            None => None,
        };
        let args = LinearArgs {
            x,
            w: self.w,
            low,
            scale: self.factors.as_ref().map(DeviceBuffer::view),
            bias: self.bias,
        };
        linear(stream, &args, out)
    }
}

/// A layer's weights, as this member has them.
struct Weights<'a> {
    plan: &'a LayerPlan,
    memory: DeviceView<'a, u8>,
    qkv: Linear<'a>,
    o: Linear<'a>,
    gate_up: Linear<'a>,
    down: Linear<'a>,
}

impl<'a> Weights<'a> {
    fn new(
        stream: &Stream,
        plan: &'a LayerPlan,
        memory: DeviceView<'a, u8>,
        adapter: Option<(&'a AdapterPlan, DeviceView<'a, u8>)>,
    ) -> Result<Self, DeviceError> {
        let delta_memory = adapter.map(|(_, memory)| memory);
        let linear = |place: &super::matrix::MatrixPlace, bias, delta: Option<&LinearPlan>| {
            let bias = plan.vector(bias, memory);
            Linear::new(stream, place.view(memory)?, bias, delta, delta_memory)
        };
        let of = |get: fn(&AdapterPlan) -> &Option<LinearPlan>| {
            adapter.and_then(|(a, _)| get(a).as_ref())
        };
        Ok(Self {
            qkv: linear(&plan.qkv, Vector::QkvBias, of(|a| &a.qkv))?,
            o: linear(&plan.o, Vector::OBias, of(|a| &a.o))?,
            gate_up: linear(&plan.gate_up, Vector::GateUpBias, of(|a| &a.gate_up))?,
            down: linear(&plan.down, Vector::DownBias, of(|a| &a.down))?,
            plan,
            memory,
        })
    }

    fn vector(&self, which: Vector) -> Option<DeviceView<'a, f32>> {
        self.plan.vector(which, self.memory)
    }
}

/// What a layer's parts share.
struct Pass<'a> {
    stream: &'a Stream,
    step: Step<'a>,
    prepared: &'a Prepared,
    weights: Weights<'a>,
    tile: usize,
}

impl GpuExecutor {
    /// `hidden = layer(hidden)`.
    pub(super) fn forward(
        &mut self,
        step: Step<'_>,
        prepared: &Prepared,
        hidden: &mut States,
    ) -> Result<(), StepError> {
        let own = if step.replaced {
            let tensors = &step.model.layers[step.layer];
            let layer = LayerPlan::read(tensors, self.own.staging())?;
            let sent = self.own.send_staged(layer.staged, &self.stream)?;
            Some((layer.plan, sent))
        } else {
            None
        };
        let shared = self
            .current
            .as_ref()
            .expect("a layer was taken before its steps");
        let (plan, memory) = match &own {
            Some((plan, sent)) => (plan, self.own.view(sent)),
            None => (&shared.0, self.layers.view(&shared.1)),
        };
        let adapter = match AdapterPlan::read(&step, plan)? {
            Some(adapter) => {
                let sent = adapter.send(&mut self.adapters, &self.stream)?;
                Some((adapter, sent))
            }
            None => None,
        };
        let delta = adapter
            .as_ref()
            .map(|(plan, sent)| (plan, self.adapters.view(sent)));
        let pass = Pass {
            stream: &self.stream,
            step,
            prepared,
            weights: Weights::new(&self.stream, plan, memory, delta)?,
            tile: self.tile_tokens.min(tile_tokens(
                &step.model.config,
                self.stream.gpu().info().memory_bytes,
            )),
        };
        pass.forward(hidden)?;
        Ok(())
    }
}

impl Pass<'_> {
    fn model(&self) -> &Model {
        self.step.model
    }

    fn forward(&self, hidden: &mut States) -> Result<(), DeviceError> {
        let c = &self.model().config;
        let is_last = self.step.layer + 1 == c.num_layers;
        let (q, kv) = (c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim);
        let (k_at, v_at) = key_columns(&self.model().config);
        let tokens = hidden.rows;
        let mut qkv = Bf16::alloc(self.stream, "queries, keys and values", tokens, v_at + kv)?;
        for (from, to) in tiles(tokens, self.tile) {
            let rows = qkv.rows_mut()?.into_slice(from, to);
            self.project_qkv(hidden, from, to, rows)?;
        }
        let mut attended = Bf16::alloc(self.stream, "attended values", tokens, q)?;
        let segments = if is_last {
            &self.prepared.last_segments
        } else {
            &self.prepared.segments
        };
        let shape = self.model().attention(self.step.layer);
        let rows = DeviceQkv {
            rows: qkv.rows()?,
            k: k_at,
            v: v_at,
        };
        attention(self.stream, &shape, rows, segments, attended.rows_mut()?)?;
        drop(qkv);
        if is_last {
            let needed = &self.prepared.head_tokens;
            let mut some = States::alloc(self.stream, needed.len(), hidden.cols)?;
            gather_f32(self.stream, hidden.rows()?, needed.view(), some.rows_mut()?)?;
            *hidden = some;
            let mut some = Bf16::alloc(self.stream, "attended values", needed.len(), q)?;
            gather_bf16(
                self.stream,
                attended.rows()?,
                needed.view(),
                some.rows_mut()?,
            )?;
            attended = some;
        }
        for (from, to) in tiles(hidden.rows, self.tile) {
            let x = attended.rows()?.slice(from, to);
            let norm = self.weights.vector(Vector::NormAfterAttention);
            self.add_back(
                &self.weights.o,
                x,
                norm,
                hidden.rows_mut()?.into_slice(from, to),
            )?;
            self.add_mlp(hidden, from, to)?;
        }
        Ok(())
    }

    /// Norm, projections, query and key norms, rotation, of tokens `from..to`.
    fn project_qkv(
        &self,
        hidden: &States,
        from: usize,
        to: usize,
        mut out: DeviceRowsMut<'_, bf16>,
    ) -> Result<(), DeviceError> {
        let c = &self.model().config;
        let (q, kv) = (c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim);
        let (k_at, _) = key_columns(c);
        let norm = self.weights.vector(Vector::NormBeforeAttention);
        let x = self.normed(hidden.rows()?.slice(from, to), norm)?;
        self.weights
            .qkv
            .apply(self.stream, x.rows()?, LinearOut::Bf16(out.reborrow()))?;
        if self.model().description.qk_norm != QkNorm::None {
            let (eps, gain) = (c.rms_norm_eps, self.model().description.gain);
            for (which, at, width) in [(Vector::QNorm, 0, q), (Vector::KNorm, k_at, kv)] {
                let norm = self
                    .weights
                    .vector(which)
                    .expect("families with this norm have its weights");
                let heads = out.reborrow().into_columns(at, width)?;
                rms_norm_heads(self.stream, heads, norm, eps, gain)?;
            }
        }
        if let Some(rope) = self.model().rope_of(self.step.layer) {
            for (range, class) in &self.step.chunk.classes[self.step.first_rope + rope] {
                let (first, last) = (range.start.max(from), range.end.min(to));
                if first >= last {
                    continue;
                }
                let positions = self.prepared.positions.slice(first..last);
                let table = &self.prepared.tables[rope][class];
                // Queries and keys are neighbours where they start at 16 bytes by themselves.
                let parts = if k_at == q {
                    vec![(0, q + kv)]
                } else {
                    vec![(0, q), (k_at, kv)]
                };
                for (at, width) in parts {
                    let heads = out.reborrow().into_columns(at, width)?;
                    let heads = heads.into_slice(first - from, last - from);
                    rotate(self.stream, heads, c.head_dim, table, positions)?;
                }
            }
        }
        if let Some(factors) = &self.prepared.query_factors {
            scale_rows(
                self.stream,
                out.into_columns(0, q)?,
                factors.slice(from..to),
            )?;
        }
        Ok(())
    }

    /// `hidden += residual_multiplier * norm(down(act(gate(x)) * up(x)))` with `x = norm(hidden)`, for tokens `from..to`.
    fn add_mlp(&self, hidden: &mut States, from: usize, to: usize) -> Result<(), DeviceError> {
        let inner = self.model().config.intermediate_size;
        let norm = self.weights.vector(Vector::NormBeforeMlp);
        let x = self.normed(hidden.rows()?.slice(from, to), norm)?;
        let mut inside = Bf16::alloc(self.stream, "the MLP's inside", to - from, inner)?;
        let out = LinearOut::Gated {
            rows: inside.rows_mut()?,
            activation: self.model().activation,
        };
        self.weights.gate_up.apply(self.stream, x.rows()?, out)?;
        let norm = self.weights.vector(Vector::NormAfterMlp);
        let hidden = hidden.rows_mut()?.into_slice(from, to);
        self.add_back(&self.weights.down, inside.rows()?, norm, hidden)
    }

    /// `norm(x)` in bf16, or `x` where the family has no norm here.
    fn normed(
        &self,
        x: DeviceRows<'_, f32>,
        norm: Option<DeviceView<'_, f32>>,
    ) -> Result<Bf16, DeviceError> {
        let mut out = Bf16::alloc(self.stream, "normalised states", x.rows(), x.cols())?;
        match norm {
            Some(norm) => {
                let (eps, gain) = (
                    self.model().config.rms_norm_eps,
                    self.model().description.gain,
                );
                rms_norm(self.stream, x, norm, eps, gain, out.rows_mut()?)?;
            }
            None => to_bf16(self.stream, x, out.rows_mut()?)?,
        }
        Ok(out)
    }

    /// `hidden += residual_multiplier * norm(linear(x))`
    fn add_back(
        &self,
        by: &Linear<'_>,
        x: DeviceRows<'_, bf16>,
        norm: Option<DeviceView<'_, f32>>,
        hidden: DeviceRowsMut<'_, f32>,
    ) -> Result<(), DeviceError> {
        let c = &self.model().config;
        let factor = c.residual_multiplier as f32;
        let Some(norm) = norm else {
            return by.apply(
                self.stream,
                x,
                LinearOut::AddF32 {
                    rows: hidden,
                    factor,
                },
            );
        };
        let mut y = States::alloc(self.stream, hidden.rows(), hidden.cols())?;
        by.apply(self.stream, x, LinearOut::F32(y.rows_mut()?))?;
        let gain = self.model().description.gain;
        add_normed(
            self.stream,
            y.rows()?,
            Some(norm),
            c.rms_norm_eps,
            gain,
            factor,
            hidden,
        )
    }
}

/// First columns of keys and of values in a row of queries, keys and values.
fn key_columns(c: &ModelConfig) -> (usize, usize) {
    let (q, kv) = (c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim);
    let k = aligned_stride(q);
    (k, aligned_stride(k + kv))
}

/// A tensor that is queries, keys and values in one has them where they are stored, which must be where kernels want them.
///
/// # Errors
/// If it has not.
pub(crate) fn check_widths(model: &Model) -> Result<(), GpuWidthsError> {
    let c = &model.config;
    let (q, kv) = (c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim);
    let one = model.layers.iter().map(|layer| &layer.qkv[..]);
    let one = one.filter_map(|parts| match parts {
        [one] => Some(&one.weight),
        _ => None,
    });
    for tensor in one {
        if key_columns(c) != (q, q + kv) {
            return Err(GpuWidthsError {
                tensor: tensor.stored_name().to_owned(),
                queries: q,
                keys: kv,
                heads: [c.num_heads, c.num_kv_heads],
                head_dim: c.head_dim,
            });
        }
    }
    Ok(())
}

/// Queries, keys and values in one tensor lie as no kernel reads them.
#[derive(Debug, Error)]
#[error(
    "{tensor} holds {queries} rows of queries ({} heads of {head_dim}), {keys} of keys ({} heads) and values: on a GPU, queries and keys of \
     one tensor must each be a multiple of 8 rows\nhelp: --device cpu", .heads[0], .heads[1]
)]
pub struct GpuWidthsError {
    tensor: String,
    queries: usize,
    keys: usize,
    heads: [usize; 2],
    head_dim: usize,
}

/// `0..rows` in pieces of at most `tile`.
fn tiles(rows: usize, tile: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows)
        .step_by(tile)
        .map(move |from| (from, rows.min(from + tile)))
}
