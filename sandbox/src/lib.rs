//! Runs untrusted programs so that they reach nothing they were not given, use no more than they were granted, and leave nothing behind.
