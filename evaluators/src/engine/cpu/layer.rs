//! One decoder layer over packed tokens, on the CPU.
//!
//! Blocks of tokens go through norm, projections and MLP on one thread each, so that what lies between them stays in
//! its caches; attention runs per segment and key head in between.

use crate::engine::positions::{RopeTables, position_scale};
use crate::layout::Chunk;
use crate::model::{Model, QkNorm};
use crate::weights::{LayerDelta, LinearDelta, PackedLayer};
use gradus_kernels::activation::gated_halves;
use gradus_kernels::attention::{Qkv, attention};
use gradus_kernels::linear::{Output, PackedWeights, RowPanels, product};
use gradus_kernels::lora::LoraScratch;
use gradus_kernels::rms_norm::{Gain, rms_norm, rms_norm_in_place};
use gradus_kernels::rope::{RopeLayout, rotate};
use gradus_kernels::rows::{Rows, RowsMut};
use gradus_kernels::{Cpu, Isa};
use rayon::prelude::*;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Buffers of one block of tokens on one thread.
#[derive(Default)]
struct Scratch {
    normed: Vec<f32>,
    panels: RowPanels,
    wide: Vec<f32>,
    out: Vec<f32>,
    lora: LoraScratch,
}

/// Buffers that layers share.
pub(crate) struct Buffers {
    qkv: Vec<f32>,
    attention: Vec<f32>,
    scratch: Vec<Mutex<Scratch>>,
}

impl Buffers {
    pub(crate) fn new(cpu: &Cpu) -> Self {
        let scratch = (0..cpu.threads()).map(|_| Mutex::default()).collect();
        Self {
            qkv: Vec::new(),
            attention: Vec::new(),
            scratch,
        }
    }
}

/// The calling thread's buffers.
fn mine(scratch: &[Mutex<Scratch>]) -> MutexGuard<'_, Scratch> {
    let thread = rayon::current_thread_index().unwrap_or(0) % scratch.len();
    // A poisoned lock means that another task panicked; buffers are overwritten before they are read.
    scratch[thread]
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// A layer of one candidate.
pub(crate) struct Layer<'a> {
    pub(crate) model: &'a Model,
    pub(crate) index: usize,
    pub(crate) weights: &'a PackedLayer,
    pub(crate) delta: &'a LayerDelta,
    pub(crate) chunk: &'a Chunk,
    pub(crate) tables: &'a RopeTables,
    /// Place of the model's first rotary embedding in the chunk's classes.
    pub(crate) first_rope: usize,
}

