//! What one member's adapter does to one layer, packed for one copy to the device.

use super::matrix::{MatrixPlace, Places, VectorPlace};
use super::weights::{LayerPlan, stacked};
use crate::engine::executor::Step;
use crate::model::Projection;
use crate::weights::LoraBytes;
use gradus_checkpoint::{BoundAdapter, ReadTensorError};
use gradus_kernels::device::{
    DeviceBuffer, DeviceError, DeviceRows, DeviceView, Sent, Stream, UploadRing,
};
use gradus_kernels::lora::device::dora_scale;
use half::bf16;
use std::slice::from_ref;

/// Ranks of stacked adapters start at multiples of this, so that each part's B starts at 16 bytes.
const RANK_MULTIPLE: usize = 8;

/// One adapted projection.
struct Part {
    bytes: LoraBytes,
    /// First output feature, and first rank.
    offset: usize,
    first: usize,
    magnitude: Option<VectorPlace>,
}

/// What an adapter does to one linear layer (of stacked projections).
pub(super) struct LinearPlan {
    parts: Vec<Part>,
    /// `[ranks, in_features]` and `[out_features, ranks]`.
    a: MatrixPlace,
    b: MatrixPlace,
    /// What each rank's product is multiplied by.
    scale: VectorPlace,
    /// The base's bias and the adapter's.
    bias: Option<(VectorPlace, Vec<f32>)>,
}

/// What an adapter does to one layer.
pub(super) struct AdapterPlan {
    pub(super) qkv: Option<LinearPlan>,
    pub(super) o: Option<LinearPlan>,
    pub(super) gate_up: Option<LinearPlan>,
    pub(super) down: Option<LinearPlan>,
    bytes: usize,
}

/// An adapter's part of one linear layer, on the device.
pub(super) struct Delta<'a> {
    pub(super) a: DeviceRows<'a, bf16>,
    pub(super) b: DeviceRows<'a, bf16>,
    pub(super) scale: DeviceView<'a, f32>,
    /// In place of the base's.
    pub(super) bias: Option<DeviceView<'a, f32>>,
}

impl AdapterPlan {
    /// Reads what the step's adapter does to its layer; `None` if that is nothing.
    pub(super) fn read(step: &Step<'_>, base: &LayerPlan) -> Result<Option<Self>, ReadTensorError> {
        let Some(adapter) = step.adapter else {
            return Ok(None);
        };
        let tensors = &step.model.layers[step.layer];
        let biases = &base.biases;
        let mut places = Places::default();
        let plan = Self {
            qkv: LinearPlan::read(&tensors.qkv, true, adapter, &biases.qkv, &mut places)?,
            o: LinearPlan::read(from_ref(&tensors.o), false, adapter, &biases.o, &mut places)?,
            gate_up: LinearPlan::read(
                &tensors.gate_up,
                false,
                adapter,
                &biases.gate_up,
                &mut places,
            )?,
            down: LinearPlan::read(
                from_ref(&tensors.down),
                false,
                adapter,
                &biases.down,
                &mut places,
            )?,
            bytes: places.size_bytes(),
        };
        let any = plan.linears().next().is_some();
        Ok(any.then_some(plan))
    }

    fn linears(&self) -> impl Iterator<Item = &LinearPlan> {
        [&self.qkv, &self.o, &self.gate_up, &self.down]
            .into_iter()
            .flatten()
    }

    /// Sends it.
    pub(super) fn send(
        &self,
        ring: &mut UploadRing,
        compute: &Stream,
    ) -> Result<Sent, DeviceError> {
        let fill = |out: &mut [u8]| {
            for linear in self.linears() {
                linear.fill(out);
            }
        };
        ring.send(self.bytes, fill, compute)
    }
}

