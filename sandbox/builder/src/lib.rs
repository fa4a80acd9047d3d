//! Builds images from Dockerfiles without a daemon.
//!
//! ```text
//! Dockerfile ─► stages ─► steps ─► key ─► known? its layer
//!                                    └──► RUN: a job on the layers so far, what it wrote │ COPY, ADD, WORKDIR: a directory ─► layer ─► store
//! ```
//! A command runs as a training job does, but for seven capabilities over its own files and processes, and what it writes to its root is kept.
//! Everything else is done by this process: it reads layers as one tree without mounting them, follows no link out of it, and runs nothing.
//!
//! | module | is about |
//! |---|---|
//! | [`build()`], `build/stage` | a Dockerfile to an image, step by step |
//! | `build/check` | what is refused, before the first step is done |
//! | `build/inputs`, `build/remote`, `build/files` | what a step reads, here and of the network; what it does with files |
//! | `run` | `RUN`: a job and its layer |
//! | `mounts`, `caches` | `RUN --mount`; directories kept between builds |
//! | `copy` | `COPY` and `ADD`; the digest of what they take from layers |
//! | `union` | layers as one tree |
//! | `staging` | a layer that is being made |
//! | `users` | users of the image by name |
//! | `bases` | images by name: those that a build begins with |
//! | `network` | what a command may reach |
//! | `image` | configurations, as Dockerfiles and as OCI have them |
//! | `session` | what a build that was killed has left |
//! | `limits`, `progress`, `error` | what a build may use, what it tells, why it failed and whose fault that is |

#![forbid(unsafe_code)]

mod bases;
mod build;
mod caches;
mod copy;
mod error;
mod image;
mod limits;
mod mounts;
mod network;
mod progress;
mod run;
mod session;
mod staging;
mod union;
mod users;

pub use bases::{Bases, FetchError, ResolvedBase, StoreOnly, find, full_name};
pub use build::{Built, EPOCH_S, Request, build};
pub use caches::collect_caches;
pub use copy::CopyError;
pub use error::{BuildError, StepError};
pub use limits::BuildLimits;
pub use mounts::Secret;
pub use network::{Download, Egress, Network, Serving, Within};
pub use progress::{Added, Event, Large, StepReport};
pub use session::sweep;
pub use staging::StageError;
pub use union::UnionError;
pub use users::{UserError, user_of};
