use std::fmt;

/// Who has to act on a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The job's author: reject it, with a reason they can act on.
    Submission,
    /// This host: correct it, or retry elsewhere.
    Host,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Owner::Submission => "submission",
            Owner::Host => "host",
        })
    }
}
