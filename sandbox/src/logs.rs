//! What a job has printed: read back as the watcher keeps it, and shown so that it can do nothing to whoever looks.
//!
//! Nothing in here tells how a job ended. What it prints is its own claim.

mod error;
mod escape;
mod lines;
mod reader;
mod record;
#[cfg(test)]
mod tests;

pub use error::LogError;
pub use escape::{escape, is_shown_as_it_is};
pub use lines::{LINE_BYTES, Lines};
pub use reader::Reader;
pub use record::{Header, Record, Stream, WrongHeader};
