//! The reference's rule: scaled by `65535 / max`, zero weights left out, weights that round to zero kept.

use super::{QuantiseError, U16_MAX, same_length, to_u16};

/// Pairs as the reference makes them. NaN is left out as if it were 0, unless it is first; no weight gives no pairs,
/// which the reference then submits.
///
/// # Errors
/// `NotAWeight` for a negative or infinite weight, `TooSmall` where the scale overflows, `Lengths`.
pub fn pairs(uids: &[u16], weights: &[f64]) -> Result<Vec<(u16, u16)>, QuantiseError> {
    same_length(uids, weights)?;
    let refuse = |index: usize| QuantiseError::NotAWeight {
        uid: uids[index],
        found: weights[index],
    };
    if let Some(index) = weights.iter().position(|weight| *weight < 0.0) {
        return Err(refuse(index));
    }
    // NaN counts as something here, and a maximum that starts with NaN stays NaN: both as in Python.
    if weights.iter().all(|weight| *weight == 0.0) {
        return Ok(Vec::new());
    }
    let largest =
        weights.iter().skip(1).fold(
            weights[0],
            |max, weight| if *weight > max { *weight } else { max },
        );
    let scale = U16_MAX / largest;
    if scale.is_infinite() {
        return Err(QuantiseError::TooSmall { largest });
    }
    let mut pairs = Vec::with_capacity(uids.len());
    for (index, (uid, weight)) in uids.iter().zip(weights).enumerate() {
        if *weight > 0.0 {
            pairs.push((*uid, to_u16(weight * scale).ok_or_else(|| refuse(index))?));
        }
    }
    Ok(pairs)
}
