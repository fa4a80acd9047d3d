//! How long a sample may be.

use crate::rules::TextRules;

/// The sequence lengths to try, shortest first; the next one is tried only if nothing is left at the one before.
///
/// * `sequence_len`: L
/// * `max_position`: P, the candidate's max_position_embeddings; 0 counts as none
/// * `tokenizer_max`: the tokenizer's model_max_length
///
/// If P is below `halve_below_multiple` L, L becomes ceil(P / 2). The doubling ends at the smaller of P and the
/// tokenizer's maximum; an L above that end is replaced by it.
pub(super) fn candidates(
    sequence_len: u64,
    max_position: Option<u64>,
    tokenizer_max: Option<u64>,
    rules: &TextRules,
) -> Vec<u64> {
    let max_position = max_position.filter(|p| *p > 0);
    let start = match max_position {
        Some(p) if p < rules.halve_below_multiple.saturating_mul(sequence_len) => p.div_ceil(2),
        _ => sequence_len,
    };
    if !rules.double_when_empty {
        return vec![start];
    }
    let position_cap = max_position.unwrap_or(rules.max_position_default);
    let cap = match tokenizer_max {
        Some(max) if (1..rules.tokenizer_max_length_ceiling).contains(&max) => {
            position_cap.min(max)
        }
        _ => position_cap,
    };
    if start > cap {
        return vec![cap];
    }
    let mut lens = vec![start];
    let mut len = start;
    while len < cap {
        len = len.saturating_mul(2).min(cap);
        lens.push(len);
    }
    lens
}

/// The longest of [`candidates`] over every `max_position`; `None` if there is none, because a candidate's own maximum
/// is all that bounds it.
pub(super) fn longest(
    sequence_len: u64,
    tokenizer_max: Option<u64>,
    rules: &TextRules,
) -> Option<u64> {
    if !rules.double_when_empty {
        let position_max = rules.halve_below_multiple.saturating_mul(sequence_len);
        return Some(sequence_len.max(position_max.div_ceil(2)));
    }
    tokenizer_max.filter(|max| (1..rules.tokenizer_max_length_ceiling).contains(max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleSet;

    fn lens(p: Option<u64>, tokenizer: Option<u64>) -> Vec<u64> {
        candidates(4096, p, tokenizer, &RuleSet::newest().text)
    }

    #[test]
    fn length_halves_below_two_l_and_doubles_to_the_cap() {
        assert_eq!(lens(Some(32768), None), [4096, 8192, 16384, 32768]);
        assert_eq!(lens(Some(8192), None), [4096, 8192]);
        assert_eq!(lens(Some(8191), None), [4096, 8191]);
        assert_eq!(lens(Some(2049), None), [1025, 2049]);
        assert_eq!(lens(Some(1024), Some(1024)), [512, 1024]);
        assert_eq!(lens(None, None).last(), Some(&131072));
        assert_eq!(lens(Some(0), None), lens(None, None));
        assert_eq!(lens(Some(1), None), [1]);
    }

    #[test]
    fn the_tokenizers_maximum_counts_only_below_the_ceiling() {
        assert_eq!(lens(Some(32768), Some(8192)), [4096, 8192]);
        assert_eq!(lens(Some(32768), Some(2048)), [2048]);
        assert_eq!(lens(Some(8192), Some(1_000_000)), [4096, 8192]);
        assert_eq!(lens(Some(8192), Some(0)), [4096, 8192]);
    }

    #[test]
    fn no_candidate_may_be_longer_than_the_longest() {
        let old = RuleSet::named("2025-12-12-86623e97").unwrap();
        for rules in [&RuleSet::newest().text, &old.text] {
            for tokenizer in [None, Some(0), Some(100), Some(8192), Some(1_000_000)] {
                let Some(longest) = longest(4096, tokenizer, rules) else {
                    assert!(rules.double_when_empty && !matches!(tokenizer, Some(100 | 8192)));
                    continue;
                };
                for p in (0..20_000).step_by(7).chain([8191, 8192, 1 << 40]) {
                    let lens = candidates(4096, Some(p), tokenizer, rules);
                    assert!(lens.iter().all(|len| *len <= longest), "{p} {tokenizer:?}");
                }
                let lens = candidates(4096, None, tokenizer, rules);
                assert!(lens.iter().all(|len| *len <= longest), "{tokenizer:?}");
            }
        }
    }

    #[test]
    fn the_older_rules_do_not_double() {
        let old = RuleSet::named("2025-12-12-86623e97").unwrap();
        assert_eq!(candidates(4096, Some(32768), Some(2048), &old.text), [4096]);
        assert_eq!(candidates(4096, Some(2048), None, &old.text), [1024]);
    }
}
