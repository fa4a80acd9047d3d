//! System calls that no crate wraps: one safe function each, and all of this crate's `unsafe`.