impl Layer<'_> {
    /// `hidden = layer(hidden)` for the chunk's tokens; in the last layer only tokens that the head needs come back.
    pub(crate) fn forward(&self, cpu: &Cpu, buffers: &mut Buffers, hidden: &mut Vec<f32>) {
        let c = &self.model.config;
        let width = c.hidden_size;
        let is_last = self.index + 1 == c.num_layers;
        let (q, kv) = (c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim);
        let stride = q + 2 * kv;
        let tokens = self.chunk.tokens();

        buffers.qkv.resize(tokens * stride, 0.0);
        buffers.attention.resize(tokens * q, 0.0);
        let block = cpu.rows_per_task(tokens);
        let (isa, scratch) = (cpu.isa(), &buffers.scratch);
        cpu.run(|| {
            buffers
                .qkv
                .par_chunks_mut(block * stride)
                .enumerate()
                .for_each(|(i, out)| {
                    let first = i * block;
                    let rows = out.len() / stride;
                    let x = &hidden[first * width..(first + rows) * width];
                    self.project_qkv(isa, &mut mine(scratch), x, first, out);
                });
        });

        let segments = if is_last {
            &self.chunk.last_segments
        } else {
            &self.chunk.segments
        };
        let qkv = Qkv {
            data: &buffers.qkv,
            stride,
            k: q,
            v: q + kv,
        };
        attention(
            cpu,
            &self.model.attention(self.index),
            qkv,
            segments,
            &mut buffers.attention,
        )
        .expect("the chunk's segments are disjoint and inside the buffers");

        if is_last {
            gather(hidden, &self.chunk.head_tokens, width);
            gather(&mut buffers.attention, &self.chunk.head_tokens, q);
        }
        let block = cpu.rows_per_task(hidden.len() / width);
        let attended = &buffers.attention;
        cpu.run(|| {
            hidden
                .par_chunks_mut(block * width)
                .enumerate()
                .for_each(|(i, hidden)| {
                    let rows = hidden.len() / width;
                    let attended = &attended[i * block * q..][..rows * q];
                    let mut scratch = mine(scratch);
                    self.add_attention(isa, &mut scratch, attended, hidden);
                    self.add_mlp(isa, &mut scratch, hidden);
                });
        });
    }

    /// Norm, projections, query and key norms, rotation.
    fn project_qkv(
        &self,
        isa: Isa,
        scratch: &mut Scratch,
        x: &[f32],
        first: usize,
        out: &mut [f32],
    ) {
        let c = &self.model.config;
        let rows = x.len() / c.hidden_size;
        let vectors = &self.weights.vectors;
        let x = self.normed(
            isa,
            &mut scratch.normed,
            x,
            vectors.norm_before_attention.as_deref(),
        );
        scratch
            .panels
            .pack(isa, x, rows, c.hidden_size, c.hidden_size);
        let bias = vectors.qkv_bias.as_deref();
        linear(
            isa,
            &scratch.panels,
            &self.weights.qkv,
            &self.delta.qkv,
            bias,
            &mut scratch.lora,
            out,
        );

        let (q, kv) = (c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim);
        let stride = q + 2 * kv;
        if self.model.description.qk_norm != QkNorm::None {
            for (norm, at, width) in [(&vectors.q_norm, 0, q), (&vectors.k_norm, q, kv)] {
                let norm = norm
                    .as_ref()
                    .expect("families with this norm have its weights");
                rms_norm_in_place(
                    isa,
                    view(&mut out[at..], rows, width, stride),
                    norm,
                    c.rms_norm_eps,
                    self.gain(),
                )
                .expect("heads are whole groups of the norm");
            }
        }
        if let Some(rope) = self.model.rope_of(self.index) {
            let last = first + rows;
            for (range, class) in &self.chunk.classes[self.first_rope + rope] {
                let (from, to) = (range.start.max(first), range.end.min(last));
                if from >= to {
                    continue;
                }
                let heads = view(
                    &mut out[(from - first) * stride..],
                    to - from,
                    q + kv,
                    stride,
                );
                let positions = &self.chunk.positions[from..to];
                rotate(
                    isa,
                    heads,
                    c.head_dim,
                    &self.tables[rope][class],
                    positions,
                    RopeLayout::HalfSplit,
                )
                .expect("tables cover every position of the chunk");
            }
        }
        if let Some(scale) = c.query_position_scale {
            for (row, &position) in self.chunk.positions[first..first + rows].iter().enumerate() {
                let factor = position_scale(scale, position);
                out[row * stride..][..q]
                    .iter_mut()
                    .for_each(|v| *v *= factor);
            }
        }
    }

    /// `hidden += residual_multiplier * norm(o(attended))`
    fn add_attention(&self, isa: Isa, scratch: &mut Scratch, attended: &[f32], hidden: &mut [f32]) {
        let c = &self.model.config;
        let q = c.num_heads * c.head_dim;
        let rows = hidden.len() / c.hidden_size;
        scratch.panels.pack(isa, attended, rows, q, q);
        scratch.out.resize(hidden.len(), 0.0);
        let vectors = &self.weights.vectors;
        let bias = vectors.o_bias.as_deref();
        let Scratch {
            panels, out, lora, ..
        } = scratch;
        linear(
            isa,
            panels,
            &self.weights.o,
            &self.delta.o,
            bias,
            lora,
            &mut out[..hidden.len()],
        );
        self.add_back(
            isa,
            &mut scratch.out,
            vectors.norm_after_attention.as_deref(),
            hidden,
        );
    }

    /// `hidden += residual_multiplier * norm(down(act(gate(x)) * up(x)))` with `x = norm(hidden)`
    fn add_mlp(&self, isa: Isa, scratch: &mut Scratch, hidden: &mut [f32]) {
        let c = &self.model.config;
        let (width, inner) = (c.hidden_size, c.intermediate_size);
        let rows = hidden.len() / width;
        let vectors = &self.weights.vectors;
        let x = self.normed(
            isa,
            &mut scratch.normed,
            hidden,
            vectors.norm_before_mlp.as_deref(),
        );
        scratch.panels.pack(isa, x, rows, width, width);
        scratch.wide.resize(rows * 2 * inner, 0.0);
        let Scratch {
            panels,
            wide,
            out,
            lora,
            ..
        } = &mut *scratch;
        let bias = vectors.gate_up_bias.as_deref();
        let wide = &mut wide[..rows * 2 * inner];
        linear(
            isa,
            panels,
            &self.weights.gate_up,
            &self.delta.gate_up,
            bias,
            lora,
            wide,
        );
        gated_halves(
            isa,
            self.model.activation,
            view(wide, rows, 2 * inner, 2 * inner),
        )
        .expect("gate and up are the two halves");
        panels.pack(isa, wide, rows, inner, 2 * inner);
        out.resize(hidden.len(), 0.0);
        let bias = vectors.down_bias.as_deref();
        linear(
            isa,
            panels,
            &self.weights.down,
            &self.delta.down,
            bias,
            lora,
            &mut out[..hidden.len()],
        );
        self.add_back(
            isa,
            &mut scratch.out,
            vectors.norm_after_mlp.as_deref(),
            hidden,
        );
    }

    /// `x` normalised into `buffer`, or `x` itself where the family has no norm here.
    fn normed<'b>(
        &self,
        isa: Isa,
        buffer: &'b mut Vec<f32>,
        x: &'b [f32],
        norm: Option<&[f32]>,
    ) -> &'b [f32] {
        let Some(norm) = norm else { return x };
        let width = norm.len();
        buffer.resize(x.len(), 0.0);
        let rows = x.len() / width;
        let input = Rows::new(x, rows, width, width).expect("whole rows");
        rms_norm(
            isa,
            input,
            norm,
            self.model.config.rms_norm_eps,
            self.gain(),
            view(buffer, rows, width, width),
        )
        .expect("rows are as wide as the norm");
        &buffer[..x.len()]
    }

    /// Adds a block's output to the residual stream.
    fn add_back(&self, isa: Isa, out: &mut [f32], norm: Option<&[f32]>, hidden: &mut [f32]) {
        let c = &self.model.config;
        if let Some(norm) = norm {
            let rows = hidden.len() / norm.len();
            rms_norm_in_place(
                isa,
                view(out, rows, norm.len(), norm.len()),
                norm,
                c.rms_norm_eps,
                self.gain(),
            )
            .expect("rows are as wide as the norm");
        }
        let factor = c.residual_multiplier as f32;
        if factor == 1.0 {
            hidden.iter_mut().zip(&*out).for_each(|(h, o)| *h += o);
        } else {
            hidden
                .iter_mut()
                .zip(&*out)
                .for_each(|(h, o)| *h += factor * o);
        }
    }

    fn gain(&self) -> Gain {
        self.model.description.gain
    }
}

