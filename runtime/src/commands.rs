//! What each subcommand does.

pub mod doctor;
pub mod eval;
