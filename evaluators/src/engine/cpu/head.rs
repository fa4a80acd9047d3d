//! Final norm, and the fused head over slabs of the vocabulary, on the CPU.

use crate::engine::executor::{HeadInput, HeadNumbers};
use crate::engine::read_ahead::read_ahead;
use crate::engine::{MemberError, Monitor, PassError, same_tensor};
use crate::model::Model;
use crate::weights::{LoraBytes, Stored, read_vector};
use gradus_checkpoint::{BoundAdapter, ReadTensorError, TensorInfo};
use gradus_kernels::cross_entropy::{HeadModel, HeadRows, HeadSums, Target, VOCAB_BLOCK, absorb};
use gradus_kernels::linear::{Output, PackedWeights, RowPanels, product};
use gradus_kernels::lora::dora_scale;
use gradus_kernels::rms_norm::rms_norm_in_place;
use gradus_kernels::{Cpu, Params, RowsMut};
use rayon::prelude::*;

/// One member's rows at the head.
pub(crate) struct CpuHeadRows {
    rows: HeadRows,
    lora: Option<HeadLora>,
}

/// A low-rank addition to the head.
struct HeadLora {
    bytes: LoraBytes,
    /// `scale * x A^T`
    low: HeadRows,
}

impl CpuHeadRows {
    /// Normalises `hidden`, `[head tokens, hidden_size]`.
    pub(super) fn new(
        cpu: &Cpu,
        model: &Model,
        adapter: Option<&BoundAdapter>,
        mut hidden: Vec<f32>,
    ) -> Result<Self, MemberError> {
        let c = &model.config;
        let width = c.hidden_size;
        let norm = read_vector(&model.final_norm)?;
        let (isa, gain, eps) = (cpu.isa(), model.description.gain, c.rms_norm_eps);
        cpu.run(|| {
            hidden.par_chunks_mut(64 * width).for_each(|x| {
                let rows = x.len() / width;
                let x = RowsMut::new(x, rows, width, width).expect("whole rows");
                rms_norm_in_place(isa, x, &norm, eps, gain).expect("rows are as wide as the norm");
            });
        });
        let count = hidden.len() / width;
        let lora = match adapter.and_then(|a| a.modules.get("lm_head")) {
            None => None,
            Some(module) => {
                let bytes = LoraBytes::read(module).map_err(MemberError::Adapter)?;
                let low = low_rank(cpu, &hidden, &bytes);
                Some(HeadLora {
                    low: HeadRows::pack(cpu, &low, count, module.rank),
                    bytes,
                })
            }
        };
        Ok(Self {
            rows: HeadRows::pack(cpu, &hidden, count, width),
            lora,
        })
    }
}

/// `scale * x A^T`.
fn low_rank(cpu: &Cpu, x: &[f32], lora: &LoraBytes) -> Vec<f32> {
    let a = lora.a.view();
    let (rank, width) = (a.rows(), a.cols());
    let mut weights = PackedWeights::new();
    weights.pack(cpu, a);
    let mut low = vec![0.0; x.len() / width * rank];
    let block = cpu.rows_per_task(x.len() / width);
    cpu.run(|| {
        low.par_chunks_mut(block * rank)
            .zip(x.par_chunks(block * width))
            .for_each_init(RowPanels::default, |panels, (low, x)| {
                panels.pack(cpu.isa(), x, x.len() / width, width, width);
                product(cpu.isa(), panels, &weights, low, rank, Output::Set);
                low.iter_mut().for_each(|v| *v *= lora.scale);
            });
    });
    low
}

