//! Rows further apart than 32 bits count: the bits of the same rows side by side.
//!
//! The last row of every matrix lies past 2^32 values. Memory is sparse on the emulated device; a GPU needs the room.

use crate::matrix::{Matrix, Value, random};
use crate::streams;
use gradus_kernels::activation::Activation;
use gradus_kernels::activation::device::gated_halves;
use gradus_kernels::attention::device::{DeviceQkv, DeviceSegments, attention};
use gradus_kernels::attention::{AttentionShape, Segment};
use gradus_kernels::cross_entropy::device::{DeviceHeadModel, DeviceHeadSums, absorb};
use gradus_kernels::cross_entropy::{LogitTransform, Target};
use gradus_kernels::device::{DeviceBuffer, DeviceRows, DeviceRowsMut, Stream, aligned_stride};
use gradus_kernels::embedding::device::embedding;
use gradus_kernels::linear::device::{LinearArgs, LinearOut, linear};
use gradus_kernels::lora::device::dora_scale;
use gradus_kernels::rms_norm::Gain;
use gradus_kernels::rms_norm::device::{
    add_normed, add_normed_then_norm, layer_norm, rms_norm, rms_norm_heads,
};
use gradus_kernels::rope::device::{DeviceRopeTable, norm_and_rotate, rotate, scale_rows};
use gradus_kernels::rope::{Rope, RopeScaling, RopeTable};
use gradus_kernels::rows::device::{gather_bf16, gather_f32, to_bf16};
use half::bf16;

const ROWS: usize = 3;
/// Values from row to row.
const FAR: usize = (1 << 31) + 8;
/// As [`FAR`], where a kernel counts the stride itself in 32 bits: four rows reach past 2^32 then.
const FARTHEST_COUNTED: usize = (1 << 31) - (1 << 12);
/// Bytes that the largest test has at once.
const BYTES: u64 = 70 << 30;

/// How far rows lie apart.
#[derive(Clone, Copy)]
enum Lie {
    Near,
    Far,
}

/// A matrix whose rows lie near or far.
struct Placed<T> {
    buffer: DeviceBuffer<T>,
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<T: Value> Placed<T> {
    fn new(stream: &Stream, lie: Lie, from: &Matrix<T>) -> Self {
        let stride = match lie {
            Lie::Near => aligned_stride(from.cols),
            Lie::Far if from.rows > ROWS => FARTHEST_COUNTED,
            Lie::Far => FAR,
        };
        let len = (from.rows - 1) * stride + from.cols;
        let mut buffer = stream.alloc("far rows", len).unwrap();
        for row in 0..from.rows {
            let mut to = buffer.slice_mut(row * stride..row * stride + from.cols);
            stream.copy_in(from.row(row), &mut to).unwrap();
        }
        Self {
            buffer,
            rows: from.rows,
            cols: from.cols,
            stride,
        }
    }

    fn random(stream: &Stream, lie: Lie, cols: usize, seed: u64) -> Self {
        Self::new(stream, lie, &Matrix::random(ROWS, cols, 1.0, seed))
    }

    /// To be written.
    fn out(stream: &Stream, lie: Lie, cols: usize) -> Self {
        Self::new(stream, lie, &Matrix::poisoned(ROWS, cols))
    }

    fn rows(&self) -> DeviceRows<'_, T> {
        DeviceRows::new(self.buffer.view(), self.rows, self.cols, self.stride).unwrap()
    }

    fn rows_mut(&mut self) -> DeviceRowsMut<'_, T> {
        let Self {
            rows, cols, stride, ..
        } = *self;
        DeviceRowsMut::new(self.buffer.view_mut(), rows, cols, stride).unwrap()
    }

    fn bits(&self, stream: &Stream) -> Vec<u32> {
        let row = |row| {
            let at = row * self.stride;
            stream
                .download(self.buffer.slice(at..at + self.cols))
                .unwrap()
        };
        (0..self.rows).flat_map(row).map(Value::bits).collect()
    }
}

/// `run` gives the same bits wherever rows lie. On the emulated device in a process of its own, which has the memory.
fn same(test: &str, run: impl Fn(&Stream, Lie) -> Vec<u32>) {
    const MEMORY: &str = "GRADUS_SHIM_MEMORY";
    if !gradus_shim::uses_real_driver() && std::env::var_os(MEMORY).is_none() {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("far::{test}")])
            .env(MEMORY, (2 * BYTES).to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success(), "{said}");
        assert!(said.contains("1 passed"), "{said}");
        return;
    }
    for stream in streams() {
        let (free, _) = stream.gpu().memory().unwrap();
        if free < BYTES {
            println!("SKIPPED: {free} bytes are free, {BYTES} are needed");
            continue;
        }
        let near = run(&stream, Lie::Near);
        let nan = |bits: &u32| f32::from_bits(*bits).is_nan() || *bits == 0x7fc0;
        assert!(!near.iter().any(nan), "nothing is computed of nothing");
        assert!(
            run(&stream, Lie::Far) == near,
            "{}",
            stream.gpu().info().name
        );
    }
}

