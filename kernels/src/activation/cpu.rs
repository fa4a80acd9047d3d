//! Sixteen elements at a time.

use super::Activation;
use crate::simd::{Kernel, LANES, Simd, gelu, gelu_tanh, silu, soft_cap_lanes};

/// One row.
pub(super) struct Gated {
    /// `len` values.
    pub(super) gate: *const f32,
    /// `len` values.
    pub(super) up: *const f32,
    /// `len` values; `gate` itself or apart from both.
    pub(super) out: *mut f32,
    pub(super) len: usize,
    pub(super) kind: Activation,
}

/// An activation over sixteen lanes. A trait and not a closure: closures are not always inlined into the function that
/// has the instruction set, and outside it every intrinsic is a call.
trait Lanes {
    unsafe fn apply<S: Simd>(x: S::F) -> S::F;
}

macro_rules! lanes {
    ($($name:ident: $function:ident),*) => {$(
        struct $name;
        impl Lanes for $name {
            #[inline(always)]
            unsafe fn apply<S: Simd>(x: S::F) -> S::F {
                // SAFETY: features as the caller's.
                unsafe { $function::<S>(x) }
            }
        }
    )*};
}

lanes!(Silu: silu, Gelu: gelu, GeluTanh: gelu_tanh);

impl Kernel for Gated {
    type Out = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.kind {
                Activation::Silu => self.apply::<S, Silu>(),
                Activation::Gelu => self.apply::<S, Gelu>(),
                Activation::GeluTanh => self.apply::<S, GeluTanh>(),
            }
        }
    }
}

impl Gated {
    #[inline(always)]
    unsafe fn apply<S: Simd, F: Lanes>(self) {
        // SAFETY: `gate`, `up` and `out` hold `len` values; a value is read before its place is written.
        unsafe {
            let whole = self.len - self.len % LANES;
            for i in (0..whole).step_by(LANES) {
                let gate = F::apply::<S>(S::load(self.gate.add(i)));
                S::store(self.out.add(i), S::mul(gate, S::load(self.up.add(i))));
            }
            let left = self.len - whole;
            if left > 0 {
                let gate = F::apply::<S>(S::load_partial(self.gate.add(whole), left, 0.0));
                let up = S::load_partial(self.up.add(whole), left, 0.0);
                S::store_partial(self.out.add(whole), left, S::mul(gate, up));
            }
        }
    }
}

/// A slice, in place.
pub(super) struct SoftCap<'a> {
    pub(super) x: &'a mut [f32],
    pub(super) cap: f32,
}

impl Kernel for SoftCap<'_> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let mut vectors = self.x.chunks_exact_mut(LANES);
        for v in &mut vectors {
            let p = v.as_mut_ptr();
            // SAFETY: `v` holds sixteen values.
            unsafe { S::store(p, soft_cap_lanes::<S>(S::load(p), self.cap)) };
        }
        let tail = vectors.into_remainder();
        let (p, n) = (tail.as_mut_ptr(), tail.len());
        if n > 0 {
            // SAFETY: `tail` holds `n` values.
            unsafe {
                let x = S::load_partial(p, n, 0.0);
                S::store_partial(p, n, soft_cap_lanes::<S>(x, self.cap));
            }
        }
    }
}
