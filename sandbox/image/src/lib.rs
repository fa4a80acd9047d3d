//! Images without a daemon.
//!
//! | module | is about |
//! |---|---|
//! | [`layer`] | archives of layers to directories and back, hostile ones included |
//! | [`store`] | layers and images by digest; what is removed when |
//! | [`layout`] | OCI image layouts: taken in, written out |
//! | [`dockerfile`] | a Dockerfile's stages and instructions, checked and expanded |
//! | [`context`] | a build context: what `.dockerignore` leaves, what `COPY` selects, its digest |

#![forbid(unsafe_code)]

pub mod context;
mod digest;
pub mod dockerfile;
pub mod layer;
pub mod layout;
pub mod store;

pub use digest::{Digest, ParseDigestError};
pub use gradus_owner::Owner;
