//! Checkpoint and task to score.
#![forbid(unsafe_code)]
