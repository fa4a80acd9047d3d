//! Jobs with GPUs: what they reach of a driver that is files, and what becomes of GPUs when they end. The management library says what a
//! test makes it say.
//!
//! | module | what |
//! |---|---|
//! | [`place`] | a sandbox with a driver of files, and a library that says what it is told to |
//! | [`given`] | what a job has of its own GPU |
//! | [`refused`] | what it has not: other GPUs, daemons, what its image leads to |
//! | [`kept`] | memory while it runs, and what is left on a GPU when it has ended |

mod given;
mod kept;
pub(crate) mod place;
mod refused;
