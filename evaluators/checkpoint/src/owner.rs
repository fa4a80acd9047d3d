/// Whose fault a failure is, and so what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The submitted files are at fault: reject them with the reason.
    Submission,
    /// The machine is at fault (or whoever set the task): retry elsewhere.
    Host,
    /// This program is at fault: stop, no score is better than a wrong one.
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
