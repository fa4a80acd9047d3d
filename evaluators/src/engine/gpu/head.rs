//! Final norm, and the fused head over slabs of the vocabulary, on the GPU.

use super::States;
use super::matrix::{MatrixPlace, Places, VectorPlace};
use crate::engine::executor::{HeadInput, HeadNumbers, StepError};
use crate::engine::read_ahead::read_ahead;
use crate::engine::{MemberError, Monitor, PassError, same_tensor};
use crate::model::Model;
use crate::weights::{LoraBytes, read_vector};
use gradus_checkpoint::{BoundAdapter, ReadTensorError, TensorInfo};
use gradus_kernels::Params;
use gradus_kernels::cross_entropy::Target;
use gradus_kernels::cross_entropy::device::{DeviceHeadModel, DeviceHeadSums, VOCAB_SLAB, absorb};
use gradus_kernels::device::{
    DeviceBuffer, DeviceError, DeviceRows, DeviceRowsMut, DeviceView, Staged, Stream, UploadRing,
    aligned_stride,
};
use gradus_kernels::linear::device::{LinearArgs, LinearOut, linear};
use gradus_kernels::lora::device::dora_scale;
use gradus_kernels::rms_norm::device::rms_norm;
use half::bf16;

/// One member's rows at the head: `[head tokens, hidden_size]` bf16 in device memory.
pub(crate) struct GpuHeadRows {
    buffer: DeviceBuffer<bf16>,
    rows: usize,
    cols: usize,
    lora: Option<HeadLora>,
}

/// A low-rank addition to the head.
struct HeadLora {
    bytes: LoraBytes,
    /// `A`, `[rank, hidden_size]`, kept for DoRA's norms.
    a: DeviceBuffer<bf16>,
    /// `scale * x A^T`, `[head tokens, rank]`
    low: DeviceBuffer<bf16>,
}

impl GpuHeadRows {
    pub(super) fn new(
        stream: &Stream,
        model: &Model,
        adapter: Option<&BoundAdapter>,
        hidden: States,
    ) -> Result<Self, StepError> {
        let c = &model.config;
        let norm = read_vector(&model.final_norm).map_err(MemberError::from)?;
        let norm = stream.upload("the final norm", &norm)?;
        let (rows, cols) = (hidden.rows, hidden.cols);
        let mut buffer = stream.alloc("rows of the head", rows * aligned_stride(cols))?;
        let out = DeviceRowsMut::new(buffer.view_mut(), rows, cols, aligned_stride(cols))?;
        let (eps, gain) = (c.rms_norm_eps, model.description.gain);
        rms_norm(stream, hidden.rows()?, norm.view(), eps, gain, out)?;
        let mut head = Self {
            buffer,
            rows,
            cols,
            lora: None,
        };
        if let Some(module) = adapter.and_then(|a| a.modules.get("lm_head")) {
            let bytes = LoraBytes::read(module).map_err(MemberError::Adapter)?;
            head.lora = Some(head.low_rank(stream, bytes)?);
        }
        Ok(head)
    }

    fn rows(&self) -> Result<DeviceRows<'_, bf16>, DeviceError> {
        DeviceRows::new(
            self.buffer.view(),
            self.rows,
            self.cols,
            aligned_stride(self.cols),
        )
    }

    /// The first product of the head's adapter.
    fn low_rank(&self, stream: &Stream, bytes: LoraBytes) -> Result<HeadLora, DeviceError> {
        let rank = bytes.a.view().rows();
        let mut places = Places::default();
        let place = places.matrix(rank, self.cols);
        let mut host = vec![0; places.size_bytes()];
        place.fill(&[(0, bytes.a.view())], &mut host);
        let values: Vec<bf16> = host
            .chunks_exact(2)
            .take(rank * aligned_stride(self.cols))
            .map(|b| bf16::from_le_bytes([b[0], b[1]]))
            .collect();
        let a = stream.upload("the head's adapter", &values)?;
        let scale = stream.upload("its scale", &vec![bytes.scale; rank])?;
        let mut low = stream.alloc("the head's low ranks", self.rows * aligned_stride(rank))?;
        let args = LinearArgs {
            x: self.rows()?,
            w: DeviceRows::new(a.view(), rank, self.cols, aligned_stride(self.cols))?,
            low: None,
            scale: Some(scale.view()),
            bias: None,
        };
        let out = DeviceRowsMut::new(low.view_mut(), self.rows, rank, aligned_stride(rank))?;
        linear(stream, &args, LinearOut::Bf16(out))?;
        Ok(HeadLora { bytes, a, low })
    }
}

