//! One list of shapes for each kernel family.
//!
//! Shapes are those of models that are evaluated: SmolLM2-135M (576 wide, 9:3 heads of 64), a 100M Llama (768),
//! Qwen2.5-0.5B (896, 14:2 heads of 64), Llama-3.2-1B (2048, 32:8 heads of 64), Gemma-2-2B (2304, 8:4 heads of 256).
//!
//! A new family is a file with `entries()` and a line in [`all`].

mod attention;
mod cross_entropy;
mod linear;
mod lora;
mod rows;

use crate::measure::Bench;
use gradus_kernels::Cpu;

/// Makes a kernel's inputs.
type Build = Box<dyn FnOnce(&Cpu) -> Box<dyn Bench>>;

/// Something to measure; its inputs are made when its turn comes.
pub struct Entry {
    /// Kernel family.
    pub family: &'static str,
    /// Shapes and dtypes.
    pub shape: String,
    /// Billions of operations in a run; 0 where memory is the limit.
    pub gflop: f64,
    /// Makes the inputs.
    pub build: Build,
}

/// Every family and shape.
#[must_use]
pub fn all() -> Vec<Entry> {
    [
        linear::entries(),
        cross_entropy::entries(),
        attention::entries(),
        lora::entries(),
        rows::entries(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
