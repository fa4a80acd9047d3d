//! One layer's weights, read into one piece of pinned memory and copied to the device at once.

use super::matrix::{MatrixPlace, PlacedRows, Places, VectorPlace};
use crate::engine::executor::{ReadLayers, StepError};
use crate::model::{LayerTensors, Projection};
use crate::weights::LayerVectors;
use gradus_kernels::device::{DeviceView, Staged, Staging, aligned_stride};
use std::slice::from_ref;
use std::sync::Arc;

/// Where a layer's tensors are in its piece of memory.
pub(super) struct LayerPlan {
    pub(super) qkv: MatrixPlace,
    pub(super) o: MatrixPlace,
    pub(super) gate_up: MatrixPlace,
    pub(super) down: MatrixPlace,
    vectors: [Option<VectorPlace>; VECTORS],
    /// Biases, which an adapter's may join.
    pub(super) biases: Biases,
    bytes: usize,
}

/// A layer's biases on the host.
#[derive(Clone, Default)]
pub(super) struct Biases {
    pub(super) qkv: Option<Vec<f32>>,
    pub(super) o: Option<Vec<f32>>,
    pub(super) gate_up: Option<Vec<f32>>,
    pub(super) down: Option<Vec<f32>>,
}

const VECTORS: usize = 10;

/// A vector of a layer.
#[derive(Clone, Copy)]
pub(super) enum Vector {
    QkvBias,
    OBias,
    GateUpBias,
    DownBias,
    NormBeforeAttention,
    NormAfterAttention,
    NormBeforeMlp,
    NormAfterMlp,
    QNorm,
    KNorm,
}

fn all(v: &LayerVectors) -> [&Option<Vec<f32>>; VECTORS] {
    [
        &v.qkv_bias,
        &v.o_bias,
        &v.gate_up_bias,
        &v.down_bias,
        &v.norm_before_attention,
        &v.norm_after_attention,
        &v.norm_before_mlp,
        &v.norm_after_mlp,
        &v.q_norm,
        &v.k_norm,
    ]
}

/// First rows of projections that are stacked, and of what would follow. Queries, keys and values each start at 16 bytes of a
/// row of the product; where they are one tensor they start where they start.
pub(super) fn stacked(rows: impl Iterator<Item = usize>, aligned: bool) -> Vec<usize> {
    let mut firsts = vec![0];
    for rows in rows {
        let end = firsts[firsts.len() - 1] + rows;
        firsts.push(if aligned { aligned_stride(end) } else { end });
    }
    firsts
}

/// Each part with its first row, and rows in all.
fn placed(parts: &[Projection], aligned: bool) -> (Vec<PlacedRows<'_>>, usize) {
    let firsts = stacked(parts.iter().map(Projection::out_features), aligned);
    let placed: Vec<_> = firsts
        .into_iter()
        .zip(parts)
        .map(|(first, part)| (first, &part.weight, 0..part.out_features()))
        .collect();
    let rows = placed
        .last()
        .map_or(0, |(first, _, rows)| first + rows.len());
    (placed, rows)
}

/// A bias of parts that follow each other, moved to where the parts are.
fn placed_bias(bias: &Option<Vec<f32>>, parts: &[Projection]) -> Option<Vec<f32>> {
    let bias = bias.as_ref()?;
    let (placed, rows) = placed(parts, true);
    let (mut out, mut from) = (vec![0.0; rows], 0);
    for (first, _, rows) in placed {
        out[first..first + rows.len()].copy_from_slice(&bias[from..from + rows.len()]);
        from += rows.len();
    }
    Some(out)
}

impl LayerPlan {
    fn new(tensors: &LayerTensors, vectors: &LayerVectors) -> Self {
        let mut places = Places::default();
        let mut matrix = |parts: &[Projection], aligned| {
            let rows = placed(parts, aligned).1;
            places.matrix(rows, parts.first().map_or(0, |p| p.weight.row_elements()))
        };
        let qkv = matrix(&tensors.qkv, true);
        let o = matrix(from_ref(&tensors.o), false);
        let gate_up = matrix(&tensors.gate_up, false);
        let down = matrix(from_ref(&tensors.down), false);
        let v = vectors;
        let qkv_bias = placed_bias(&v.qkv_bias, &tensors.qkv);
        let mut vectors = all(v).map(|vector| vector.as_ref().map(|v| places.vector(v.len())));
        vectors[Vector::QkvBias as usize] = qkv_bias.as_ref().map(|b| places.vector(b.len()));
        Self {
            qkv,
            o,
            gate_up,
            down,
            vectors,
            biases: Biases {
                qkv: qkv_bias,
                o: v.o_bias.clone(),
                gate_up: v.gate_up_bias.clone(),
                down: v.down_bias.clone(),
            },
            bytes: places.size_bytes(),
        }
    }

    /// Reads a layer into a buffer.
    pub(super) fn read(
        tensors: &LayerTensors,
        staging: &Arc<Staging>,
    ) -> Result<StagedLayer, StepError> {
        let vectors = LayerVectors::read(tensors)?;
        let plan = Self::new(tensors, &vectors);
        let mut staged = staging.take(plan.bytes)?;
        let out = staged.bytes_mut();
        plan.qkv.read(&placed(&tensors.qkv, true).0, out)?;
        plan.o.read(&placed(from_ref(&tensors.o), false).0, out)?;
        plan.gate_up.read(&placed(&tensors.gate_up, false).0, out)?;
        plan.down
            .read(&placed(from_ref(&tensors.down), false).0, out)?;
        let mut vectors = all(&vectors);
        vectors[Vector::QkvBias as usize] = &plan.biases.qkv;
        for (place, vector) in plan.vectors.iter().zip(vectors) {
            if let (Some(place), Some(vector)) = (place, vector) {
                place.fill(vector, out);
            }
        }
        Ok(StagedLayer { plan, staged })
    }

    /// A vector in the device's copy, if the layer has it.
    pub(super) fn vector<'a>(
        &self,
        which: Vector,
        memory: DeviceView<'a, u8>,
    ) -> Option<DeviceView<'a, f32>> {
        self.vectors[which as usize].map(|place| place.view(memory))
    }
}

/// A layer in pinned memory.
pub(crate) struct StagedLayer {
    pub(super) plan: LayerPlan,
    pub(super) staged: Staged,
}

/// Reads layers into pinned memory.
pub(crate) struct LayerReader(pub(super) Arc<Staging>);

impl ReadLayers for LayerReader {
    type Layer = StagedLayer;

    fn read(&self, tensors: &LayerTensors) -> Result<StagedLayer, StepError> {
        LayerPlan::read(tensors, &self.0)
    }
}
