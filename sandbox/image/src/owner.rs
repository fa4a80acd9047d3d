//! Whose fault a failure is.

/// Whose fault a failure is, and so what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The submitted image is at fault: reject it with the reason.
    Submission,
    /// The machine is at fault, or whoever set the job: retry elsewhere.
    Host,
    /// This program is at fault: stop.
    Bug,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Owner::Submission => "submission",
            Owner::Host => "host",
            Owner::Bug => "bug",
        })
    }
}
