//! What the chain makes of values that are set.

/// What storage will have for `values`: scaled so that the largest is 65,535.
///
/// In the chain's 32 bits behind the point: quotients are cut off, products rounded with halves away from zero. Above 32,768 it divides before it
/// multiplies. Source: the chain's `vec_max_upscale_to_u16`.
pub fn stored_values(values: &[u16]) -> Vec<u16> {
    let full = u128::from(u16::MAX);
    let most = values.iter().copied().max().map_or(0, u128::from);
    if most == 0 {
        return values.to_vec();
    }
    let scaled = |value: u16| {
        let fixed = if most > 32_768 {
            u128::from(value) * ((full << 32) / most)
        } else {
            ((u128::from(value) * full) << 32) / most
        };
        // Half away from zero.
        let rounded = (fixed + (1 << 31)) >> 32;
        u16::try_from(rounded).unwrap_or(u16::MAX)
    };
    values.iter().map(|value| scaled(*value)).collect()
}
