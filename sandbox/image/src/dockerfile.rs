//! A Dockerfile's stages and instructions, checked and expanded.
//!
//! Pure: text in, plain data out. Nothing here opens a file, asks a registry or knows what an image holds.
//!
//! ```text
//! text --parse--> Build --plan--> stages that the target needs --resolve--> steps, each with its changes and its key
//! ```
//!
//! What is accepted means what BuildKit makes of it; what is not supported is refused by line, never skipped. The
//! differences that were decided on purpose stand beside the code that makes them, and in `tests/golden/dockerfile`.
//!
//! | module | is about |
//! |---|---|
//! | `lines` | bytes to logical lines: directives, continuations, comments, here-documents |
//! | `parse` | logical lines to instructions |
//! | [`instruction`] | what an instruction is before variables are put in |
//! | `words` | words and quotes of `ENV`, `LABEL`, `ARG` |
//! | [`expand`] | variables: `$x`, `${x:-word}`, `${x#pattern}` and the others |
//! | `mount`, `values` | mounts of `RUN`; ports, durations, signals, owners, modes |
//! | [`plan`] | which stages the target needs, in which order |
//! | [`resolve`] | a stage's instructions with variables put in |
//! | [`config`] | what an image's configuration becomes |
//! | [`key`] | under which key a step's layer is kept |
//! | [`error`] | why a Dockerfile is refused |

#![forbid(unsafe_code)]

pub mod config;
pub mod error;
pub mod expand;
pub mod instruction;
pub mod key;
mod lines;
pub mod mount;
mod parse;
mod pattern;
pub mod plan;
pub mod resolve;
mod values;
mod words;

#[cfg(test)]
mod tests;

pub use config::{Change, Healthcheck, ImageConfig};
pub use error::DockerfileError;
pub use instruction::{Build, Stage};
pub use key::{ContentHash, Key};
pub use mount::{Mount, MountKind, Sharing};
pub use parse::parse;
pub use plan::{Base, ImageRef, Options, Plan, PlannedStage, Platform};
pub use resolve::{Action, Parent, Resolved, Step};

/// Longest Dockerfile that is read.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Most stages of a Dockerfile.
pub const STAGES_MAX: usize = 200;
/// Most instructions of a Dockerfile, all stages together.
pub const INSTRUCTIONS_MAX: usize = 2000;
/// Most here-documents of one instruction.
pub const HERE_DOCS_MAX: usize = 64;
/// Most bytes that variables may grow to in one stage, intermediate results included.
pub const EXPANDED_BYTES_MAX: usize = 1 << 20;
/// Most bytes of one stage's environment, names and values: one string of it reaches a program only below this.
pub const ENV_BYTES_MAX: usize = 128 << 10;
/// Deepest nesting of `${a:-${b:-...}}`.
pub const NESTING_MAX: usize = 64;
