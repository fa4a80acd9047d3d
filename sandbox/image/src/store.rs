//! Layers and images by digest.
