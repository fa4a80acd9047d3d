//! What the crate promises, seen from outside: hostile archives, whiteouts, a store under two processes and under SIGKILL, and the
//! same images as other tools read and write them.

mod crashes;
mod hostile;
mod layout;
mod malformed;
mod partial;
mod peers;
mod store;
mod tarball;
mod tree;
mod whiteouts;
mod yard;
