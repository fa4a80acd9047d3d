//! Kernels of the device against the families' references: on a GPU where there is one, else on the emulated one.

#[path = "device/activation.rs"]
mod activation;
#[path = "device/embedding.rs"]
mod embedding;
#[path = "device/lora.rs"]
mod lora;
#[path = "device/matrix.rs"]
mod matrix;
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
