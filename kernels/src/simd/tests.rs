use super::*;

/// A list of arguments that exercises every branch of `exp`.
fn arguments() -> Vec<f32> {
    let mut xs: Vec<f32> = (-1000..1000).map(|i| i as f32 * 0.0937).collect();
    xs.extend([
        0.0,
        -0.0,
        88.0,
        87.9,
        -87.0,
        -87.1,
        -200.0,
        f32::NEG_INFINITY,
        1e-8,
    ]);
    xs
}

struct Apply<'a>(&'a [f32], &'a mut [f32], u8);

impl Kernel for Apply<'_> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for i in (0..self.0.len()).step_by(LANES) {
            let n = LANES.min(self.0.len() - i);
            // SAFETY: `i + n` is within both slices.
            unsafe {
                let x = S::load_partial(self.0.as_ptr().add(i), n, 0.0);
                let y = match self.2 {
                    0 => exp::<S>(x),
                    1 => silu::<S>(x),
                    _ => gelu_tanh::<S>(x),
                };
                S::store_partial(self.1.as_mut_ptr().add(i), n, y);
            }
        }
    }
}

fn apply(isa: Isa, which: u8) -> Vec<f32> {
    let xs = arguments();
    let mut ys = vec![0.0; xs.len()];
    isa.dispatch(Apply(&xs, &mut ys, which));
    ys
}

#[test]
fn every_set_gives_the_same_bits() {
    for which in 0..3 {
        let want = apply(Isa::PORTABLE, which);
        for isa in Isa::available() {
            let got = apply(isa, which);
            for ((x, a), b) in arguments().iter().zip(&want).zip(&got) {
                assert_eq!(a.to_bits(), b.to_bits(), "{isa:?} function {which} at {x}");
            }
        }
    }
}

#[test]
fn exp_is_within_two_ulp_of_f64() {
    for (x, y) in arguments().iter().zip(apply(Isa::detect(), 0)) {
        let want = f64::from(x.min(88.0)).exp(); // larger arguments are clamped
        let got = f64::from(y);
        assert!(
            (got - want).abs() <= want * 2.4e-7 + 2e-38,
            "exp({x}) = {got}, expected {want}"
        );
    }
}

#[test]
fn activations_match_their_definitions() {
    let silu = apply(Isa::detect(), 1);
    let gelu = apply(Isa::detect(), 2);
    for ((x, s), g) in arguments().iter().zip(silu).zip(gelu) {
        if !x.is_finite() {
            continue;
        }
        let x = f64::from(*x);
        let want = x / (1.0 + (-x).exp());
        assert!(
            (f64::from(s) - want).abs() <= 1e-6 * want.abs() + 1e-30,
            "silu({x})"
        );
        let u = (2.0 / core::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
        let want = 0.5 * x * (1.0 + u.tanh());
        assert!(
            (f64::from(g) - want).abs() <= 2e-6 * want.abs() + 1e-6,
            "gelu({x})"
        );
    }
}

#[test]
fn nan_stays_nan() {
    struct One(u8);
    impl Kernel for One {
        type Out = f32;
        #[inline(always)]
        unsafe fn run<S: Simd>(self) -> f32 {
            // SAFETY: features are the caller's.
            unsafe {
                let x = S::splat(f32::NAN);
                let y = match self.0 {
                    0 => exp::<S>(x),
                    1 => silu::<S>(x),
                    _ => gelu_tanh::<S>(x),
                };
                S::largest(y)
            }
        }
    }
    for isa in Isa::available() {
        for which in 0..3 {
            assert!(
                isa.dispatch(One(which)).is_nan(),
                "{isa:?} function {which}"
            );
        }
    }
}

#[test]
fn transpose_swaps_rows_and_columns() {
    struct Transpose;
    impl Kernel for Transpose {
        type Out = Vec<f32>;
        #[inline(always)]
        unsafe fn run<S: Simd>(self) -> Vec<f32> {
            let input: Vec<f32> = (0..256).map(|i| i as f32).collect();
            let mut output = vec![0.0; 256];
            // SAFETY: sixteen rows of sixteen lanes in both.
            unsafe {
                let mut rows: [S::F; LANES] =
                    core::array::from_fn(|i| S::load(input.as_ptr().add(16 * i)));
                S::transpose(&mut rows);
                for (i, row) in rows.into_iter().enumerate() {
                    S::store(output.as_mut_ptr().add(16 * i), row);
                }
            }
            output
        }
    }
    for isa in Isa::available() {
        let got = isa.dispatch(Transpose);
        for i in 0..16 {
            for j in 0..16 {
                assert_eq!(got[16 * i + j], (16 * j + i) as f32, "{isa:?} {i} {j}");
            }
        }
    }
}
