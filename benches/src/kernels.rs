//! The kernels of the CPU, each at a shape.
//!
//! A new family is a file with `build()`, a line in [`build`], one in [`FAMILIES`](crate::shape::FAMILIES), and its default
//! shapes.

pub(crate) mod attention;
mod cross_entropy;
mod linear;
mod lora;
pub(crate) mod rows;

use crate::measure::Bench;
use crate::shape::Shape;
use gradus_kernels::Cpu;

/// Makes a kernel's inputs at `shape`.
///
/// # Errors
/// If the family, or one of its options, has no kernel for the CPU.
pub fn build(cpu: &Cpu, shape: &Shape) -> Result<Box<dyn Bench>, String> {
    match shape.family() {
        "linear" => linear::build(shape),
        "cross_entropy" => cross_entropy::build(cpu, shape, 1),
        "kl" => cross_entropy::build(cpu, shape, 2),
        "attention" => attention::build(shape),
        "lora" => lora::build(cpu, shape),
        family => rows::build(shape).ok_or_else(|| {
            format!("{family} is a kernel of GPUs alone\nhelp: --device cuda:0, or another family")
        }),
    }
}

/// Bytes that a shape's inputs and outputs take, about: what is asked before anything is allocated.
#[must_use]
pub fn footprint(shape: &Shape) -> f64 {
    let dim = |name: &str| shape.dim(name) as f64;
    match shape.family() {
        // Weights as stored and packed.
        "linear" => 6.0 * dim("out") * dim("in") + 4.0 * dim("rows") * (dim("out") + dim("in")),
        "cross_entropy" => 2.0 * dim("vocab") * dim("hidden") + 8.0 * dim("rows") * dim("hidden"),
        "kl" => {
            let heads = if shape.flag("shared") { 1.0 } else { 2.0 };
            2.0 * heads * dim("vocab") * dim("hidden") + 16.0 * dim("rows") * dim("hidden")
        }
        "lora" => {
            12.0 * dim("rows") * (dim("out") + dim("in"))
                + 8.0 * dim("rank") * (dim("out") + dim("in"))
        }
        "attention" => {
            let rows: usize = shape.lengths().iter().sum();
            4.0 * rows as f64 * (2.0 * dim("heads") + 2.0 * dim("kv_heads")) * dim("head_dim")
        }
        "embedding" => 2.0 * dim("vocab") * dim("cols") + 4.0 * dim("rows") * dim("cols"),
        "rope" => 8.0 * dim("rows") * dim("heads") * dim("head_dim"),
        "soft_cap" => 8.0 * dim("values"),
        "gather" => 2.0 * (dim("rows") + dim("from")) * dim("cols"),
        "dora_scale" => 2.0 * (dim("out") * dim("in") + dim("rank") * (dim("out") + dim("in"))),
        _ => 12.0 * dim("rows") * dim("cols"),
    }
}