/// `out = scale * (x w^T + lora(x)) + bias`
fn linear(
    isa: Isa,
    x: &RowPanels,
    w: &PackedWeights,
    delta: &LinearDelta,
    bias: Option<&[f32]>,
    scratch: &mut LoraScratch,
    out: &mut [f32],
) {
    let n = w.out_features();
    product(isa, x, w, out, n, Output::Set);
    delta.lora.apply(isa, x, scratch, out, n);
    if let Some(scale) = &delta.scale {
        for row in out.chunks_exact_mut(n) {
            row.iter_mut().zip(scale).for_each(|(y, s)| *y *= s);
        }
    }
    if let Some(bias) = bias {
        for row in out.chunks_exact_mut(n) {
            row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
        }
    }
}

/// `rows` rows of `cols` values in a buffer that was sized for them.
fn view(data: &mut [f32], rows: usize, cols: usize, stride: usize) -> RowsMut<'_> {
    RowsMut::new(data, rows, cols, stride).expect("the buffer was sized for these rows")
}

/// Keeps the rows `tokens` (ascending) of `x`, which has `width` values a row.
fn gather(x: &mut Vec<f32>, tokens: &[usize], width: usize) {
    for (to, &from) in tokens.iter().enumerate() {
        x.copy_within(from * width..(from + 1) * width, to * width);
    }
    x.truncate(tokens.len() * width);
}
