//! Data and comparisons for the kernels' tests.

use crate::params::ParamDtype;

/// `n` values in [-1, 1) from a splitmix64 stream.
pub(crate) fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    (0..n)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            (z >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// `values` rounded to `dtype`, as stored.
pub(crate) fn bytes_of(values: &[f32], dtype: ParamDtype) -> Vec<u8> {
    values
        .iter()
        .flat_map(|&v| match dtype {
            ParamDtype::F32 => v.to_le_bytes().to_vec(),
            ParamDtype::Bf16 => half::bf16::from_f32(v).to_le_bytes().to_vec(),
            ParamDtype::F16 => half::f16::from_f32(v).to_le_bytes().to_vec(),
        })
        .collect()
}

/// Fails at the first value that is neither equal nor within `abs + rel * |want|`; NaN never is.
pub(crate) fn within(got: &[f32], want: &[f64], abs: f64, rel: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let g = f64::from(g);
        assert!(
            g == w || (g - w).abs() <= abs + rel * w.abs(),
            "{what}: element {i} is {g}, expected {w}"
        );
    }
}