/// As a norm's weight.
fn weight(stream: &Stream, cols: usize) -> DeviceBuffer<f32> {
    stream.upload("a weight", &random(cols, 9)).unwrap()
}

#[test]
fn rows_are_copied() {
    same("rows_are_copied", |stream, lie| {
        let index = stream.upload("index", &[2_u32, 0, 2]).unwrap();
        let table = Placed::<f32>::random(stream, lie, 21, 1);
        let mut out = Placed::<f32>::out(stream, lie, 21);
        gather_f32(stream, table.rows(), index.view(), out.rows_mut()).unwrap();
        let mut all = out.bits(stream);
        embedding(stream, table.rows(), index.view(), 2.0, out.rows_mut()).unwrap();
        all.extend(out.bits(stream));
        let mut rounded = Placed::<bf16>::out(stream, lie, 21);
        to_bf16(stream, table.rows(), rounded.rows_mut()).unwrap();
        all.extend(rounded.bits(stream));
        let mut gathered = Placed::<bf16>::out(stream, lie, 21);
        gather_bf16(stream, rounded.rows(), index.view(), gathered.rows_mut()).unwrap();
        all.extend(gathered.bits(stream));
        all
    });
}

#[test]
fn rows_are_normed() {
    same("rows_are_normed", |stream, lie| {
        let mut all = Vec::new();
        // A warp's row and a block's.
        for cols in [52, 1100] {
            let x = Placed::<f32>::random(stream, lie, cols, 1);
            let weight = weight(stream, cols);
            let w = || weight.view();
            let mut out = Placed::<bf16>::out(stream, lie, cols);
            rms_norm(stream, x.rows(), w(), 1e-6, Gain::Weight, out.rows_mut()).unwrap();
            all.extend(out.bits(stream));
            layer_norm(stream, x.rows(), w(), Some(w()), 1e-6, out.rows_mut()).unwrap();
            all.extend(out.bits(stream));
            let mut hidden = Placed::<f32>::random(stream, lie, cols, 2);
            let (y, gain) = (x.rows(), Gain::OnePlusWeight);
            add_normed(stream, y, Some(w()), 1e-6, gain, 0.5, hidden.rows_mut()).unwrap();
            let (h, o) = (hidden.rows_mut(), out.rows_mut());
            add_normed_then_norm(stream, y, None, 1e-6, gain, 0.5, h, w(), o).unwrap();
            all.extend(hidden.bits(stream));
            all.extend(out.bits(stream));
        }
        all
    });
}

#[test]
fn heads_are_normed_and_rotated() {
    same("heads_are_normed_and_rotated", |stream, lie| {
        let rope = Rope::new(1e4, 64, RopeScaling::None).unwrap();
        let table = RopeTable::new(&rope, rope.class(37), 37);
        let table = DeviceRopeTable::upload(stream, &table).unwrap();
        let positions = stream.upload("positions", &[3_u32, 36, 11]).unwrap();
        let weight = weight(stream, 64);
        let (w, at) = (weight.view(), positions.view());
        let mut x = Placed::<bf16>::random(stream, lie, 5 * 64, 1);
        rms_norm_heads(stream, x.rows_mut(), w, 1e-6, Gain::OnePlusWeight).unwrap();
        rotate(stream, x.rows_mut(), 64, &table, at).unwrap();
        let gain = Gain::OnePlusWeight;
        norm_and_rotate(stream, x.rows_mut(), 4, w, w, 1e-6, gain, &table, at).unwrap();
        let factors = stream.upload("factors", &[0.5_f32, 3.0, 0.7]).unwrap();
        scale_rows(stream, x.rows_mut(), factors.view()).unwrap();
        let mut all = x.bits(stream);
        let mut wide = Placed::<bf16>::random(stream, lie, 2 * 300, 2);
        let weight = self::weight(stream, 300);
        rms_norm_heads(stream, wide.rows_mut(), weight.view(), 1e-6, Gain::Weight).unwrap();
        all.extend(wide.bits(stream));
        all
    });
}

