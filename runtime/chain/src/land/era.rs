//! How long an extrinsic may be valid on a chain.

use super::block_time_ms;
use crate::node::Capabilities;
use crate::submission::ERA_PERIOD_BLOCKS;
use std::time::Duration;

/// Above this many blocks an era begins at some blocks alone.
const EXACT_BLOCKS_MAX: u64 = 4_096;

/// Whether the runtime still knows the hash of an era's first block at its last: an extrinsic is refused where it does not.
///
/// * `time_limit`: of a signature, which decides the era's length
///
/// # Errors
/// Why not, and the longest time that would do.
pub(super) fn era_is_remembered(
    capabilities: &Capabilities,
    era_period_blocks: u64,
    time_limit: Duration,
) -> Result<(), String> {
    let spec_version = capabilities.runtime().version().spec_version;
    let constant = capabilities.runtime().constant("System", "BlockHashCount");
    let count = constant.and_then(|(bytes, _)| match bytes.len() {
        4 => Some(u64::from(u32::from_le_bytes(bytes.try_into().ok()?))),
        _ => Some(u64::from_le_bytes(bytes.try_into().ok()?)),
    });
    let exponent = count.and_then(|count| count.min(EXACT_BLOCKS_MAX).checked_ilog2());
    let Some(exponent) = exponent else {
        return Err(format!(
            "runtime {spec_version} does not say how many blocks it remembers: update this program"
        ));
    };
    let longest = 1_u64 << exponent;
    if era_period_blocks <= longest {
        return Ok(());
    }
    let block_time_ms = block_time_ms(capabilities).map_err(|error| error.to_string())?;
    // Half of a usual era to land in, and half of one that is over before the signature is asked for.
    let blocks = longest.saturating_sub(ERA_PERIOD_BLOCKS);
    let most_s = blocks.saturating_mul(block_time_ms.into()) / 1_000;
    Err(format!(
        "a signature may take {} s, for which the extrinsic would have to be valid for {era_period_blocks} blocks, and runtime {spec_version} remembers {longest}: --signer-timeout {most_s} at most",
        time_limit.as_secs()
    ))
}
