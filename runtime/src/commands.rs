//! What each subcommand does.

pub mod bench;
pub mod chain;
pub mod doctor;
pub mod eval;
pub mod sandbox;
pub mod tournament;
pub mod weights;
