//! `out[t, c] = table[ids[t], c] * multiplier`, from the definition, f64.

use crate::params::Params;

/// See the module.
#[must_use]
pub fn embedding(table: &Params<'_>, ids: &[u32], multiplier: f64) -> Vec<f64> {
    ids.iter()
        .flat_map(|&id| {
            (0..table.cols()).map(move |c| f64::from(table.get(id as usize, c)) * multiplier)
        })
        .collect()
}
