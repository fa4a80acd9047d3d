//! A Dockerfile's stages and instructions, checked and expanded.
