//! All heads of a token share their cosines and sines, which are loaded once.

use super::RopeLayout;
use crate::simd::{Kernel, LANES, Simd};

/// One row of heads at one position.
pub(super) struct Rotate<'a> {
    /// Whole heads of `head_dim` values, at least twice as many as `cos` has.
    pub(super) x: &'a mut [f32],
    pub(super) head_dim: usize,
    /// One for each pair.
    pub(super) cos: &'a [f32],
    /// One for each pair.
    pub(super) sin: &'a [f32],
    pub(super) layout: RopeLayout,
}

impl Kernel for Rotate<'_> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        match self.layout {
            // SAFETY: features as the caller's; `rotate` checked that heads hold all pairs.
            RopeLayout::HalfSplit => unsafe { self.half_split::<S>() },
            RopeLayout::Interleaved => self.interleaved(),
        }
    }
}

impl Rotate<'_> {
    /// # Safety
    /// The CPU has `S`'s features; `x` is whole heads of at least two values for each pair.
    #[inline(always)]
    unsafe fn half_split<S: Simd>(self) {
        let half = self.cos.len();
        let (len, x) = (self.x.len(), self.x.as_mut_ptr());
        for i in (0..half).step_by(LANES) {
            let n = LANES.min(half - i);
            // SAFETY: `i + n <= half`, and each head has `2 * half` values from `first`.
            unsafe {
                let cos = S::load_partial(self.cos.as_ptr().add(i), n, 0.0);
                let sin = S::load_partial(self.sin.as_ptr().add(i), n, 0.0);
                let minus_sin = S::sub(S::splat(0.0), sin);
                for first in (0..len).step_by(self.head_dim) {
                    let (a, b) = (x.add(first + i), x.add(first + half + i));
                    if n == LANES {
                        let (u, v) = (S::load(a), S::load(b));
                        S::store(a, S::fma(u, cos, S::mul(v, minus_sin)));
                        S::store(b, S::fma(v, cos, S::mul(u, sin)));
                    } else {
                        let (u, v) = (S::load_partial(a, n, 0.0), S::load_partial(b, n, 0.0));
                        S::store_partial(a, n, S::fma(u, cos, S::mul(v, minus_sin)));
                        S::store_partial(b, n, S::fma(v, cos, S::mul(u, sin)));
                    }
                }
            }
        }
    }

    /// Pair by pair: no family that is evaluated today has this layout, so its speed is left to the compiler.
    #[inline(always)]
    fn interleaved(self) {
        for head in self.x.chunks_exact_mut(self.head_dim) {
            let turns = self.cos.iter().zip(self.sin);
            for (pair, (&cos, &sin)) in head.as_chunks_mut::<2>().0.iter_mut().zip(turns) {
                let [a, b] = *pair;
                *pair = [a.mul_add(cos, b * -sin), b.mul_add(cos, a * sin)];
            }
        }
    }
}
