//! System calls that no crate wraps: one safe function each, and all of this crate's `unsafe`.

pub(crate) mod bpf;
pub(crate) mod landlock;
pub(crate) mod seccomp;
