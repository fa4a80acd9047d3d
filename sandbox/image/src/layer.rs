//! Archives of layers to directories and back.
