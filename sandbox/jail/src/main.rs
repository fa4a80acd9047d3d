//! The watcher of one job.
fn main() {}
