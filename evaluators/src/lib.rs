//! Checkpoint and task to score.
#![forbid(unsafe_code)]

mod engine;
mod layout;
mod model;
mod weights;
