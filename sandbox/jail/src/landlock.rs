//! What the file system refuses beyond permissions.
