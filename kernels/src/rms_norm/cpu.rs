//! Two passes over a group, which stays in the first cache: squares, then values.

use super::Gain;
use crate::simd::{Kernel, LANES, Simd};

/// Independent chains of sixteen lanes: enough to hide the latency of a fused multiply-add.
const CHAINS: usize = 4;

/// Every group of one row.
pub(super) struct Norm<'a> {
    /// `len` values.
    pub(super) x: *const f32,
    /// `len` values; `x` itself or apart from it.
    pub(super) y: *mut f32,
    /// A whole number of groups.
    pub(super) len: usize,
    /// One group.
    pub(super) weight: &'a [f32],
    pub(super) eps: f64,
    pub(super) gain: Gain,
}

/// Sum of `n` squares.
///
/// # Safety
/// The CPU has `S`'s features; `x` has `n` values.
#[inline(always)]
unsafe fn sum_of_squares<S: Simd>(x: *const f32, n: usize) -> f32 {
    // SAFETY: every load ends at or before `n`.
    unsafe {
        let mut sums = [S::splat(0.0); CHAINS];
        let mut i = 0;
        while i + CHAINS * LANES <= n {
            for (chain, sum) in sums.iter_mut().enumerate() {
                let v = S::load(x.add(i + chain * LANES));
                *sum = S::fma(v, v, *sum);
            }
            i += CHAINS * LANES;
        }
        for sum in &mut sums {
            if i >= n {
                break;
            }
            let v = S::load_partial(x.add(i), n - i, 0.0);
            *sum = S::fma(v, v, *sum);
            i += LANES;
        }
        S::sum(S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3])))
    }
}

impl Kernel for Norm<'_> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let n = self.weight.len();
        for first in (0..self.len).step_by(n) {
            // SAFETY: groups are whole, so `first + n <= len`; a value is read before its place is written.
            unsafe {
                let (x, y) = (self.x.add(first), self.y.add(first));
                let mean = f64::from(sum_of_squares::<S>(x, n)) / n as f64;
                let scale = S::splat((1.0 / (mean + self.eps).sqrt()) as f32);
                let w = self.weight.as_ptr();
                let value = |x, w| {
                    let x = S::mul(x, scale);
                    match self.gain {
                        Gain::Weight => S::mul(x, w),
                        Gain::OnePlusWeight => S::fma(x, w, x),
                    }
                };
                let whole = n - n % LANES;
                for i in (0..whole).step_by(LANES) {
                    S::store(y.add(i), value(S::load(x.add(i)), S::load(w.add(i))));
                }
                if whole < n {
                    let left = n - whole;
                    let x = S::load_partial(x.add(whole), left, 0.0);
                    let w = S::load_partial(w.add(whole), left, 0.0);
                    S::store_partial(y.add(whole), left, value(x, w));
                }
            }
        }
    }
}
