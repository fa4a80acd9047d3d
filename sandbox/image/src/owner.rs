//! Whose fault a failure is: the field of an error that decides what happens next.

/// Who has to act on a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The submission's author: refuse it, with a reason they can act on.
    Submission,
    /// The machine is at fault: retry elsewhere.
    Host,
    /// This program is at fault: stop.
    Bug,
}
