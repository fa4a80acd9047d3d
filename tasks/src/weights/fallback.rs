//! When the metagraph's incentives stand in for results: a validator that sets nothing for too long loses its place.

use super::quantise::QuantiseError;
use crate::rules::FallbackRules;

/// How setting weights went lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lately {
    /// Whether the operator allows it.
    pub enabled: bool,
    /// Failures in a row.
    pub failures: u32,
    /// Blocks since the validator's weights were last set.
    pub blocks_since_update: u64,
}

/// The incentives by uid as weights, if the rules ask for them; `None` if they do not.
///
/// They do if it is enabled, after enough failures in a row, when own weights are old enough.
///
/// # Errors
/// `Nothing` if no uid has an incentive: there is nothing to copy either.
pub fn fallback(
    rules: &FallbackRules,
    lately: &Lately,
    incentives: &[u16],
) -> Result<Option<Vec<f64>>, QuantiseError> {
    let due = lately.enabled
        && lately.failures >= rules.failures_min
        && lately.blocks_since_update >= rules.stale_blocks;
    if !due {
        return Ok(None);
    }
    if incentives.iter().all(|incentive| *incentive == 0) {
        return Err(QuantiseError::Nothing);
    }
    Ok(Some(incentives.iter().map(|i| f64::from(*i)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleSet;

    #[test]
    fn incentives_are_copied_only_when_enabled_after_failures_and_when_stale() {
        let rules = RuleSet::newest().emission.fallback;
        let due = Lately {
            enabled: true,
            failures: 2,
            blocks_since_update: 3000,
        };
        let ask = |lately| fallback(&rules, &lately, &[0, 7, 65535]);
        assert_eq!(ask(due), Ok(Some(vec![0.0, 7.0, 65535.0])));
        let not_due = [
            Lately {
                enabled: false,
                ..due
            },
            Lately { failures: 1, ..due },
            Lately {
                blocks_since_update: 2999,
                ..due
            },
        ];
        for lately in not_due {
            assert_eq!(ask(lately), Ok(None), "{lately:?}");
        }
        assert_eq!(fallback(&rules, &due, &[0, 0]), Err(QuantiseError::Nothing));
    }
}
