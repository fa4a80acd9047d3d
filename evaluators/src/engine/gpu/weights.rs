//! One layer's weights, packed for one copy to the device.

use super::matrix::{MatrixPlace, Places, VectorPlace};
use crate::weights::{LayerBytes, LayerVectors, Stored};
use gradus_kernels::Params;
use gradus_kernels::device::{DeviceView, aligned_stride};

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
fn placed<'a>(parts: &'a [Stored], aligned: bool) -> (Vec<(usize, Params<'a>)>, usize) {
    let firsts = stacked(parts.iter().map(|p| p.view().rows()), aligned);
    let placed: Vec<_> = firsts
        .into_iter()
        .zip(parts.iter().map(Stored::view))
        .collect();
    let rows = placed.last().map_or(0, |(first, part)| first + part.rows());
    (placed, rows)
}

/// A bias of parts that follow each other, moved to where the parts are.
fn placed_bias(bias: &Option<Vec<f32>>, parts: &[Stored]) -> Option<Vec<f32>> {
    let bias = bias.as_ref()?;
    let (placed, rows) = placed(parts, true);
    let (mut out, mut from) = (vec![0.0; rows], 0);
    for (first, part) in placed {
        out[first..first + part.rows()].copy_from_slice(&bias[from..from + part.rows()]);
        from += part.rows();
    }
    Some(out)
}

impl LayerPlan {
    pub(super) fn new(bytes: &LayerBytes) -> Self {
        let mut places = Places::default();
        let mut matrix = |parts: &[Stored], aligned| {
            let rows = placed(parts, aligned).1;
            places.matrix(rows, parts.first().map_or(0, |p| p.view().cols()))
        };
        let qkv = matrix(&bytes.qkv, true);
        let o = matrix(std::slice::from_ref(&bytes.o), false);
        let gate_up = matrix(&bytes.gate_up, false);
        let down = matrix(std::slice::from_ref(&bytes.down), false);
        let v = &bytes.vectors;
        let qkv_bias = placed_bias(&v.qkv_bias, &bytes.qkv);
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

    pub(super) fn size_bytes(&self) -> usize {
        self.bytes
    }

    /// Writes the layer.
    pub(super) fn fill(&self, bytes: &LayerBytes, out: &mut [u8]) {
        self.qkv.fill(&placed(&bytes.qkv, true).0, out);
        self.o.fill(&[(0, bytes.o.view())], out);
        self.gate_up.fill(&placed(&bytes.gate_up, false).0, out);
        self.down.fill(&[(0, bytes.down.view())], out);
        let mut vectors = all(&bytes.vectors);
        vectors[Vector::QkvBias as usize] = &self.biases.qkv;
        for (place, vector) in self.vectors.iter().zip(vectors) {
            if let (Some(place), Some(vector)) = (place, vector) {
                place.fill(vector, out);
            }
        }
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
