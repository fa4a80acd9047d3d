//! Jobs of a user without privileges: one id, no control groups but delegated ones, writes in memory. What holds is tried; what does not, a
//! job's record says.
//!
//! Started by root, each test runs itself again as a user that nobody is. Root is needed for that alone: others run them as themselves.

#[path = "../attacks/program.rs"]
mod program;

mod asked;
mod delegated;
#[path = "../busybox/end_all.rs"]
mod end_all;
mod jobs;
mod limits;
mod user;
