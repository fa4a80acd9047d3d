//! The register tile: rows of activations by one panel of weights, over one block of the inner dimension.

use crate::linear::PANEL;
use crate::simd::{LANES, Simd};

/// Where a tile's result goes.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    /// Top left element.
    pub(crate) c: *mut f32,
    /// Elements between rows.
    pub(crate) stride: usize,
    /// Rows to store, at most the tile's.
    pub(crate) rows: usize,
    /// Columns to store, at most the tile's.
    pub(crate) cols: usize,
    /// Add to what is there instead of overwriting it.
    pub(crate) add: bool,
}

/// `c[rows, cols] (+)= a[ROWS, depth] * b[depth, 16 * VECS]`.
///
/// * `a`: `[depth][ROWS]`, one panel of activations
/// * `b`: `[depth][PANEL]`, the first or second half of a panel of weights when `VECS` is 1
///
/// Every element is one chain of `depth` fused multiply-adds, so it does not depend on its neighbours.
///
/// # Safety
/// The CPU has `S`'s features; `a` and `b` hold `depth` steps, `target` is writable as it says.
#[inline(always)]
pub(crate) unsafe fn tile<S: Simd, const ROWS: usize, const VECS: usize>(
    depth: usize,
    a: *const f32,
    b: *const f32,
    target: Target,
) {
    // SAFETY: within the bounds that the caller vouches for.
    unsafe {
        let mut acc = [[S::splat(0.0); VECS]; ROWS];
        let (mut a, mut b) = (a, b);
        if target.add {
            // The sums so far left the first cache while other tiles were computed; they are needed at the end.
            for row in 0..ROWS.min(target.rows) {
                let c = target.c.wrapping_add(row * target.stride);
                for v in 0..VECS {
                    S::prefetch(c.wrapping_add(LANES * v));
                }
            }
        }
        for _ in 0..depth {
            let mut weights = [S::splat(0.0); VECS];
            for (v, w) in weights.iter_mut().enumerate() {
                *w = S::load(b.add(LANES * v));
            }
            for (i, row) in acc.iter_mut().enumerate() {
                let x = S::splat(*a.add(i));
                for (sum, w) in row.iter_mut().zip(weights) {
                    *sum = S::fma(x, w, *sum);
                }
            }
            a = a.add(ROWS);
            b = b.add(PANEL);
        }
        for (i, row) in acc.iter().enumerate() {
            if i >= target.rows {
                break;
            }
            for (v, &sum) in row.iter().enumerate() {
                let first = LANES * v;
                if first >= target.cols {
                    break;
                }
                let c = target.c.add(i * target.stride + first);
                let n = target.cols - first;
                if n >= LANES {
                    let sum = if target.add {
                        S::add(S::load(c), sum)
                    } else {
                        sum
                    };
                    S::store(c, sum);
                } else {
                    let sum = if target.add {
                        S::add(S::load_partial(c, n, 0.0), sum)
                    } else {
                        sum
                    };
                    S::store_partial(c, n, sum);
                }
            }
        }
    }
}
