//! Weights on their way: bytes as stored, checked for NaN, then packed for the kernels.

use crate::model::{LayerTensors, Model, Projection};
use gradus_checkpoint::{BoundAdapter, Dtype, LoraModule, ReadTensorError, TensorInfo};
use gradus_kernels::linear::PackedWeights;
use gradus_kernels::lora::{LoraPart, PackedLora, dora_scale};
use gradus_kernels::{Cpu, ParamDtype, Params};
use std::ops::Range;
use std::slice::from_ref;

/// A tensor's bytes.
pub(crate) struct Stored {
    bytes: Vec<u8>,
    dtype: ParamDtype,
    rows: usize,
    cols: usize,
}

impl Stored {
    /// Reads rows `rows` of `tensor` and refuses NaN and infinities.
    pub(crate) fn read(tensor: &TensorInfo, rows: Range<usize>) -> Result<Self, ReadTensorError> {
        let mut bytes = Vec::new();
        let (first, count) = (rows.start, rows.len());
        tensor.read_rows(rows, &mut bytes)?;
        tensor.check_finite(first, &bytes)?;
        Ok(Self {
            bytes,
            dtype: param_dtype(tensor.dtype),
            rows: count,
            cols: tensor.row_elements(),
        })
    }

    /// Reads a whole tensor.
    pub(crate) fn read_all(tensor: &TensorInfo) -> Result<Self, ReadTensorError> {
        Self::read(tensor, 0..tensor.num_rows())
    }

    /// The bytes as parameters.
    pub(crate) fn view(&self) -> Params<'_> {
        Params::new(&self.bytes, self.dtype, self.rows, self.cols)
            .expect("read_rows returns rows * cols values")
    }
}

/// A whole one-dimensional tensor, widened.
pub(crate) fn read_vector(tensor: &TensorInfo) -> Result<Vec<f32>, ReadTensorError> {
    let (mut bytes, mut values) = (Vec::new(), Vec::new());
    tensor.read_rows_f32(0..tensor.num_rows(), &mut bytes, &mut values)?;
    Ok(values)
}

/// `read_rows` refuses every other dtype before this is asked.
pub(crate) fn param_dtype(dtype: Dtype) -> ParamDtype {
    match dtype {
        Dtype::F32 => ParamDtype::F32,
        Dtype::F16 => ParamDtype::F16,
        _ => ParamDtype::Bf16,
    }
}

/// One layer's bytes, read ahead of the computation.
pub(crate) struct LayerBytes {
    pub(crate) qkv: Vec<Stored>,
    pub(crate) o: Stored,
    pub(crate) gate_up: Vec<Stored>,
    pub(crate) down: Stored,
    pub(crate) vectors: LayerVectors,
}

/// One layer's biases and norms.
#[derive(Clone, Default)]
pub(crate) struct LayerVectors {
    pub(crate) qkv_bias: Option<Vec<f32>>,
    pub(crate) o_bias: Option<Vec<f32>>,
    pub(crate) gate_up_bias: Option<Vec<f32>>,
    pub(crate) down_bias: Option<Vec<f32>>,
    pub(crate) norm_before_attention: Option<Vec<f32>>,
    pub(crate) norm_after_attention: Option<Vec<f32>>,
    pub(crate) norm_before_mlp: Option<Vec<f32>>,
    pub(crate) norm_after_mlp: Option<Vec<f32>>,
    pub(crate) q_norm: Option<Vec<f32>>,
    pub(crate) k_norm: Option<Vec<f32>>,
}

impl LayerVectors {
    /// Reads a layer's.
    pub(crate) fn read(tensors: &LayerTensors) -> Result<Self, ReadTensorError> {
        let bias = |projections: &[Projection]| -> Result<Option<Vec<f32>>, ReadTensorError> {
            let mut stacked = Vec::new();
            for p in projections {
                if let Some(bias) = &p.bias {
                    stacked.extend(read_vector(bias)?);
                }
            }
            Ok((!stacked.is_empty()).then_some(stacked))
        };
        let vector = |tensor: &Option<TensorInfo>| tensor.as_ref().map(read_vector).transpose();
        Ok(Self {
            qkv_bias: bias(&tensors.qkv)?,
            o_bias: bias(from_ref(&tensors.o))?,
            gate_up_bias: bias(&tensors.gate_up)?,
            down_bias: bias(from_ref(&tensors.down))?,
            norm_before_attention: vector(&tensors.norm_before_attention)?,
            norm_after_attention: vector(&tensors.norm_after_attention)?,
            norm_before_mlp: vector(&tensors.norm_before_mlp)?,
            norm_after_mlp: vector(&tensors.norm_after_mlp)?,
            q_norm: vector(&tensors.q_norm)?,
            k_norm: vector(&tensors.k_norm)?,
        })
    }
}

impl LayerBytes {
    /// Reads all of a layer.
    pub(crate) fn read(tensors: &LayerTensors) -> Result<Self, ReadTensorError> {
        let all = |projections: &[Projection]| -> Result<Vec<Stored>, ReadTensorError> {
            projections
                .iter()
                .map(|p| Stored::read_all(&p.weight))
                .collect()
        };
        Ok(Self {
            qkv: all(&tensors.qkv)?,
            o: Stored::read_all(&tensors.o.weight)?,
            gate_up: all(&tensors.gate_up)?,
            down: Stored::read_all(&tensors.down.weight)?,
            vectors: LayerVectors::read(tensors)?,
        })
    }
}

