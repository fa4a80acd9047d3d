//! Sixteen lanes in two AVX2 registers.
#![cfg(target_arch = "x86_64")]

use super::{Kernel, LANES, Simd};
use crate::linear::{Target, tile};
use core::arch::x86_64::*;

/// AVX2, FMA, F16C.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// Lanes 0..8 and 8..16.
type Pair = (__m256, __m256);

/// Runs `kernel` compiled for AVX2.
///
/// # Safety
/// The CPU has AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn enter<K: Kernel>(kernel: K) -> K::Out {
    // SAFETY: this function is compiled for the features that `Avx2` needs.
    unsafe { kernel.run::<Avx2>() }
}

#[inline(always)]
unsafe fn transpose8(r: &mut [__m256; 8]) {
    // SAFETY: features as the caller's.
    unsafe {
        let mut t = *r;
        for i in 0..2 {
            let (a, b, c, d) = (r[4 * i], r[4 * i + 1], r[4 * i + 2], r[4 * i + 3]);
            let (ab_lo, ab_hi) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (cd_lo, cd_hi) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            t[4 * i] = _mm256_shuffle_ps::<0x44>(ab_lo, cd_lo);
            t[4 * i + 1] = _mm256_shuffle_ps::<0xee>(ab_lo, cd_lo);
            t[4 * i + 2] = _mm256_shuffle_ps::<0x44>(ab_hi, cd_hi);
            t[4 * i + 3] = _mm256_shuffle_ps::<0xee>(ab_hi, cd_hi);
        }
        for j in 0..4 {
            r[j] = _mm256_permute2f128_ps::<0x20>(t[j], t[4 + j]);
            r[4 + j] = _mm256_permute2f128_ps::<0x31>(t[j], t[4 + j]);
        }
    }
}

// SAFETY (all methods): the trait's contract, features and valid pointers, is what the intrinsics need.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Avx2 {
    type F = Pair;
    // 12 registers of accumulators, two of weights, one broadcast: 15 of 16.
    const TILE_ROWS: usize = 6;
    const TILE_VECS: usize = 1;

    #[inline(always)]
    unsafe fn tile(depth: usize, a: *const f32, b: *const f32, target: Target) {
        // SAFETY: the caller's promise.
        unsafe { tile::<Self, 6, 1>(depth, a, b, target) }
    }
    #[inline(always)]
    unsafe fn narrow_tile(depth: usize, a: *const f32, b: *const f32, target: Target) {
        // SAFETY: the caller's promise.
        unsafe { tile::<Self, 6, 1>(depth, a, b, target) }
    }

    #[inline(always)]
    fn prefetch(p: *const f32) {
        // SAFETY: a prefetch of any address is harmless, and every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Pair {
        let v = unsafe { _mm256_set1_ps(x) };
        (v, v)
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Pair {
        unsafe { (_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, x: Pair) {
        unsafe {
            _mm256_storeu_ps(p, x.0);
            _mm256_storeu_ps(p.add(8), x.1);
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> Pair {
        unsafe {
            let widen = |q: *const u16| {
                let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(q.cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
            };
            (widen(p), widen(p.add(8)))
        }
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> Pair {
        unsafe {
            (
                _mm256_cvtph_ps(_mm_loadu_si128(p.cast())),
                _mm256_cvtph_ps(_mm_loadu_si128(p.add(8).cast())),
            )
        }
    }
    #[inline(always)]
    unsafe fn add(a: Pair, b: Pair) -> Pair {
        unsafe { (_mm256_add_ps(a.0, b.0), _mm256_add_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn sub(a: Pair, b: Pair) -> Pair {
        unsafe { (_mm256_sub_ps(a.0, b.0), _mm256_sub_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn mul(a: Pair, b: Pair) -> Pair {
        unsafe { (_mm256_mul_ps(a.0, b.0), _mm256_mul_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn div(a: Pair, b: Pair) -> Pair {
        unsafe { (_mm256_div_ps(a.0, b.0), _mm256_div_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn fma(a: Pair, b: Pair, c: Pair) -> Pair {
        unsafe {
            (
                _mm256_fmadd_ps(a.0, b.0, c.0),
                _mm256_fmadd_ps(a.1, b.1, c.1),
            )
        }
    }
    #[inline(always)]
    unsafe fn max(a: Pair, b: Pair) -> Pair {
        unsafe { (_mm256_max_ps(a.0, b.0), _mm256_max_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn min(a: Pair, b: Pair) -> Pair {
        unsafe { (_mm256_min_ps(a.0, b.0), _mm256_min_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn zero_where_less(a: Pair, b: Pair, x: Pair) -> Pair {
        unsafe {
            let keep = |a, b, x| _mm256_and_ps(_mm256_cmp_ps::<_CMP_NLT_UQ>(a, b), x);
            (keep(a.0, b.0, x.0), keep(a.1, b.1, x.1))
        }
    }
    #[inline(always)]
    unsafe fn scale_exponent(x: Pair, n: Pair) -> Pair {
        unsafe {
            let scale = |x, n| {
                let shift = _mm256_slli_epi32::<23>(_mm256_castps_si256(n));
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), shift))
            };
            (scale(x.0, n.0), scale(x.1, n.1))
        }
    }
    #[inline(always)]
    unsafe fn transpose(rows: &mut [Pair; LANES]) {
        unsafe {
            let mut a: [__m256; 8] = core::array::from_fn(|i| rows[i].0);
            let mut b: [__m256; 8] = core::array::from_fn(|i| rows[i].1);
            let mut c: [__m256; 8] = core::array::from_fn(|i| rows[i + 8].0);
            let mut d: [__m256; 8] = core::array::from_fn(|i| rows[i + 8].1);
            transpose8(&mut a);
            transpose8(&mut b);
            transpose8(&mut c);
            transpose8(&mut d);
            for i in 0..8 {
                rows[i] = (a[i], c[i]);
                rows[i + 8] = (b[i], d[i]);
            }
        }
    }
}
