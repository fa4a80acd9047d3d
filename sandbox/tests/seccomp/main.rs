//! The trainer's policy in force: what the kernel answers, and what programs make of it.
//!
//! A filter cannot be taken off, so every test runs its calls in a child: this program again, told by its environment what to do.

mod arguments;
mod calls;
mod cases;
mod child;
mod programs;
