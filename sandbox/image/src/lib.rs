//! Images without a daemon.
//!
//! | module | is about |
//! |---|---|
//! | [`layer`] | archives of layers to directories and back, hostile ones included |
//! | [`store`] | layers and images by digest; what is removed when |
//! | [`layout`] | OCI image layouts: taken in, written out |
//! | [`dockerfile`] | a Dockerfile's stages and instructions, checked and expanded |

pub mod dockerfile;
pub mod layer;
pub mod layout;
pub mod store;
