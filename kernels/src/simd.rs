//! Sixteen f32 lanes, whatever the machine has.
//!
//! Every CPU kernel is written once over [`Simd`], whose vector is always sixteen lanes wide: one
//! AVX-512 register, two AVX2 registers, or an array. A lane sees the same IEEE operations in the same
//! order on each of them (fused multiply-adds included), so a kernel's result has the same bits on every
//! instruction set; `tests` demands it.
//!
//! The instruction set is picked once, at run time, by [`Isa::detect`]. [`Isa::dispatch`] enters a kernel
//! through a function compiled for that set; everything below it is inlined into that function.

mod avx2;
mod avx512;
mod portable;
mod transcendental;

use crate::linear::Target;
pub(crate) use portable::Portable;
pub(crate) use transcendental::{exp, gelu, gelu_tanh, silu, soft_cap_lanes};

/// Lanes of one [`Simd`] vector.
pub(crate) const LANES: usize = 16;

/// An instruction set that this machine has: kernels run code compiled for it unchecked, so only [`Isa::available`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(InstructionSet);

/// An instruction set that the CPU kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// Whatever the target has; fused multiply-adds through `f32::mul_add`.
    Portable,
}

impl Isa {
    /// What every machine has.
    pub const PORTABLE: Isa = Isa(InstructionSet::Portable);

    /// Which set it is.
    #[must_use]
    pub fn set(self) -> InstructionSet {
        self.0
    }

    /// The best set that this machine has.
    #[must_use]
    pub fn detect() -> Isa {
        *Isa::available().first().unwrap_or(&Isa::PORTABLE)
    }

    /// Every set that this machine can run, best first.
    #[must_use]
    pub fn available() -> Vec<Isa> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            if avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                sets.push(Isa(InstructionSet::Avx512));
            }
            if avx2 {
                sets.push(Isa(InstructionSet::Avx2));
            }
        }
        sets.push(Isa::PORTABLE);
        sets
    }

    /// The name used in results and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            InstructionSet::Avx512 => "avx512",
            InstructionSet::Avx2 => "avx2",
            InstructionSet::Portable => "portable",
        }
    }

    /// Runs `kernel` compiled for this set.
    #[inline]
    pub(crate) fn dispatch<K: Kernel>(self, kernel: K) -> K::Out {
        match self.0 {
            // SAFETY: only `available` makes a value of this set, after it checked the features.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { avx512::enter(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { avx2::enter(kernel) },
            // SAFETY: `Portable` needs no features.
            _ => unsafe { kernel.run::<Portable>() },
        }
    }
}

/// A computation written once for every instruction set.
pub(crate) trait Kernel {
    /// What it returns.
    type Out;
    /// Runs it; implementations are `#[inline(always)]`, so that they are compiled for the caller's set.
    ///
    /// # Safety
    /// The CPU has `S`'s features, and the implementation's own pointers are valid.
    unsafe fn run<S: Simd>(self) -> Self::Out;
}

/// Sixteen f32 lanes and the operations that kernels use.
///
/// # Safety of the methods
/// Each needs the CPU features of the implementing set; the ones that take pointers need them valid for the
/// lanes they touch. No alignment is required.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// Sixteen f32.
    type F: Copy;
    /// Rows of the matrix product's register tile.
    const TILE_ROWS: usize;
    /// Sixteen-lane columns of that tile.
    const TILE_VECS: usize;

    /// Asks for the cache line at `p`, which need not be readable: a hint.
    fn prefetch(p: *const f32);
    unsafe fn splat(x: f32) -> Self::F;
    unsafe fn load(p: *const f32) -> Self::F;
    unsafe fn store(p: *mut f32, x: Self::F);
    /// Widens sixteen bf16 values (exact).
    unsafe fn load_bf16(p: *const u16) -> Self::F;
    /// Widens sixteen IEEE half values (exact).
    unsafe fn load_f16(p: *const u16) -> Self::F;
    unsafe fn add(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn sub(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn div(a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, rounded once.
    unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `a > b ? a : b` in each lane: `b` where either is NaN.
    unsafe fn max(a: Self::F, b: Self::F) -> Self::F;
    /// `a < b ? a : b` in each lane: `b` where either is NaN.
    unsafe fn min(a: Self::F, b: Self::F) -> Self::F;
    /// `a < b ? 0 : x` in each lane.
    unsafe fn zero_where_less(a: Self::F, b: Self::F, x: Self::F) -> Self::F;
    /// Adds the low bits of `n`, shifted left by 23, to `x` as integers: `x * 2^n` for `n` as left in the
    /// mantissa by adding 1.5 * 2^23.
    unsafe fn scale_exponent(x: Self::F, n: Self::F) -> Self::F;
    /// [`tile`](crate::linear::tile) of `TILE_ROWS` rows and `16 * TILE_VECS` columns.
    unsafe fn tile(depth: usize, a: *const f32, b: *const f32, target: Target);
    /// The same with 16 columns.
    unsafe fn narrow_tile(depth: usize, a: *const f32, b: *const f32, target: Target);
    /// In place 16 x 16 transpose.
    unsafe fn transpose(rows: &mut [Self::F; LANES]);

    /// The lanes as an array.
    #[inline(always)]
    unsafe fn to_array(x: Self::F) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        // SAFETY: `out` holds sixteen lanes.
        unsafe { Self::store(out.as_mut_ptr(), x) };
        out
    }

    /// Loads `n < 16` lanes, the rest are `fill`.
    #[inline(always)]
    unsafe fn load_partial(p: *const f32, n: usize, fill: f32) -> Self::F {
        let mut lanes = [fill; LANES];
        // SAFETY: the caller vouches for `n` readable lanes; `lanes` holds sixteen.
        unsafe {
            core::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n.min(LANES));
            Self::load(lanes.as_ptr())
        }
    }

    /// Stores the first `n` lanes.
    #[inline(always)]
    unsafe fn store_partial(p: *mut f32, n: usize, x: Self::F) {
        // SAFETY: the caller vouches for `n` writable lanes.
        unsafe {
            let lanes = Self::to_array(x);
            core::ptr::copy_nonoverlapping(lanes.as_ptr(), p, n.min(LANES));
        }
    }

    /// Sum of the lanes, by halves: lane i with lane i + 8, then 4, 2, 1.
    #[inline(always)]
    unsafe fn sum(x: Self::F) -> f32 {
        // SAFETY: features as the caller's.
        let mut lanes = unsafe { Self::to_array(x) };
        let mut width = LANES / 2;
        while width > 0 {
            for i in 0..width {
                lanes[i] += lanes[i + width];
            }
            width /= 2;
        }
        lanes[0]
    }

    /// Largest lane; NaN if any lane is NaN.
    #[inline(always)]
    unsafe fn largest(x: Self::F) -> f32 {
        // SAFETY: features as the caller's.
        let lanes = unsafe { Self::to_array(x) };
        let mut best = lanes[0];
        for &lane in &lanes[1..] {
            if lane > best || lane.is_nan() {
                best = lane;
            }
        }
        best
    }
}

#[cfg(test)]
mod tests;
