//! The parts of the gradus command.
