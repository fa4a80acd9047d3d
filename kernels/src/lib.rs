//! Evaluation kernels.
pub mod activation;
pub mod attention;
pub mod buffer;
pub mod cpu;
pub mod cross_entropy;
pub mod embedding;
pub mod linear;
pub mod lora;
pub mod params;
pub mod rms_norm;
pub mod rope;
pub mod rows;
mod simd;
#[cfg(test)]
mod testing;

pub use cpu::Cpu;
pub use params::{ParamDtype, Params};
pub use rows::{Rows, RowsMut};
pub use simd::Isa;
