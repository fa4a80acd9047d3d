use super::*;
use crate::result::Failure;
use crate::testing::run;

#[test]
fn a_slower_row_is_a_regression_only_beyond_the_tolerance() {
    let (a, b) = (
        run("kernels", &[("linear", "1", 100.0)]),
        run("kernels", &[("linear", "1", 109.0)]),
    );
    let found = compare(&a, &b, 0.1).unwrap();
    assert!(!found.regressed() && (found.ratios[0].ratio - 1.09).abs() < 1e-12);
    assert!(compare(&a, &b, 0.08).unwrap().regressed());
    assert!(
        !compare(&b, &a, 0.0).unwrap().regressed(),
        "faster is no regression"
    );
    let (low, high) = found.ratios[0].spread;
    assert!((low - 1.09 * 0.9 / 1.1).abs() < 1e-12 && (high - 1.09 * 1.1 / 0.9).abs() < 1e-12);
}

#[test]
fn rows_of_one_side_are_named_and_a_row_that_fails_now_is_a_regression() {
    let a = run(
        "kernels",
        &[("linear", "1", 1.0), ("rope", "2", 1.0), ("kl", "3", 1.0)],
    );
    let mut b = run("kernels", &[("linear", "1", 1.0), ("gather", "4", 1.0)]);
    b.failures.push(Failure {
        family: "kl".to_owned(),
        shape: "3".to_owned(),
        reason: "wrong".to_owned(),
        skipped: false,
    });
    b.machine.name = "another".to_owned();
    let found = compare(&a, &b, 0.1).unwrap();
    assert_eq!(
        (found.missing.clone(), found.added.clone()),
        (vec!["rope:2".to_owned()], vec!["gather:4".to_owned()])
    );
    assert_eq!(
        (found.broken.clone(), found.regressed()),
        (vec!["kl:3".to_owned()], true)
    );
    assert!(
        found.text().contains("differs: name:  / another"),
        "{}",
        found.text()
    );
}

#[test]
fn peers_meet_ours_and_variants_meet_themselves() {
    let ours = run("kernels", &[("linear", "1", 10.0)]);
    let mut peers = run("kernels", &[("linear", "1", 12.0), ("linear", "1", 15.0)]);
    peers.rows[0].variant = "torch".to_owned();
    peers.rows[1].variant = "compiled".to_owned();
    assert_eq!(compare(&ours, &peers, 9.0).unwrap().ratios.len(), 2);
    assert_eq!(
        compare(&peers, &peers, 0.0).unwrap().ratios.len(),
        2,
        "not four"
    );
}

#[test]
fn what_is_not_the_same_work_is_refused() {
    let (a, b) = (
        run("kernels", &[("linear", "1", 1.0)]),
        run("eval", &[("eval", "1", 1.0)]),
    );
    assert!(matches!(
        compare(&a, &b, 0.1),
        Err(CompareError::Kind { .. })
    ));
    let b = run("kernels", &[("linear", "2", 1.0)]);
    assert_eq!(compare(&a, &b, 0.1), Err(CompareError::Nothing));
}
