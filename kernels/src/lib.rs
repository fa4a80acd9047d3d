//! Evaluation kernels.
pub mod attention;
pub mod buffer;
pub mod cpu;
pub mod linear;
pub mod params;
mod simd;
#[cfg(test)]
mod testing;

pub use cpu::Cpu;
pub use params::{ParamDtype, Params};
pub use simd::Isa;
