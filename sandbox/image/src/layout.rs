//! OCI image layouts: taken in, written out.
//!
//! A layout is a directory, or an archive of one: `oci-layout`, `index.json`, `blobs/sha256/…`. It was written by someone we do
//! not trust. Documents are read under limits by types that know what they need and no more; every blob's digest and length is
//! compared with the descriptor that led to it; a platform is chosen, never guessed.
//!
//! | module | is about |
//! |---|---|
//! | [`config`] | what a container is started with, and the layers' digests |
//! | [`model`] | indices, manifests, descriptors; OCI's and Docker's media types |
//! | [`source`] | a layout's files, in a directory or an archive |
//! | [`import()`] | from a layout into a store |
//! | [`export()`] | from a store to a layout |

pub mod config;
mod error;
mod export;
mod import;
pub mod model;
mod select;
pub mod source;

pub use config::{Healthcheck, History, ImageConfig, RootFs, RunConfig};
pub use error::{ExportImageError, ImportImageError, ParseImageError};
pub use export::{ExportImageOptions, export, export_archive};
pub use import::{ImportOptions, Imported, import, put_built, read_config};
pub use model::{Descriptor, Index, Manifest, Platform};
pub use source::Source;