impl LinearPlan {
    fn read(
        projections: &[Projection],
        aligned: bool,
        adapter: &BoundAdapter,
        base_bias: &Option<Vec<f32>>,
        places: &mut Places,
    ) -> Result<Option<Self>, ReadTensorError> {
        let firsts = stacked(projections.iter().map(Projection::out_features), aligned);
        let last = projections.last().map_or(0, Projection::out_features);
        let out_features = firsts[firsts.len().saturating_sub(2)] + last;
        let (mut parts, mut ranks, mut cols) = (Vec::new(), 0, 0);
        for (projection, &offset) in projections.iter().zip(&firsts) {
            if let Some(module) = adapter.modules.get(&projection.module) {
                let bytes = LoraBytes::read(module)?;
                let magnitude = bytes.magnitude().map(|m| places.vector(m.len()));
                cols = bytes.a.view().cols();
                let rank = bytes.a.view().rows();
                parts.push(Part {
                    bytes,
                    offset,
                    first: ranks,
                    magnitude,
                });
                ranks += rank.next_multiple_of(RANK_MULTIPLE);
            }
        }
        if parts.is_empty() {
            return Ok(None);
        }
        let has_bias = parts.iter().any(|part| part.bytes.bias.is_some());
        let bias = has_bias.then(|| {
            let mut all = base_bias.clone().unwrap_or_else(|| vec![0.0; out_features]);
            for part in &parts {
                let own = part.bytes.bias.iter().flatten();
                for (sum, bias) in all[part.offset..].iter_mut().zip(own) {
                    *sum += part.bytes.scale * bias;
                }
            }
            (places.vector(out_features), all)
        });
        Ok(Some(Self {
            a: places.matrix(ranks, cols),
            b: places.matrix(out_features, ranks),
            scale: places.vector(ranks),
            bias,
            parts,
        }))
    }

    fn fill(&self, out: &mut [u8]) {
        self.a.clear(out);
        self.b.clear(out);
        let mut scales = vec![0.0; self.scale.len];
        for part in &self.parts {
            let (a, b) = (part.bytes.a.view(), part.bytes.b.view());
            self.a.place(a, part.first, 0, out);
            self.b.place(b, part.offset, part.first, out);
            scales[part.first..][..a.rows()].fill(part.bytes.scale);
            if let (Some(place), Some(magnitude)) = (&part.magnitude, part.bytes.magnitude()) {
                place.fill(magnitude, out);
            }
        }
        self.scale.fill(&scales, out);
        if let Some((place, bias)) = &self.bias {
            place.fill(bias, out);
        }
    }

    /// In the device's copy.
    pub(super) fn view<'a>(&self, memory: DeviceView<'a, u8>) -> Result<Delta<'a>, DeviceError> {
        Ok(Delta {
            a: self.a.view(memory)?,
            b: self.b.view(memory)?,
            scale: self.scale.view(memory),
            bias: self.bias.as_ref().map(|(place, _)| place.view(memory)),
        })
    }

    /// DoRA's factor of every output feature, if any part is one.
    pub(super) fn dora(
        &self,
        stream: &Stream,
        base: DeviceRows<'_, bf16>,
        delta: &Delta<'_>,
        memory: DeviceView<'_, u8>,
    ) -> Result<Option<DeviceBuffer<f32>>, DeviceError> {
        if self.parts.iter().all(|part| part.magnitude.is_none()) {
            return Ok(None);
        }
        let mut all = stream.upload("DoRA's factors", &vec![1.0f32; base.rows()])?;
        for part in &self.parts {
            let Some(magnitude) = &part.magnitude else {
                continue;
            };
            let (a, b) = (part.bytes.a.view(), part.bytes.b.view());
            let rows = part.offset..part.offset + b.rows();
            let mut own = stream.alloc("DoRA's factors of a projection", b.rows())?;
            dora_scale(
                stream,
                base.slice(rows.start, rows.end),
                delta.a.slice(part.first, part.first + a.rows()),
                delta
                    .b
                    .slice(rows.start, rows.end)
                    .columns(part.first, a.rows())?,
                part.bytes.scale,
                magnitude.view(memory),
                &mut own,
            )?;
            stream.copy(own.view(), &mut all.slice_mut(rows))?;
        }
        Ok(Some(all))
    }
}
