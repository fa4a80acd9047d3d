//! Hexadecimal, with or without `0x`, as keyfiles, signers, beacons and journals write it.

/// The bytes that `text` writes, if it is exactly `N` of them.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// The bytes that `text` writes, if it is at most `bytes_max` of them.
pub(crate) fn decode_up_to(text: &str, bytes_max: usize) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    if digits.len() > 2 * bytes_max || !digits.len().is_multiple_of(2) {
        return None;
    }
    let bytes = digits.chunks_exact(2);
    bytes
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

/// Lower case with `0x`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).expect("four bits");
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    "0x".chars().chain(digits.map(digit)).collect()
}

fn digit(character: u8) -> Option<u8> {
    (character as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_length_of_digits_is_read() {
        assert_eq!(decode::<2>("0x0aFF"), Some([10, 255]));
        assert_eq!(decode::<2>("0aff"), Some([10, 255]));
        for wrong in ["", "0x", "0a", "0x0aff00", "0x0ag0", "0x+aff", "0x0äf"] {
            assert_eq!(decode::<2>(wrong), None, "{wrong}");
        }
        assert_eq!(encode(&[10, 255]), "0x0aff");
        assert_eq!(decode_up_to("0x0aFF", 2), Some(vec![10, 255]));
        assert_eq!(decode_up_to("0x", 0), Some(vec![]));
        for wrong in ["0x0aff00", "0a0", "0xg0"] {
            assert_eq!(decode_up_to(wrong, 2), None, "{wrong}");
        }
    }
}
