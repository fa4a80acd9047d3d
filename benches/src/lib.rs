//! Rooflines and peers, side by side in one run.
//!
//! | module | |
//! |---|---|
//! | [`clock`] | CPU time and percentiles |
//! | [`data`] | inputs that are the same in every run |
//! | [`roofline`] | what this machine can do: fused multiply-adds in registers, copies in memory |
//! | [`measure`] | a kernel between two measurements of its roofline |
//! | [`kernels`] | one list of shapes for each kernel family |
//! | [`report`] | table and JSON |
//!
//! The machines that this runs on are shared and change their clocks. So a time is CPU time, and a percentage is
//! taken against a roofline measured right before and right after: both see the same neighbours and the same clock.

pub mod clock;
pub mod data;
pub mod kernels;
pub mod measure;
pub mod report;
pub mod roofline;
