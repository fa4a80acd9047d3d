//! A chain of a few hundred lines, and what happens to intents on it: every fault, a kill at every step, at random.

mod cases;
mod files;
mod matrix;
mod proofs;
mod rows;
mod run;
mod toy;
mod walk;
