//! Tournaments in small, at random, and as files.

mod boss;
mod copies;
mod ends;
mod golden;
mod play;
mod random;
mod records;
mod refusals;
mod rounds;
mod setups;
mod succession;
mod tasks;
mod ties;
