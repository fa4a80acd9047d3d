//! exp and the activations made of it, to about one unit in the last place.

use super::Simd;

/// `(q, n)` with `e^x = 2^n (1 + q)`, `|q| < 0.42`; n is in the form that [`Simd::scale_exponent`] takes.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; q = e^r - 1 by a minimax polynomial of degree 7 (coefficients of
/// Cephes' `expf`), to a few units in the last place however small x is.
///
/// # Safety
/// The CPU has `S`'s features; `-87 <= x <= 88`, or NaN.
#[inline(always)]
unsafe fn exp_minus_one_reduced<S: Simd>(x: S::F) -> (S::F, S::F) {
    // SAFETY: features as the caller's.
    unsafe {
        let magic = S::splat(12_582_912.0); // 1.5 * 2^23: the sum's low mantissa bits are round(x / ln 2)
        let biased = S::fma(x, S::splat(core::f32::consts::LOG2_E), magic);
        let n = S::sub(biased, magic);
        let r = S::fma(n, S::splat(-0.693_359_4), x);
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
        (S::fma(p, S::mul(r, r), r), biased)
    }
}

/// `e^x`. 0 below -87, NaN for NaN; arguments above 88 give `e^88`.
///
/// # Safety
/// The CPU has `S`'s features.
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::F) -> S::F {
    // SAFETY: features as the caller's.
    unsafe {
        let lowest = S::splat(-87.0);
        let clamped = S::min(S::splat(88.0), S::max(lowest, x));
        let (q, n) = exp_minus_one_reduced::<S>(clamped);
        let p = S::add(q, S::splat(1.0));
        S::zero_where_less(x, lowest, S::scale_exponent(p, n))
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

/// GELU: `0.5 x (1 + erf(x / sqrt 2))`, as `max(x, 0) - |x| erfc(|x| / sqrt 2) / 2`, which keeps its digits far below 0.
///
/// `erfc(t) / 2 = e^(-t^2) P(u)` with `u = 1 / (1 + 0.35 t)`; P without constant term, of degree 10, was fitted to
/// erfc on [0, 10] for the least relative error (7e-9).
///
/// # Safety
/// The CPU has `S`'s features.
#[inline(always)]
pub(crate) unsafe fn gelu<S: Simd>(x: S::F) -> S::F {
    // SAFETY: features as the caller's.
    unsafe {
        let zero = S::splat(0.0);
        // Past 20 the second term is 0; NaN stays NaN.
        let size = S::min(S::splat(20.0), S::max(S::sub(zero, x), x));
        let t = S::mul(size, S::splat(core::f32::consts::FRAC_1_SQRT_2));
        let one = S::splat(1.0);
        let u = S::div(one, S::fma(t, S::splat(0.35), one));
        let mut p = S::splat(1.920_094e-2);
        for c in [
            -7.946_64e-2,
            9.073_592e-2,
            -1.385_992_7e-2,
            4.351_530_6e-2,
            7.301_79e-2,
            7.559_42e-2,
            9.395_096_5e-2,
            9.856_921e-2,
            9.874_189e-2,
        ] {
            p = S::fma(p, u, S::splat(c));
        }
        let tail = S::mul(exp::<S>(S::mul(S::sub(zero, t), t)), S::mul(p, u));
        S::sub(S::max(zero, x), S::mul(size, tail))
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
        let e = exp::<S>(S::mul(S::splat(-1.595_769), u));
        S::div(x, S::add(S::splat(1.0), e))
    }
}

/// `cap * tanh(x / cap)`, to a few units in the last place at any size of x.
///
/// tanh(u) = m / (m + 2) with m = e^(2u) - 1, which is formed without cancelling: e^(2u) = 2^n (1 + q) gives
/// m = 2^n q + (2^n - 1). Arguments past 2u = 40 in either direction have reached the limit; NaN stays NaN.
///
/// # Safety
/// The CPU has `S`'s features.
#[inline(always)]
pub(crate) unsafe fn soft_cap_lanes<S: Simd>(x: S::F, cap: f32) -> S::F {
    // SAFETY: features as the caller's.
    unsafe {
        let one = S::splat(1.0);
        let y = S::mul(x, S::splat((2.0 / f64::from(cap)) as f32));
        let y = S::min(S::splat(40.0), S::max(S::splat(-40.0), y));
        let (q, n) = exp_minus_one_reduced::<S>(y);
        let power = S::scale_exponent(one, n);
        let m = S::fma(power, q, S::sub(power, one));
        S::div(S::mul(S::splat(cap), m), S::add(m, S::splat(2.0)))
    }
}
