//! Images without a daemon.
//!
//! | module | is about |
//! |---|---|
//! | [`layer`] | archives of layers to directories and back, hostile ones included |
//! | [`store`] | layers and images by digest; what is removed when |
//! | [`layout`] | OCI image layouts: taken in, written out |
//! | [`dockerfile`] | a Dockerfile's stages and instructions, checked and expanded |
//! | [`context`] | a build context: what `.dockerignore` leaves, what `COPY` selects, its digest |
//! | [`Entropy`] | how much the bytes of a file say |

#![forbid(unsafe_code)]

pub mod context;
mod digest;
pub mod dockerfile;
mod entropy;
pub mod layer;
pub mod layout;
pub mod store;

pub use digest::{Digest, ParseDigestError};
pub use entropy::Entropy;
pub use gradus_owner::Owner;
