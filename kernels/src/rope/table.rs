//! Cosines and sines of a range of positions.

use super::frequency::{LengthClass, Rope};

/// `[positions, rotary_dim / 2]` cosines and sines, f32, times the attention factor.
#[derive(Clone, Debug)]
pub struct RopeTable {
    /// A position's cosines, then its sines.
    values: Vec<f32>,
    half: usize,
}

impl RopeTable {
    /// The table of `rope` for rows of `class`, positions 0 to `positions`.
    #[must_use]
    pub fn new(rope: &Rope, class: LengthClass, positions: usize) -> Self {
        let inv_freq = rope.inv_freq(class);
        let factor = rope.attention_factor();
        let half = inv_freq.len();
        let mut values = Vec::with_capacity(positions * 2 * half);
        for position in 0..positions {
            let turned = inv_freq.iter().map(|f| libm::sincos(position as f64 * f));
            let (cos, sin): (Vec<f32>, Vec<f32>) = turned
                .map(|(sin, cos)| ((cos * factor) as f32, (sin * factor) as f32))
                .unzip();
            values.extend(cos);
            values.extend(sin);
        }
        Self { values, half }
    }

    /// `[positions, 2, rotary_dim / 2]`: a position's cosines, then its sines.
    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    /// Positions that the table has.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.values.len() / (2 * self.half)
    }

    /// Values of a head that it rotates.
    #[must_use]
    pub fn rotary_dim(&self) -> usize {
        2 * self.half
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.values.capacity() * size_of::<f32>()
    }

    /// Cosines at `position`.
    ///
    /// # Panics
    /// If the table is shorter.
    #[must_use]
    pub fn cos(&self, position: usize) -> &[f32] {
        &self.values[position * 2 * self.half..][..self.half]
    }

    /// Sines at `position`.
    ///
    /// # Panics
    /// If the table is shorter.
    #[must_use]
    pub fn sin(&self, position: usize) -> &[f32] {
        &self.values[(position * 2 + 1) * self.half..][..self.half]
    }
}
