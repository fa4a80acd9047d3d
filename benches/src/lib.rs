//! Rooflines and peers.
