//! Sixteen lanes as an array: the definition of what the others do.

use super::{LANES, Simd};
use crate::linear::{Target, tile};

/// Plain Rust; the compiler vectorises what it can.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

/// An array aligned like a register.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Lanes([f32; LANES]);

#[inline(always)]
fn map2(a: Lanes, b: Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
    Lanes(core::array::from_fn(|i| f(a.0[i], b.0[i])))
}

impl Simd for Portable {
    type F = Lanes;
    const TILE_ROWS: usize = 4;
    const TILE_VECS: usize = 1;

    #[inline(always)]
    unsafe fn tile(depth: usize, a: *const f32, b: *const f32, target: Target) {
        // SAFETY: the caller's promise.
        unsafe { tile::<Self, 4, 1>(depth, a, b, target) }
    }
    #[inline(always)]
    unsafe fn narrow_tile(depth: usize, a: *const f32, b: *const f32, target: Target) {
        // SAFETY: the caller's promise.
        unsafe { tile::<Self, 4, 1>(depth, a, b, target) }
    }

    #[inline(always)]
    fn prefetch(_p: *const f32) {}
    #[inline(always)]
    unsafe fn splat(x: f32) -> Lanes {
        Lanes([x; LANES])
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Lanes {
        // SAFETY: sixteen readable lanes, by contract.
        Lanes(unsafe { p.cast::<[f32; LANES]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, x: Lanes) {
        // SAFETY: sixteen writable lanes, by contract.
        unsafe { p.cast::<[f32; LANES]>().write_unaligned(x.0) }
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> Lanes {
        // SAFETY: sixteen readable values, by contract.
        let bits = unsafe { p.cast::<[u16; LANES]>().read_unaligned() };
        Lanes(bits.map(|b| f32::from_bits(u32::from(b) << 16)))
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> Lanes {
        // SAFETY: sixteen readable values, by contract.
        let bits = unsafe { p.cast::<[u16; LANES]>().read_unaligned() };
        Lanes(bits.map(|b| half::f16::from_bits(b).to_f32()))
    }
    #[inline(always)]
    unsafe fn add(a: Lanes, b: Lanes) -> Lanes {
        map2(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: Lanes, b: Lanes) -> Lanes {
        map2(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: Lanes, b: Lanes) -> Lanes {
        map2(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(a: Lanes, b: Lanes) -> Lanes {
        map2(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn fma(a: Lanes, b: Lanes, c: Lanes) -> Lanes {
        Lanes(core::array::from_fn(|i| a.0[i].mul_add(b.0[i], c.0[i])))
    }
    #[inline(always)]
    unsafe fn max(a: Lanes, b: Lanes) -> Lanes {
        map2(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(a: Lanes, b: Lanes) -> Lanes {
        map2(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn zero_where_less(a: Lanes, b: Lanes, x: Lanes) -> Lanes {
        Lanes(core::array::from_fn(|i| {
            if a.0[i] < b.0[i] { 0.0 } else { x.0[i] }
        }))
    }
    #[inline(always)]
    unsafe fn scale_exponent(x: Lanes, n: Lanes) -> Lanes {
        map2(x, n, |x, n| {
            f32::from_bits(x.to_bits().wrapping_add(n.to_bits() << 23))
        })
    }
    #[inline(always)]
    unsafe fn transpose(rows: &mut [Lanes; LANES]) {
        let old = *rows;
        for (i, row) in rows.iter_mut().enumerate() {
            for (j, lane) in row.0.iter_mut().enumerate() {
                *lane = old[j].0[i];
            }
        }
    }
}