impl HeadLora {
    fn rank(&self) -> usize {
        self.bytes.a.view().rows()
    }
}

/// Where one slab's tensors are.
struct Slab {
    /// Each distinct head's weights.
    weights: Vec<MatrixPlace>,
    /// What adapters add, by model.
    adapters: Vec<Option<AdapterSlab>>,
    bytes: usize,
}

struct AdapterSlab {
    b: MatrixPlace,
    bias: Option<VectorPlace>,
    magnitude: Option<VectorPlace>,
}

impl Slab {
    fn new(tensors: &[&TensorInfo], tokens: usize, models: &[&HeadInput<GpuHeadRows>]) -> Self {
        let mut places = Places::default();
        let weights: Vec<MatrixPlace> = tensors
            .iter()
            .map(|tensor| places.matrix(tokens, tensor.row_elements()))
            .collect();
        let adapters = models
            .iter()
            .map(|model| {
                let lora = model.rows.lora.as_ref()?;
                Some(AdapterSlab {
                    b: places.matrix(tokens, lora.rank()),
                    bias: lora.bytes.bias.as_ref().map(|_| places.vector(tokens)),
                    magnitude: lora.bytes.magnitude().map(|_| places.vector(tokens)),
                })
            })
            .collect();
        let bytes = places.size_bytes();
        Self {
            weights,
            adapters,
            bytes,
        }
    }

    /// Reads the slab's weights; a failure says of which tensor.
    fn read(
        &self,
        tensors: &[&TensorInfo],
        models: &[&HeadInput<GpuHeadRows>],
        first: usize,
        out: &mut [u8],
    ) -> Result<(), (usize, ReadTensorError)> {
        for (i, (place, tensor)) in self.weights.iter().zip(tensors).enumerate() {
            let rows = first..first + place.rows;
            place
                .read(&[(0, tensor, rows)], out)
                .map_err(|error| (i, error))?;
        }
        for (slab, model) in self.adapters.iter().zip(models) {
            let (Some(slab), Some(lora)) = (slab, &model.rows.lora) else {
                continue;
            };
            let tokens = first..first + slab.b.rows;
            let b: Params<'_> = lora.bytes.b.view().slice_rows(tokens.clone());
            slab.b.fill(&[(0, b)], out);
            if let (Some(place), Some(bias)) = (&slab.bias, &lora.bytes.bias) {
                let scaled: Vec<f32> = bias[tokens.clone()]
                    .iter()
                    .map(|b| lora.bytes.scale * b)
                    .collect();
                place.fill(&scaled, out);
            }
            if let (Some(place), Some(magnitude)) = (&slab.magnitude, lora.bytes.magnitude()) {
                place.fill(&magnitude[tokens], out);
            }
        }
        Ok(())
    }
}

