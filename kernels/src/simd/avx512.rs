//! Sixteen lanes in one AVX-512 register.
#![cfg(target_arch = "x86_64")]

use super::{Kernel, LANES, Simd};
use crate::linear::{Target, tile};
use core::arch::x86_64::*;

/// AVX-512 F, BW, DQ, VL.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

/// Runs `kernel` compiled for AVX-512.
///
/// # Safety
/// The CPU has AVX-512 F, BW, DQ, VL, FMA and F16C.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) unsafe fn enter<K: Kernel>(kernel: K) -> K::Out {
    // SAFETY: this function is compiled for the features that `Avx512` needs.
    unsafe { kernel.run::<Avx512>() }
}

// SAFETY (all methods): the trait's contract, features and valid pointers, is what the intrinsics need.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Avx512 {
    type F = __m512;
    // 24 accumulators, two weight vectors, one broadcast: 27 of 32 registers.
    const TILE_ROWS: usize = 12;
    const TILE_VECS: usize = 2;

    #[inline(always)]
    unsafe fn tile(depth: usize, a: *const f32, b: *const f32, target: Target) {
        // SAFETY: the caller's promise.
        unsafe { tile::<Self, 12, 2>(depth, a, b, target) }
    }
    #[inline(always)]
    unsafe fn narrow_tile(depth: usize, a: *const f32, b: *const f32, target: Target) {
        // SAFETY: the caller's promise.
        unsafe { tile::<Self, 12, 1>(depth, a, b, target) }
    }

    #[inline(always)]
    fn prefetch(p: *const f32) {
        // SAFETY: a prefetch of any address is harmless, and every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, x: __m512) {
        unsafe { _mm512_storeu_ps(p, x) }
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> __m512 {
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
        }
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> __m512 {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(p.cast())) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn zero_where_less(a: __m512, b: __m512, x: __m512) -> __m512 {
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_NLT_UQ>(a, b), x) }
    }
    #[inline(always)]
    unsafe fn scale_exponent(x: __m512, n: __m512) -> __m512 {
        unsafe {
            let shift = _mm512_slli_epi32::<23>(_mm512_castps_si512(n));
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), shift))
        }
    }
    #[inline(always)]
    unsafe fn load_partial(p: *const f32, n: usize, fill: f32) -> __m512 {
        unsafe {
            let mask = ((1u32 << n.min(LANES)) - 1) as u16;
            _mm512_mask_loadu_ps(_mm512_set1_ps(fill), mask, p)
        }
    }
    #[inline(always)]
    unsafe fn store_partial(p: *mut f32, n: usize, x: __m512) {
        unsafe {
            let mask = ((1u32 << n.min(LANES)) - 1) as u16;
            _mm512_mask_storeu_ps(p, mask, x)
        }
    }
    #[inline(always)]
    unsafe fn transpose(r: &mut [__m512; LANES]) {
        unsafe {
            // 4 x 4 blocks inside each 128-bit quarter, then quarters across registers.
            let mut t = *r;
            for i in 0..4 {
                let (a, b, c, d) = (r[4 * i], r[4 * i + 1], r[4 * i + 2], r[4 * i + 3]);
                let (ab_lo, ab_hi) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
                let (cd_lo, cd_hi) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
                t[4 * i] = _mm512_shuffle_ps::<0x44>(ab_lo, cd_lo);
                t[4 * i + 1] = _mm512_shuffle_ps::<0xee>(ab_lo, cd_lo);
                t[4 * i + 2] = _mm512_shuffle_ps::<0x44>(ab_hi, cd_hi);
                t[4 * i + 3] = _mm512_shuffle_ps::<0xee>(ab_hi, cd_hi);
            }
            // t[4i + j], quarter q: rows 4i..4i+4 of column 4q + j. Column 4q + j gathers t[j], t[4+j], t[8+j], t[12+j].
            for j in 0..4 {
                let (a, b, c, d) = (t[j], t[4 + j], t[8 + j], t[12 + j]);
                let ab_even = _mm512_shuffle_f32x4::<0x88>(a, b); // a0 a2 b0 b2
                let ab_odd = _mm512_shuffle_f32x4::<0xdd>(a, b); // a1 a3 b1 b3
                let cd_even = _mm512_shuffle_f32x4::<0x88>(c, d);
                let cd_odd = _mm512_shuffle_f32x4::<0xdd>(c, d);
                r[j] = _mm512_shuffle_f32x4::<0x88>(ab_even, cd_even); // a0 b0 c0 d0
                r[8 + j] = _mm512_shuffle_f32x4::<0xdd>(ab_even, cd_even); // a2 b2 c2 d2
                r[4 + j] = _mm512_shuffle_f32x4::<0x88>(ab_odd, cd_odd); // a1 b1 c1 d1
                r[12 + j] = _mm512_shuffle_f32x4::<0xdd>(ab_odd, cd_odd); // a3 b3 c3 d3
            }
        }
    }
}
