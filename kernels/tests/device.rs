//! Kernels of the device against the families' references: on a GPU where there is one, else on the emulated one.

#[path = "device/activation.rs"]
mod activation;
#[path = "device/attention.rs"]
mod attention;
#[path = "device/cross_entropy.rs"]
mod cross_entropy;
#[path = "device/embedding.rs"]
mod embedding;
#[path = "device/far.rs"]
mod far;
#[path = "device/head.rs"]
mod head;
#[path = "device/linear.rs"]
mod linear;
#[path = "device/lora.rs"]
mod lora;
#[path = "device/matrix.rs"]
mod matrix;
#[path = "device/operand.rs"]
mod operand;
#[path = "device/order.rs"]
mod order;
#[path = "device/persistent.rs"]
mod persistent;
#[path = "device/ring.rs"]
mod ring;
#[path = "device/rms_norm.rs"]
mod rms_norm;
#[path = "device/rope.rs"]
mod rope;
#[path = "device/rows.rs"]
mod rows;

use gradus_kernels::device::{Gpu, Stream};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A stream of the first GPU.
fn stream() -> Stream {
    gradus_shim::install();
    let gpu = Gpu::open(0).expect("a GPU, or the emulated one");
    gpu.stream().expect("a stream")
}

/// A stream of one GPU of every compute capability: the emulated machine has Hopper's and 8.0, whose kernels are others.
fn streams() -> Vec<Stream> {
    gradus_shim::install();
    let count = Gpu::count().expect("a driver");
    assert!(count > 0, "no GPU");
    let mut gpus = BTreeMap::new();
    for ordinal in 0..count {
        let gpu = Gpu::open(ordinal).expect("a GPU that was counted");
        gpus.entry(gpu.info().capability).or_insert(gpu);
    }
    let stream = |gpu: &Arc<Gpu>| gpu.stream().expect("a stream");
    gpus.values().map(stream).collect()
}