/// Takes `models` through the vocabulary; an error names the model whose weights failed.
pub(super) fn stream(
    stream: &Stream,
    ring: &mut UploadRing,
    models: &[&HeadInput<GpuHeadRows>],
    targets: &[Target],
    kl: bool,
    monitor: &mut dyn Monitor,
) -> Result<Vec<HeadNumbers>, (usize, PassError)> {
    let device = |error| (0, PassError::Device(error));
    let vocabulary = models[0].vocabulary();
    let mut sums = models
        .iter()
        .map(|m| DeviceHeadSums::new(stream, m.rows.rows, targets, kl))
        .collect::<Result<Vec<_>, DeviceError>>()
        .map_err(device)?;
    // Each distinct tensor is read once a slab; `uses[i]` is the place of model i's, `owners[i]` the first model that uses tensor i.
    let (mut tensors, mut owners): (Vec<&TensorInfo>, Vec<usize>) = (Vec::new(), Vec::new());
    let uses: Vec<usize> = models
        .iter()
        .enumerate()
        .map(|(i, model)| {
            let known = tensors.iter().position(|t| same_tensor(t, &model.weights));
            known.unwrap_or_else(|| {
                tensors.push(&model.weights);
                owners.push(i);
                tensors.len() - 1
            })
        })
        .collect();
    let (tensors, owners, staging) = (&tensors, &owners, &ring.staging().clone());
    let jobs = (0..vocabulary).step_by(VOCAB_SLAB).map(|first| {
        move || -> Result<(Slab, Staged), (usize, PassError)> {
            let tokens = VOCAB_SLAB.min(vocabulary - first);
            let slab = Slab::new(tensors, tokens, models);
            let mut staged = staging.take(slab.bytes).map_err(device)?;
            slab.read(tensors, models, first, staged.bytes_mut())
                .map_err(|(tensor, error)| (owners[tensor], error.into()))?;
            Ok((slab, staged))
        }
    });
    read_ahead(jobs, |slabs| {
        for (i, read) in slabs.enumerate() {
            let (slab, staged) = read?;
            let (first, tokens) = (i * VOCAB_SLAB, slab.weights[0].rows);
            let sent = ring.send_staged(staged, stream).map_err(device)?;
            let memory = ring.view(&sent);
            absorb_slab(stream, memory, &slab, models, &uses, first, &mut sums).map_err(device)?;
            drop(sent);
            let products =
                2.0 * (models[0].rows.rows * tokens * models[0].weights.row_elements()) as f64;
            monitor
                .step(products * models.len() as f64)
                .map_err(|error| (0, error))?;
        }
        Ok(())
    })?;
    let base = kl
        .then(|| sums[0].logsumexp(stream))
        .transpose()
        .map_err(device)?;
    sums.iter()
        .map(|own| {
            Ok(HeadNumbers {
                nll: own.nll(stream)?,
                kl: match &base {
                    Some(base) => own.kl(stream, base)?,
                    None => Vec::new(),
                },
            })
        })
        .collect::<Result<_, DeviceError>>()
        .map_err(device)
}

/// Takes one slab, whose first token is `first`, for all models.
fn absorb_slab(
    stream: &Stream,
    memory: DeviceView<'_, u8>,
    slab: &Slab,
    models: &[&HeadInput<GpuHeadRows>],
    uses: &[usize],
    first: usize,
    sums: &mut [DeviceHeadSums],
) -> Result<(), DeviceError> {
    // DoRA's factors of the slab's tokens.
    let mut factors: Vec<Option<DeviceBuffer<f32>>> = Vec::with_capacity(models.len());
    for ((model, &place), adapter) in models.iter().zip(uses).zip(&slab.adapters) {
        let magnitude = adapter.as_ref().and_then(|a| a.magnitude.as_ref());
        factors.push(match (&model.rows.lora, adapter, magnitude) {
            (Some(lora), Some(adapter), Some(magnitude)) => {
                let (rank, cols) = (lora.rank(), model.rows.cols);
                let mut out = stream.alloc("DoRA's factors of the head", adapter.b.rows)?;
                dora_scale(
                    stream,
                    slab.weights[place].view(memory)?,
                    DeviceRows::new(lora.a.view(), rank, cols, aligned_stride(cols))?,
                    adapter.b.view(memory)?,
                    lora.bytes.scale,
                    magnitude.view(memory),
                    &mut out,
                )?;
                Some(out)
            }
            _ => None,
        });
    }
    let mut heads = Vec::with_capacity(models.len());
    for (((model, &place), adapter), factors) in
        models.iter().zip(uses).zip(&slab.adapters).zip(&factors)
    {
        let low = match (&model.rows.lora, adapter) {
            (Some(lora), Some(adapter)) => {
                let (rows, rank) = (model.rows.rows, lora.rank());
                let low = DeviceRows::new(lora.low.view(), rows, rank, aligned_stride(rank))?;
                Some((low, adapter.b.view(memory)?))
            }
            _ => None,
        };
        heads.push(DeviceHeadModel {
            rows: model.rows.rows()?,
            weights: slab.weights[place].view(memory)?,
            low,
            scale: factors.as_ref().map(DeviceBuffer::view),
            bias: adapter
                .as_ref()
                .and_then(|a| a.bias.as_ref())
                .map(|bias| bias.view(memory)),
            transform: model.transform,
        });
    }
    absorb(stream, &heads, first, sums)
}
