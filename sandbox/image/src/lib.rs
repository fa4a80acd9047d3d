//! Images without a daemon.
//!
//! | module | is about |
//! |---|---|
//! | [`layer`] | archives of layers to directories and back, hostile ones included |
//! | [`store`] | layers and images by digest; what is removed when |
//! | [`layout`] | OCI image layouts: taken in, written out |
//! | [`dockerfile`] | a Dockerfile's stages and instructions, checked and expanded |
#![forbid(unsafe_code)]

mod digest;
pub mod dockerfile;
pub mod layer;
pub mod layout;
mod owner;
pub mod store;

pub use digest::{Digest, ParseDigestError};
pub use owner::Owner;
