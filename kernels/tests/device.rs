//! Kernels of the device against the families' references: on a GPU where there is one, else on the emulated one.

#[path = "device/activation.rs"]
mod activation;
#[path = "device/attention.rs"]
mod attention;
#[path = "device/cross_entropy.rs"]
mod cross_entropy;
#[path = "device/embedding.rs"]
mod embedding;
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
#[path = "device/rms_norm.rs"]
mod rms_norm;
#[path = "device/rope.rs"]
mod rope;
#[path = "device/rows.rs"]
mod rows;

use gradus_kernels::device::{Gpu, Stream};

/// A stream of the first GPU.
fn stream() -> Stream {
    gradus_shim::install();
    let gpu = Gpu::open(0).expect("a GPU, or the emulated one");
    gpu.stream().expect("a stream")
}

/// A stream of every GPU: the emulated machine has one of Hopper and one of sm_80, whose kernels are others.
fn streams() -> Vec<Stream> {
    gradus_shim::install();
    let count = Gpu::count().expect("a driver");
    assert!(count > 0, "no GPU");
    let open = |ordinal| Gpu::open(ordinal)?.stream();
    (0..count)
        .map(|ordinal| open(ordinal).expect("a stream"))
        .collect()
}