/// Takes `models` through the vocabulary; an error names the model whose weights failed.
pub(super) fn stream(
    cpu: &Cpu,
    models: &[&HeadInput<CpuHeadRows>],
    targets: &[Target],
    kl: bool,
    monitor: &mut dyn Monitor,
) -> Result<Vec<HeadNumbers>, (usize, PassError)> {
    let vocabulary = models[0].vocabulary();
    let mut sums: Vec<HeadSums> = models
        .iter()
        .map(|m| {
            HeadSums::new(m.rows.rows.rows(), targets)
                .expect("targets are rows of the chunk's head")
        })
        .collect();
    // Each distinct tensor is read once a slab; `uses[i]` is the place of model i's.
    let mut tensors: Vec<(usize, &TensorInfo)> = Vec::new();
    let uses: Vec<usize> = models
        .iter()
        .enumerate()
        .map(|(i, model)| {
            tensors
                .iter()
                .position(|(_, t)| same_tensor(t, &model.weights))
                .unwrap_or_else(|| {
                    tensors.push((i, &model.weights));
                    tensors.len() - 1
                })
        })
        .collect();
    let slab = VOCAB_BLOCK * 16.max(4 * cpu.threads());
    let tensors = &tensors;
    let jobs = (0..vocabulary).step_by(slab).map(|first| {
        move || -> Result<Vec<Stored>, (usize, ReadTensorError)> {
            let rows = first..vocabulary.min(first + slab);
            tensors
                .iter()
                .map(|(model, tensor)| {
                    Stored::read(tensor, rows.clone()).map_err(|error| (*model, error))
                })
                .collect()
        }
    });
    read_ahead(jobs, |slabs| {
        for (i, slab_bytes) in slabs.enumerate() {
            let stored = slab_bytes.map_err(|(model, error)| (model, error.into()))?;
            let stored_tokens = stored[0].view().rows();
            absorb_slab(cpu, models, &uses, &stored, i * slab, kl, &mut sums);
            let products = 2.0
                * (models[0].rows.rows.rows() * stored_tokens * models[0].weights.row_elements())
                    as f64;
            monitor
                .step(products * models.len() as f64)
                .map_err(|error| (0, error))?;
        }
        Ok(())
    })?;
    Ok(sums
        .iter()
        .map(|own| HeadNumbers {
            nll: own.nll(),
            kl: if kl { own.kl(&sums[0]) } else { Vec::new() },
        })
        .collect())
}

/// Takes one slab, whose first token is `first`, for all models.
fn absorb_slab(
    cpu: &Cpu,
    models: &[&HeadInput<CpuHeadRows>],
    uses: &[usize],
    stored: &[Stored],
    first: usize,
    kl: bool,
    sums: &mut [HeadSums],
) {
    // DoRA's factor applies to the whole logit, so its weights are merged; plain LoRA stays unmerged.
    let merged: Vec<Option<Vec<f32>>> = models
        .iter()
        .zip(uses)
        .map(|(model, &place)| {
            model
                .rows
                .lora
                .as_ref()
                .and_then(|lora| merge_dora(cpu, lora, stored[place].view(), first))
        })
        .collect();
    let mut slab: Vec<HeadModel<'_>> = Vec::with_capacity(models.len());
    for ((model, &place), merged) in models.iter().zip(uses).zip(&merged) {
        let base = stored[place].view();
        let tokens = base.rows();
        let weights = match merged {
            Some(values) => Params::from_f32(values, tokens, base.cols()),
            None => base,
        };
        let lora = model.rows.lora.as_ref().filter(|_| merged.is_none());
        slab.push(HeadModel {
            rows: &model.rows.rows,
            weights,
            lora: lora.map(|lora| {
                (
                    &lora.low,
                    lora.bytes.b.view().slice_rows(first..first + tokens),
                )
            }),
            bias: None,
            transform: model.transform,
        });
    }
    let biases: Vec<Option<Vec<f32>>> = models
        .iter()
        .map(|model| {
            let lora = model.rows.lora.as_ref()?;
            let bias = lora.bytes.bias.as_ref()?;
            let tokens = first..bias.len().min(first + slab[0].weights.rows());
            Some(bias[tokens].iter().map(|b| lora.bytes.scale * b).collect())
        })
        .collect();
    for (model, bias) in slab.iter_mut().zip(&biases) {
        model.bias = bias.as_deref();
    }
    absorb(cpu, kl, &slab, sums).expect("slabs come in order and have one size");
}

/// `factor * (W + scale B A)` for the tokens of a slab, if `lora` is a DoRA.
fn merge_dora(cpu: &Cpu, lora: &HeadLora, base: Params<'_>, first: usize) -> Option<Vec<f32>> {
    let tokens = base.rows();
    let magnitude = &lora.bytes.magnitude()?[first..first + tokens];
    let (a, b) = (
        lora.bytes.a.view(),
        lora.bytes.b.view().slice_rows(first..first + tokens),
    );
    let scale = lora.bytes.scale;
    let factors = dora_scale(cpu, base, a, b, scale, magnitude);
    let (width, a32) = (base.cols(), a.to_f32());
    let mut merged = vec![0.0; tokens * width];
    cpu.run(|| {
        merged
            .par_chunks_mut(width)
            .enumerate()
            .for_each(|(token, row)| {
                base.widen_row(token, row);
                for (r, a) in a32.chunks_exact(width).enumerate() {
                    let factor = scale * b.get(token, r);
                    row.iter_mut().zip(a).for_each(|(w, a)| *w += factor * a);
                }
                row.iter_mut().for_each(|w| *w *= factors[token]);
            });
    });
    Some(merged)
}
