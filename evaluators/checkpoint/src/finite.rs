//! The NaN and infinity policy: a parameter that is not finite makes a score meaningless, so the checkpoint is refused.

use crate::Dtype;

/// A parameter that is NaN or infinite.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "{name}[{row}, {column}] is {value}\nhelp: a model with such parameters has no score: train again from before they appeared"
)]
pub struct NonFinite {
    /// Tensor.
    pub name: String,
    /// Index in the first dimension.
    pub row: usize,
    /// Index in the rest, flattened.
    pub column: usize,
    /// The value: NaN, inf or -inf.
    pub value: f32,
}

/// Index and value of the first element that is NaN or infinite.
///
/// * `bytes`: little-endian elements of a parameter type; other types have none by definition
///
/// A block is first folded to one flag, which compilers turn into vector code; only a block with a hit is looked at closely.
pub fn first_non_finite(dtype: Dtype, bytes: &[u8]) -> Option<(usize, f32)> {
    const BLOCK: usize = 4096;
    let hit: fn(&[u8]) -> bool = match dtype {
        Dtype::F32 => |block| fold4(block, |bits| bits & 0x7f80_0000 == 0x7f80_0000),
        Dtype::BF16 => |block| fold2(block, |bits| bits & 0x7f80 == 0x7f80),
        Dtype::F16 => |block| fold2(block, |bits| bits & 0x7c00 == 0x7c00),
        _ => return None,
    };
    let element = dtype.param_bytes()?;
    let (at, block) = bytes
        .chunks(BLOCK)
        .enumerate()
        .find(|(_, block)| hit(block))?;
    block.chunks_exact(element).enumerate().find_map(|(i, b)| {
        let value = match dtype {
            Dtype::F32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            Dtype::BF16 => half::bf16::from_le_bytes([b[0], b[1]]).to_f32(),
            _ => half::f16::from_le_bytes([b[0], b[1]]).to_f32(),
        };
        (!value.is_finite()).then_some((at * (BLOCK / element) + i, value))
    })
}

fn fold4(block: &[u8], bad: impl Fn(u32) -> bool) -> bool {
    block.chunks_exact(4).fold(false, |any, b| {
        any | bad(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    })
}

fn fold2(block: &[u8], bad: impl Fn(u16) -> bool) -> bool {
    block
        .chunks_exact(2)
        .fold(false, |any, b| any | bad(u16::from_le_bytes([b[0], b[1]])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bad_value_of_each_type_is_found_wherever_it_lies() {
        for (dtype, element, good, bad) in [
            (
                Dtype::F32,
                4,
                f32::MAX.to_le_bytes().to_vec(),
                f32::NEG_INFINITY.to_le_bytes().to_vec(),
            ),
            (
                Dtype::BF16,
                2,
                half::bf16::MAX.to_le_bytes().to_vec(),
                half::bf16::NEG_INFINITY.to_le_bytes().to_vec(),
            ),
            (
                Dtype::F16,
                2,
                half::f16::MAX.to_le_bytes().to_vec(),
                half::f16::NEG_INFINITY.to_le_bytes().to_vec(),
            ),
        ] {
            let clean: Vec<u8> = good.iter().copied().cycle().take(element * 5003).collect();
            assert_eq!(first_non_finite(dtype, &clean), None);
            for at in [0, 1, 2047, 2048, 5002] {
                let mut bytes = clean.clone();
                bytes[at * element..][..element].copy_from_slice(&bad);
                assert_eq!(
                    first_non_finite(dtype, &bytes),
                    Some((at, f32::NEG_INFINITY)),
                    "{dtype} at {at}"
                );
            }
        }
    }

    #[test]
    fn nan_of_either_sign_is_found() {
        assert!(
            first_non_finite(Dtype::BF16, &[0xff, 0xff]).is_some_and(|(i, v)| i == 0 && v.is_nan())
        );
        assert!(
            first_non_finite(Dtype::F16, &[0x01, 0x7c]).is_some_and(|(i, v)| i == 0 && v.is_nan())
        );
    }
}
