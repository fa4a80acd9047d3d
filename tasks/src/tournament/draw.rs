//! Chance: every draw has a generator of its own, so none depends on how many were drawn before it.
//!
//! A generator's seed is the first 8 bytes, little-endian, of SHA-256 over the setup's seed (8 bytes, little-endian),
//! the purpose's name and a number (4 bytes, little-endian), each preceded by its length in bytes (8 bytes,
//! little-endian). Its numbers are those of numpy's `default_rng` for that seed. A shuffle swaps each place from the
//! last to the second with `integers(0, place + 1)`; a fraction is the upper 53 bits of a 64-bit draw over 2^53.

use crate::canonical::PartsHasher;
use crate::scoring::pcg64::Pcg64;

/// A generator for one purpose.
pub(super) struct Draw(Pcg64);

impl Draw {
    /// For `purpose` and its `number`.
    pub(super) fn new(seed: u64, purpose: &str, number: u32) -> Self {
        let mut hasher = PartsHasher::new();
        hasher.part(&seed.to_le_bytes());
        hasher.part(purpose.as_bytes());
        hasher.part(&number.to_le_bytes());
        let digest = hasher.finish();
        let word = digest
            .get(..16)
            .and_then(|hex| u64::from_str_radix(hex, 16).ok())
            .expect("a SHA-256 in hexadecimal has 64 digits");
        Self(Pcg64::new(word.swap_bytes()))
    }

    /// Any order, each as likely.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in (1..items.len()).rev() {
            let other = self.0.below(place as u32 + 1) as usize;
            items.swap(place, other);
        }
    }

    /// From 0 to below 1.
    pub(super) fn fraction(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of `items`; `None` if there are none.
    pub(super) fn one<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.0.below(items.len() as u32) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed with numpy 2 by `tests/golden/tournaments/make_tournaments.py --draws`.
    #[test]
    fn draws_are_the_documented_ones() {
        let mut items: Vec<u32> = (0..6).collect();
        Draw::new(7, "groups", 1).shuffle(&mut items);
        assert_eq!(items, [0, 4, 5, 2, 1, 3]);
        assert_eq!(
            Draw::new(7, "pair_task", 3).fraction(),
            0.129_083_759_463_164_64
        );
    }
}
