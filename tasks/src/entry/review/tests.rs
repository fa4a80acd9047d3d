use super::*;
use crate::rules::RuleSet;

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

fn proceeds(dropped: &[&str]) -> Holds {
    Holds::Proceeds {
        dropped: names(dropped),
    }
}

#[test]
fn only_a_decision_lets_a_pairwise_review_go() {
    let rules = RuleSet::newest().entry.review;
    let holds =
        |state: Option<&PairwiseState>, round| PairwiseState::holds(state, &rules, round, "boss");
    assert_eq!(holds(None, 2), Holds::Review {});
    assert_eq!(holds(None, 1), proceeds(&[]));
    assert_eq!(holds(None, 3), proceeds(&[]));
    let pending = PairwiseState::Pending {
        flagged: names(&["a"]),
    };
    assert_eq!(holds(Some(&pending), 2), Holds::Waits {});
    assert_eq!(holds(Some(&PairwiseState::Error {}), 2), Holds::Waits {});
    assert_eq!(holds(Some(&PairwiseState::Clean {}), 2), proceeds(&[]));
    assert_eq!(holds(Some(&PairwiseState::Rejected {}), 2), proceeds(&[]));
    let accepted = PairwiseState::Accepted {
        eliminated: names(&["b", "boss", "a", "b"]),
    };
    assert_eq!(holds(Some(&accepted), 2), proceeds(&["a", "b"]));
    let old = RuleSet::named("2025-12-12-86623e97").unwrap().entry.review;
    assert_eq!(PairwiseState::holds(None, &old, 2, "boss"), proceeds(&[]));
}

#[test]
fn a_challenger_is_held_until_its_review_is_decided() {
    let rules = RuleSet::newest().entry.review;
    let holds = |state| ChallengerState::holds(state, &rules, "c");
    assert_eq!(holds(None), Holds::Review {});
    assert_eq!(holds(Some(ChallengerState::Clean)), proceeds(&[]));
    assert_eq!(holds(Some(ChallengerState::Rejected)), proceeds(&[]));
    assert_eq!(holds(Some(ChallengerState::Pending)), Holds::Waits {});
    assert_eq!(holds(Some(ChallengerState::Error)), Holds::Waits {});
    assert_eq!(holds(Some(ChallengerState::Accepted)), proceeds(&["c"]));
    let old = RuleSet::named("2025-12-12-86623e97").unwrap().entry.review;
    assert_eq!(ChallengerState::holds(None, &old, "c"), proceeds(&[]));
}

#[test]
fn states_have_the_words_that_others_keep() {
    let written = serde_json::to_string(&ChallengerState::Accepted).unwrap();
    assert_eq!(written, "\"accepted\"");
    let written = serde_json::to_string(&PairwiseState::Clean {}).unwrap();
    assert_eq!(written, r#"{"state":"clean"}"#);
    assert!(serde_json::from_str::<PairwiseState>(r#"{"state":"clean","x":1}"#).is_err());
}

#[test]
fn the_best_of_the_round_before_is_promoted() {
    let ranks = |list: &[(&str, &[u32])]| -> BTreeMap<String, Vec<u32>> {
        list.iter()
            .map(|(hotkey, ranks)| ((*hotkey).to_owned(), ranks.to_vec()))
            .collect()
    };
    let of = |list| promoted(&ranks(list), "boss", "c").map(str::to_owned);
    assert_eq!(of(&[("boss", &[1]), ("c", &[1])]), None);
    assert_eq!(
        of(&[("boss", &[1]), ("c", &[1]), ("z", &[])]).as_deref(),
        Some("z")
    );
    assert_eq!(
        of(&[("a", &[]), ("b", &[9, 9]), ("d", &[9])]).as_deref(),
        Some("b")
    );
    assert_eq!(of(&[("a", &[2, 3]), ("b", &[1, 3])]).as_deref(), Some("b"));
}
