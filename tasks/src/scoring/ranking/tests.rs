use super::{Entry, rank, rank_by, rank_kind};
use crate::rules::{RuleSet, TaskKind};

fn entry(loss: f64) -> Entry {
    Entry {
        loss: Some(loss),
        is_finetune: true,
    }
}

fn places(entries: &[Entry]) -> Vec<(usize, Option<usize>, f64)> {
    rank(entries, &RuleSet::newest().ranking)
        .iter()
        .map(|s| (s.entry, s.place, s.points))
        .collect()
}

#[test]
fn the_best_takes_three_points_and_invalid_entries_lose_one() {
    let not_finetune = Entry {
        loss: Some(0.1),
        is_finetune: false,
    };
    let failed = Entry {
        loss: None,
        is_finetune: false,
    };
    let entries = [
        entry(2.0),
        failed,
        not_finetune,
        entry(1.0),
        entry(f64::NAN),
    ];
    let expected = [
        (3, Some(1), 3.0),
        (0, Some(2), 0.0),
        (2, None, -1.0),
        (4, None, -1.0),
        (1, None, -1.0),
    ];
    assert_eq!(places(&entries), expected);
}

#[test]
fn equal_losses_share_a_place() {
    let found: Vec<_> = places(&[entry(1.0), entry(1.0), entry(3.0)])
        .iter()
        .map(|p| p.1)
        .collect();
    assert_eq!(found, [Some(1), Some(1), Some(3)]);
}

#[test]
fn the_last_quarter_loses_a_point_above_eight_valid_entries() {
    let eight: Vec<_> = (0..8).map(|i| entry(f64::from(i))).collect();
    assert!(places(&eight).iter().all(|p| p.2 >= 0.0));
    let nine: Vec<_> = (0..9).map(|i| entry(f64::from(i))).collect();
    let points: Vec<_> = places(&nine).iter().map(|p| p.2).collect();
    assert_eq!(points, [3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, -1.0]);
}

#[test]
fn nobody_loses_points_where_nobody_is_valid() {
    assert_eq!(
        places(&[Entry {
            loss: None,
            is_finetune: false
        }]),
        [(0, None, 0.0)]
    );
}

#[test]
fn more_is_better_where_the_kind_says_so() {
    let entries: Vec<_> = [-0.5, 0.9, f64::INFINITY, 0.2, 0.9, f64::NAN]
        .into_iter()
        .map(entry)
        .collect();
    let rules = RuleSet::newest().ranking;
    let places: Vec<_> = rank_kind(&entries, TaskKind::Grpo, &rules)
        .iter()
        .map(|s| (s.entry, s.place, s.points))
        .collect();
    let expected = [
        (1, Some(1), 3.0),
        (4, Some(1), 0.0),
        (3, Some(3), 0.0),
        (0, Some(4), 0.0),
    ];
    assert_eq!(places[..4], expected);
    assert!(places[4..].iter().all(|p| p.1.is_none() && p.2 == -1.0));
    let image = rank_kind(&entries, TaskKind::Image, &rules);
    assert_eq!(image[0].entry, 0);
}

#[test]
fn zeros_of_either_sign_share_a_place() {
    let rules = RuleSet::newest().ranking;
    for higher in [false, true] {
        let entries = [entry(0.0), entry(-0.0), entry(0.0)];
        let order: Vec<_> = rank_by(&entries, higher, &rules)
            .iter()
            .map(|s| (s.entry, s.place))
            .collect();
        assert_eq!(order, [(0, Some(1)), (1, Some(1)), (2, Some(1))]);
    }
}
