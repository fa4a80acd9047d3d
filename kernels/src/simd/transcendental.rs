//! exp and the activations made of it, to about one unit in the last place.

use super::Simd;

/// `e^x`. 0 below -87, NaN for NaN; arguments above 88 give `e^88`.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor-like minimax polynomial of degree 6 (coefficients
/// of Cephes' `expf`), then n goes into the exponent.
///
/// # Safety
/// The CPU has `S`'s features.
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::F) -> S::F {
    // SAFETY: features as the caller's.
    unsafe {
        let lowest = S::splat(-87.0);
        let clamped = S::min(S::splat(88.0), S::max(lowest, x));
        let magic = S::splat(12_582_912.0); // 1.5 * 2^23: the sum's low mantissa bits are round(x / ln 2)
        let biased = S::fma(clamped, S::splat(core::f32::consts::LOG2_E), magic);
        let n = S::sub(biased, magic);
        let r = S::fma(n, S::splat(-0.693_359_4), clamped);
        let r = S::fma(n, S::splat(2.121_944_4e-4), r);
        let mut p = S::splat(1.987_569_1e-4);
        for c in [
            1.398_199_9e-3,
            8.333_452e-3,
            4.166_579_6e-2,
            1.666_666_5e-1,
            0.5,
        ] {
            p = S::fma(p, r, S::splat(c));
        }
        let p = S::add(S::fma(p, S::mul(r, r), r), S::splat(1.0));
        S::zero_where_less(x, lowest, S::scale_exponent(p, biased))
    }
}

/// `x / (1 + e^-x)`.
///
/// # Safety
/// The CPU has `S`'s features.
#[inline(always)]
pub(crate) unsafe fn silu<S: Simd>(x: S::F) -> S::F {
    // SAFETY: features as the caller's.
    unsafe {
        let e = exp::<S>(S::sub(S::splat(0.0), x));
        S::div(x, S::add(S::splat(1.0), e))
    }
}

/// GELU by tanh: `0.5 x (1 + tanh(u))` with `u = sqrt(2/pi) (x + 0.044715 x^3)`, as `x / (1 + e^(-2u))`.
///
/// # Safety
/// The CPU has `S`'s features.
#[inline(always)]
pub(crate) unsafe fn gelu_tanh<S: Simd>(x: S::F) -> S::F {
    // SAFETY: features as the caller's.
    unsafe {
        let cube = S::mul(S::mul(x, x), x);
        let u = S::fma(S::splat(0.044_715), cube, x);
        let e = exp::<S>(S::mul(S::splat(-1.595_769_1), u));
        S::div(x, S::add(S::splat(1.0), e))
    }
}

/// `cap * tanh(x / cap)`.
///
/// tanh by Cephes' `tanhf`: an odd polynomial below 0.625, `1 - 2 / (e^(2u) + 1)` above.
///
/// # Safety
/// The CPU has `S`'s features.
#[inline(always)]
pub(crate) unsafe fn soft_cap_lanes<S: Simd>(x: S::F, cap: f32) -> S::F {
    // SAFETY: features as the caller's.
    unsafe {
        let one = S::splat(1.0);
        let u = S::div(x, S::splat(cap));
        let magnitude = S::max(u, S::sub(S::splat(0.0), u));
        let square = S::mul(u, u);
        let mut p = S::splat(-5.704_988_7e-3);
        for c in [2.063_908_9e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328_2e-1] {
            p = S::fma(p, square, S::splat(c));
        }
        let near = S::fma(S::mul(p, square), u, u);
        let e = exp::<S>(S::add(u, u));
        let far = S::sub(one, S::div(S::splat(2.0), S::add(e, one)));
        let limit = S::splat(0.625);
        let far = S::zero_where_less(magnitude, limit, far);
        let near = S::sub(near, S::zero_where_less(magnitude, limit, near));
        S::mul(S::splat(cap), S::add(near, far))
    }
}
