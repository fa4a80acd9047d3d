//! Inputs that are the same in every run.

/// `n` values in [-1, 1) from a splitmix64 stream.
#[must_use]
pub fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5151;
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(n).collect()
}

/// `n` values as a checkpoint stores them in bf16, scaled by a power of two so that a product over `fan_in` of
/// them with [`random`] values is of order one.
#[must_use]
pub fn random_bf16(n: usize, fan_in: usize, seed: u64) -> Vec<u8> {
    let scale = (0.5 * (fan_in.max(1) as f32).log2()).round().exp2().recip();
    let high_half = |v: f32| ((v * scale).to_bits() >> 16) as u16;
    random(n, seed)
        .into_iter()
        .flat_map(|v| high_half(v).to_le_bytes())
        .collect()
}
