//! What a build tells while it goes on.

use std::time::Duration;

use gradus_sandbox::logs::Record;
use serde::Serialize;

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A remark about the Dockerfile, with its line where it has one; texts are the author's.
    Remark {
        /// counted from 1; 0 for the whole file
        line: usize,
        /// what there is to say
        text: &'a str,
    },
    /// A step begins.
    Step {
        /// which, counted from 1
        number: usize,
        /// of how many
        total: usize,
        /// its line
        line: usize,
        /// as the Dockerfile has it
        text: &'a str,
    },
    /// What its command printed; hostile.
    Output(&'a Record),
    /// It is done.
    Done {
        /// what was known already
        cached: bool,
        /// how long it took
        took: Duration,
        /// bytes of its layer; none where it has none
        bytes: Option<u64>,
    },
}

/// A file that whoever judges the image may want to know of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Large {
    /// Line of the step that brought it.
    pub line: usize,
    /// Where it is; of the base image's own files nothing is said.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// How much its bytes say, in thousandths of a bit: near 8000 it is packed, encrypted or parameters of a model.
    pub entropy_millibits: u16,
}

/// A step that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// Line in the Dockerfile.
    pub line: usize,
    /// As the Dockerfile has it.
    pub text: String,
    /// Known already.
    pub cached: bool,
    /// Milliseconds that it took.
    pub took_ms: u64,
    /// Bytes of its layer.
    pub layer_bytes: Option<u64>,
}

/// What an `ADD` took from the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Added {
    /// its line
    pub line: usize,
    /// where it came from
    pub url: String,
    /// what it is: the digest of a file, the id of a commit
    pub content: String,
    /// bytes of a file that was fetched in this build; none where it was known by its checksum
    pub bytes: Option<u64>,
}