#[test]
fn rows_are_multiplied() {
    same("rows_are_multiplied", |stream, lie| {
        let [x, w] = [1, 2].map(|seed| Placed::<bf16>::random(stream, lie, 72, seed));
        let [low, low_w] = [3, 4].map(|seed| Placed::<bf16>::random(stream, lie, 8, seed));
        let args = LinearArgs {
            x: x.rows(),
            w: w.rows(),
            low: Some((low.rows(), low_w.rows())),
            scale: None,
            bias: None,
        };
        let mut out = Placed::<bf16>::out(stream, lie, ROWS);
        linear(stream, &args, LinearOut::Bf16(out.rows_mut())).unwrap();
        let mut all = out.bits(stream);
        drop(out);
        let mut sums = Placed::<f32>::random(stream, lie, ROWS, 5);
        let rows = sums.rows_mut();
        linear(stream, &args, LinearOut::AddF32 { rows, factor: 0.5 }).unwrap();
        all.extend(sums.bits(stream));
        linear(stream, &args, LinearOut::F32(sums.rows_mut())).unwrap();
        all.extend(sums.bits(stream));
        all
    });
}

#[test]
fn gates_are_applied_and_factors_found() {
    same("gates_are_applied_and_factors_found", |stream, lie| {
        let mut all = Vec::new();
        for inner in [24, 21] {
            let x = Placed::<bf16>::random(stream, lie, 2 * inner, 1);
            let mut out = Placed::<bf16>::out(stream, lie, inner);
            gated_halves(stream, Activation::Silu, x.rows(), out.rows_mut()).unwrap();
            all.extend(out.bits(stream));
        }
        let [w, a] = [1, 2].map(|seed| Placed::<bf16>::random(stream, lie, 40, seed));
        let b = Placed::<bf16>::random(stream, lie, ROWS, 3);
        let magnitude = stream.upload("magnitude", &[1.0_f32, 2.0, 3.0]).unwrap();
        let mut out = stream.upload("factors", &[f32::NAN; ROWS]).unwrap();
        let (w, a, b, magnitude) = (w.rows(), a.rows(), b.rows(), magnitude.view());
        dora_scale(stream, w, a, b, 0.7, magnitude, &mut out).unwrap();
        let factors = stream.download(out.view()).unwrap();
        all.extend(factors.into_iter().map(f32::to_bits));
        all
    });
}

#[test]
fn queries_attend() {
    same("queries_attend", |stream, lie| {
        let mut all = Vec::new();
        for head_dim in [32, 64] {
            let shape = AttentionShape {
                num_heads: 4,
                num_kv_heads: 2,
                head_dim,
                scale: 0.3,
                window: None,
                soft_cap: None,
            };
            let x = Matrix::random(ROWS + 1, 8 * head_dim, 1.0, 1);
            let qkv = Placed::<bf16>::new(stream, lie, &x);
            let segments = DeviceSegments::new(stream, &[Segment::alone(0..ROWS + 1)]).unwrap();
            let out = Matrix::poisoned(ROWS + 1, 4 * head_dim);
            let mut out = Placed::<bf16>::new(stream, lie, &out);
            let (k, v) = (4 * head_dim, 6 * head_dim);
            let qkv = DeviceQkv {
                rows: qkv.rows(),
                k,
                v,
            };
            attention(stream, &shape, qkv, &segments, out.rows_mut()).unwrap();
            all.extend(out.bits(stream));
        }
        all
    });
}

#[test]
fn a_head_is_summed() {
    same("a_head_is_summed", |stream, lie| {
        let [x, base] = [1, 2].map(|seed| Placed::<bf16>::random(stream, lie, 40, seed));
        let w = Placed::<bf16>::random(stream, lie, 40, 3);
        let [low, low_w] = [4, 5].map(|seed| Placed::<bf16>::random(stream, lie, 8, seed));
        let plain = DeviceHeadModel {
            rows: base.rows(),
            weights: w.rows(),
            low: None,
            scale: None,
            bias: None,
            transform: LogitTransform::default(),
        };
        let tuned = DeviceHeadModel {
            rows: x.rows(),
            low: Some((low.rows(), low_w.rows())),
            ..plain
        };
        let models = [plain, tuned];
        let targets = [0, 1, 2].map(|row| Target {
            row,
            token: 2 - row,
        });
        let sums = |kl| DeviceHeadSums::new(stream, ROWS, &targets, kl).unwrap();
        let mut both = [sums(false), sums(true)];
        absorb(stream, &models, 0, &mut both).unwrap();
        let own = both[0].logsumexp(stream).unwrap();
        let mut all = both[1].kl(stream, &own).unwrap();
        all.extend(both.iter().flat_map(|sums| sums.nll(stream).unwrap()));
        all.iter().map(|v| (*v as f32).to_bits()).collect()
    });
}
