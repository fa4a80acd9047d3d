//! Kernels and models against the limits of the machine, and results side by side: what `gradus bench` runs.
//!
//! | module | is about |
//! |---|---|
//! | [`shape`] | what is measured, as people write it |
//! | [`cpu`], [`kernels`] | kernels of the CPU |
//! | [`gpu`] | kernels of a GPU |
//! | [`measure`] | a kernel between two measurements of its limit |
//! | [`peer`] | another library in this process: the same work, timed, and in f64 |
//! | [`roofline`] | what a CPU can do: fused multiply-adds in registers, copies in memory |
//! | [`eval`] | whole models |
//! | [`result`] | the result file |
//! | [`table`], [`plot`] | results as text, and as an image |
//! | [`compare`](mod@compare) | two results side by side |
//! | [`clock`], [`data`] | CPU time and percentiles; inputs that are the same in every run |
//!
//! The machines that this runs on are shared and change their clocks. So a CPU's time is CPU time, and a percentage is
//! taken against a limit measured right before and right after: both see the same neighbours and the same clock.

pub mod clock;
pub mod compare;
pub mod cpu;
pub mod data;
pub mod eval;
pub mod gpu;
pub mod kernels;
pub mod measure;
pub mod peer;
pub mod plot;
pub mod result;
pub mod roofline;
pub mod shape;
pub mod table;
#[cfg(test)]
mod testing;
