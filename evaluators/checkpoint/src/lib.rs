//! Hostile checkpoint bytes in, checked views out.
#![forbid(unsafe_code)]