/// One layer, ready for the kernels.
#[derive(Default)]
pub(crate) struct PackedLayer {
    pub(crate) qkv: PackedWeights,
    pub(crate) o: PackedWeights,
    pub(crate) gate_up: PackedWeights,
    pub(crate) down: PackedWeights,
    pub(crate) vectors: LayerVectors,
}

impl PackedLayer {
    /// Packs `bytes`, reusing these buffers.
    pub(crate) fn pack(&mut self, cpu: &Cpu, bytes: &LayerBytes) {
        let stack = |packed: &mut PackedWeights, parts: &[Stored]| {
            let views: Vec<Params<'_>> = parts.iter().map(Stored::view).collect();
            packed.pack_stacked(cpu, &views);
        };
        stack(&mut self.qkv, &bytes.qkv);
        self.o.pack(cpu, bytes.o.view());
        stack(&mut self.gate_up, &bytes.gate_up);
        self.down.pack(cpu, bytes.down.view());
        self.vectors = bytes.vectors.clone();
    }
}

/// What an adapter does to one linear layer (of stacked projections).
#[derive(Default)]
pub(crate) struct LinearDelta {
    pub(crate) lora: PackedLora,
    /// DoRA's factor per output feature.
    pub(crate) scale: Option<Vec<f32>>,
}

/// What an adapter does to one decoder layer.
#[derive(Default)]
pub(crate) struct LayerDelta {
    pub(crate) qkv: LinearDelta,
    pub(crate) o: LinearDelta,
    pub(crate) gate_up: LinearDelta,
    pub(crate) down: LinearDelta,
}

/// A LoRA module's tensors.
pub(crate) struct LoraBytes {
    pub(crate) a: Stored,
    pub(crate) b: Stored,
    pub(crate) bias: Option<Vec<f32>>,
    magnitude: Option<Vec<f32>>,
    pub(crate) scale: f32,
}

impl LoraBytes {
    pub(crate) fn read(module: &LoraModule) -> Result<Self, ReadTensorError> {
        Ok(Self {
            a: Stored::read_all(&module.a)?,
            b: Stored::read_all(&module.b)?,
            bias: module.bias.as_ref().map(read_vector).transpose()?,
            magnitude: module.magnitude.as_ref().map(read_vector).transpose()?,
            scale: module.scale as f32,
        })
    }

    /// DoRA's magnitudes, if this is one.
    pub(crate) fn magnitude(&self) -> Option<&[f32]> {
        self.magnitude.as_deref()
    }

    /// DoRA's factors against the base weight, if this is one.
    pub(crate) fn dora(&self, cpu: &Cpu, base: Params<'_>) -> Option<Vec<f32>> {
        let magnitude = self.magnitude.as_ref()?;
        Some(dora_scale(
            cpu,
            base,
            self.a.view(),
            self.b.view(),
            self.scale,
            magnitude,
        ))
    }
}

impl LinearDelta {
    fn read(
        cpu: &Cpu,
        projections: &[Projection],
        base: &[Stored],
        adapter: &BoundAdapter,
    ) -> Result<Self, ReadTensorError> {
        let mut stored = Vec::new();
        let mut offset = 0;
        for (projection, base) in projections.iter().zip(base) {
            if let Some(module) = adapter.modules.get(&projection.module) {
                stored.push((LoraBytes::read(module)?, base, offset));
            }
            offset += projection.out_features();
        }
        let mut scale: Option<Vec<f32>> = None;
        for (bytes, base, at) in &stored {
            if let Some(factors) = bytes.dora(cpu, base.view()) {
                let all = scale.get_or_insert_with(|| vec![1.0; offset]);
                all[*at..*at + factors.len()].copy_from_slice(&factors);
            }
        }
        let parts: Vec<LoraPart<'_>> = stored
            .iter()
            .map(|(bytes, _, offset)| LoraPart {
                a: bytes.a.view(),
                b: bytes.b.view(),
                scale: bytes.scale,
                bias: bytes.bias.as_deref(),
                offset: *offset,
            })
            .collect();
        Ok(Self {
            lora: PackedLora::pack(cpu, &parts),
            scale,
        })
    }
}

impl LayerDelta {
    /// Reads what `adapter` does to layer `layer` of `model`, whose bytes are `base`.
    pub(crate) fn read(
        cpu: &Cpu,
        model: &Model,
        layer: usize,
        base: &LayerBytes,
        adapter: &BoundAdapter,
    ) -> Result<Self, ReadTensorError> {
        let tensors = &model.layers[layer];
        let read = |projections: &[Projection], base: &[Stored]| {
            LinearDelta::read(cpu, projections, base, adapter)
        };
        Ok(Self {
            qkv: read(&tensors.qkv, &base.qkv)?,
            o: read(from_ref(&tensors.o), from_ref(&base.o))?,
            gate_up: read(&tensors.gate_up, &base.gate_up)?,
            down: read(from_ref(&tensors.down), from_ref(&base.down))?,
        })
    }
}
