//! What a job needs from the network, before it runs without one.
#![forbid(unsafe_code)]
pub mod git;
pub mod net;
pub mod registry;

pub use gradus_image::Owner;
