//! What a task is.
#![forbid(unsafe_code)]
