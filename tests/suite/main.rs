//! Black-box suite: a line per module.
