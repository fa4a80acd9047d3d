//! The fused head against its definition, and the bits of rows and slabs in different company, on every GPU.

use crate::head::{Head, Numbers, OnGpu, run, run_with, targets};
use crate::operand::Operand;
use crate::streams;
use gradus_kernels::cross_entropy::device::{DeviceHeadModel, DeviceHeadSums, VOCAB_BLOCK, absorb};
use gradus_kernels::cross_entropy::{LogitTransform, Target, reference};

/// Log-sum-exp and every target's likelihood, with f32 sums of K products and exponentials of the hardware's precision.
fn check(head: &Head) {
    let (m, v, k) = (head.x.rows, head.w.rows, head.x.cols);
    let targets = targets(m, v);
    let logits: Vec<Vec<f64>> = (0..m).step_by(11).map(|row| head.logits(row)).collect();
    for stream in streams() {
        let capability = stream.gpu().info().capability;
        let what = format!("{capability:?}: [{m}, {k}] x [{v}, {k}]^T");
        let found = &run(&stream, &[&head.upload(&stream)], 0..m, &[v], &targets)[0];
        for (i, logits) in logits.iter().enumerate() {
            let (lse, row) = (found.lse[i * 11], i * 11);
            let expected = reference::logsumexp(logits);
            assert!(
                (lse - expected).abs() <= 1e-5,
                "{what}, row {row}: log-sum-exp {lse}, expected {expected}"
            );
        }
        for (target, &nll) in targets.iter().zip(&found.nll) {
            let logits = &logits[target.row as usize / 11];
            let Some(logit) = logits.get(target.token as usize) else {
                assert!(nll.is_nan(), "{what}: {target:?}, outside, has {nll}");
                continue;
            };
            let expected = reference::logsumexp(logits) - logit;
            assert!(
                (nll - expected).abs() <= 2e-5 + 1e-7 * logit.abs(),
                "{what}: {target:?} has {nll}, expected {expected}"
            );
        }
    }
}

#[test]
fn likelihoods_match_reference() {
    for (m, v, k, r) in [
        (1, 1, 1, 0),
        (12, 1537, 1003, 0),
        (129, 257, 37, 0),
        (300, 1700, 65, 8),
        (65, 3100, 7, 48),
    ] {
        check(&Head::new(m, v, k, r));
    }
}

#[test]
fn every_transform_matches_reference() {
    check(&Head::new(37, 191, 200, 4).with_vectors());
    check(&Head::new(37, 191, 64, 0).transformed(0.3, None));
    check(&Head::new(23, 1600, 40, 0).transformed(1.5, Some(3.0)));
    check(
        &Head::new(130, 1541, 40, 5)
            .with_vectors()
            .transformed(0.5, Some(30.0)),
    );
}

/// Caps up to 64 have kernels of their own; vocabularies that end inside a tile and inside a block.
#[test]
fn capped_logits_match_reference() {
    for (m, v, k, r, scale, cap) in [
        (1, 1, 1, 0, 1.0, 30.0),
        (23, 1600, 40, 0, 1.5, 3.0),
        (129, 257, 37, 0, 2.0, 30.0),
        (300, 1700, 65, 8, 1.0, 30.0),
        (65, 3100, 7, 48, 1.0, 64.0),
        (30, 191, 20, 0, 1.0, 65.0),
    ] {
        check(&Head::new(m, v, k, r).transformed(scale, Some(cap)));
    }
}

/// Sums are exact; so large that tanh is 1 to the last bit, and that its exponentials, or their product, would be infinite.
#[test]
fn caps_hold_what_no_exponential_does() {
    for scale in [1.0, -40.0, 3e4, 1e30] {
        for cap in [1.0, 30.0, 64.0, 100.0] {
            let mut head = Head::new(40, 1700, 37, 0);
            head.x = Operand::eighths(40, 37, 1);
            head.w = Operand::eighths(1700, 37, 2);
            check(&head.transformed(scale, Some(cap)));
        }
    }
}

/// All sums are exact, so the logit that is rounded is the reference's.
#[test]
fn logits_rounded_to_bf16_match_reference() {
    let mut head = Head::new(40, 1700, 37, 4).with_vectors();
    head.x = Operand::eighths(40, 37, 1);
    head.w = Operand::eighths(1700, 37, 2);
    head.low = Some((Operand::eighths(40, 4, 3), Operand::eighths(1700, 4, 4)));
    head.transform.round_to_bf16 = true;
    check(&head);
    head.transform.scale = 1.5;
    head.low = None;
    check(&head);
}

#[test]
fn models_that_share_weights_have_the_bits_of_models_with_copies_and_a_base_those_of_any_company() {
    for (m, v, k, cap) in [
        (3, 7, 1, None),
        (129, 1700, 60, None),
        (300, 3100, 130, None),
        (3, 7, 1, Some(30.0)),
        (129, 1700, 60, Some(30.0)),
        (300, 3100, 130, Some(2.0)),
    ] {
        let model = Head::new(m, v, k, 0).transformed(1.25, cap);
        let base = model.beside(Operand::random(m, k, 1.0, 99));
        let third = model.beside(Operand::random(m, k, 1.0, 7));
        let vectors = third.beside(third.x.clone()).with_vectors();
        let targets = [0, m / 2, m - 1].map(|row| Target {
            row: row as u32,
            token: (row % v) as u32,
        });
        for stream in streams() {
            let [base, model, third, vectors] =
                [&base, &model, &third, &vectors].map(|head| head.upload(&stream));
            let run = |models: &[&OnGpu], shared| {
                run_with(&stream, models, 0..m, &[v], &targets, shared)
                    .iter()
                    .map(Numbers::bits)
                    .collect::<Vec<_>>()
            };
            let apart = run(&[&base, &model], false);
            assert_eq!(
                apart,
                run(&[&base, &model], true),
                "[{m}, {k}] x [{v}, {k}]^T"
            );
            let company = run(&[&base, &third, &model], true);
            assert_eq!([&company[0], &company[2]], [&apart[0], &apart[1]]);
            // Whose kernel is another one.
            let company = run(&[&base, &vectors, &model], true);
            assert_eq!([&company[0], &company[2]], [&apart[0], &apart[1]]);
            let company = run(&[&base, &vectors], true);
            assert_eq!(company[0], apart[0]);
        }
    }
}

#[test]
fn kl_against_a_base_matches_reference() {
    for (m, v, k, r, cap, vectors) in [
        (3, 7, 1, 0, None, true),
        (129, 1700, 60, 4, None, true),
        (129, 1700, 60, 4, None, false),
        (70, 1537, 37, 0, Some(4.0), true),
        (70, 1537, 37, 0, Some(4.0), false),
        (129, 1700, 60, 4, Some(30.0), false),
        (20, 250, 9, 0, Some(64.0), false),
        (20, 250, 9, 0, Some(70.0), false),
    ] {
        let model = Head::new(m, v, k, r).transformed(1.25, cap);
        let mut base = model.beside(Operand::random(m, k, 1.0, 99));
        if vectors {
            base = base.with_vectors();
        }
        for stream in streams() {
            let capability = stream.gpu().info().capability;
            let what = format!("{capability:?}: [{m}, {k}] x [{v}, {k}]^T");
            let models = [base.upload(&stream), model.upload(&stream)];
            let found = run(&stream, &[&models[0], &models[1]], 0..m, &[v], &[]);
            assert!(
                found[0].kl.iter().all(|&kl| kl == 0.0),
                "base against itself"
            );
            for row in (0..m).step_by(9) {
                let (f, b) = (model.logits(row), base.logits(row));
                let (kl, expected) = (found[1].kl[row], reference::kl(&f, &b));
                assert!(
                    (kl - expected).abs() <= 2e-5,
                    "{what}, row {row}: KL {kl}, expected {expected}"
                );
                let (lse, expected) = (found[1].lse[row], reference::logsumexp(&f));
                assert!(
                    (lse - expected).abs() <= 1e-5,
                    "{what}, row {row}: log-sum-exp {lse}, expected {expected}"
                );
            }
        }
    }
}

#[test]
fn rows_and_slabs_have_the_same_bits_in_any_company() {
    let (m, v) = (70, 2 * VOCAB_BLOCK + 37);
    let plain = Head::new(m, v, 20, 3);
    let general = Head::new(m, v, 20, 3).with_vectors();
    let base = plain.beside(Operand::random(m, 20, 1.0, 99));
    let capped = Head::new(m, v, 20, 3).transformed(1.0, Some(30.0));
    let capped_base = capped.beside(Operand::random(m, 20, 1.0, 99));
    let targets: Vec<Target> = [0, 5, VOCAB_BLOCK, v - 1, v - 1, v]
        .map(|token| Target {
            row: 66,
            token: token as u32,
        })
        .to_vec();
    let alone: Vec<Target> = targets.iter().map(|t| Target { row: 0, ..*t }).collect();
    for stream in streams() {
        let all = [&base, &plain, &general, &capped, &capped_base].map(|head| head.upload(&stream));
        let [base, plain, general, capped, capped_base] = &all;
        for models in [
            &[plain][..],
            &[general],
            &[base, general],
            &[capped],
            &[capped_base, capped],
        ] {
            let bits = |rows, ends: &[usize], targets: &[Target]| -> Vec<Numbers> {
                run(&stream, models, rows, ends, targets)
            };
            let whole = bits(0..m, &[v], &targets);
            for ends in [
                &[VOCAB_BLOCK, 2 * VOCAB_BLOCK, v][..],
                &[2 * VOCAB_BLOCK, v],
            ] {
                let slabs = bits(0..m, ends, &targets);
                for (a, b) in whole.iter().zip(&slabs) {
                    assert_eq!(a.bits(), b.bits(), "slabs up to {ends:?} show");
                }
            }
            let one = bits(66..67, &[v], &alone);
            for (whole, one) in whole.iter().zip(&one) {
                assert_eq!(whole.lse[66].to_bits(), one.lse[0].to_bits(), "alone");
                let nll = |n: &Numbers| n.nll.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(nll(whole), nll(one), "likelihoods of a row alone");
                if !one.kl.is_empty() {
                    assert_eq!(whole.kl[66].to_bits(), one.kl[0].to_bits(), "KL alone");
                }
            }
        }
    }
}

#[test]
fn nan_stays_in_its_row() {
    for cap in [None, Some(30.0)] {
        let mut head = Head::new(140, 1600, 37, 0).transformed(1.0, cap);
        head.x.set(133, 5, f32::NAN);
        for stream in streams() {
            let found = &run(&stream, &[&head.upload(&stream)], 0..140, &[1600], &[])[0];
            for (row, lse) in found.lse.iter().enumerate() {
                assert_eq!(lse.is_nan(), row == 133, "cap {cap:?}, row {row}: {lse}");
            }
        }
    }
}

#[test]
fn no_rows_and_no_tokens_are_no_work() {
    let head = Head::new(4, 9, 5, 0);
    for stream in streams() {
        let model = head.upload(&stream);
        let none = &run(&stream, &[&model], 0..0, &[9], &[])[0];
        assert_eq!(none.bits(), Vec::<u64>::new());
        let target = [Target { row: 3, token: 8 }];
        let once = &run(&stream, &[&model], 0..4, &[9], &target)[0];
        let empty = &run(&stream, &[&model], 0..4, &[0, 9], &target)[0];
        assert_eq!(once, empty);
    }
}

#[test]
fn slabs_out_of_order_and_wrong_shapes_are_named() {
    let v = VOCAB_BLOCK + 10;
    let (head, other) = (Head::new(4, v, 16, 4), Head::new(5, v, 8, 3));
    for stream in streams() {
        let (model, other) = (head.upload(&stream), other.upload(&stream));
        let sums = || DeviceHeadSums::new(&stream, 4, &[], true).expect("memory");
        let good = model.slab(&(0..4), &(0..v));
        let odd = other.slab(&(0..4), &(0..v));
        let refused = |model: DeviceHeadModel<'_>, first, sums: &mut DeviceHeadSums| {
            let sums = std::slice::from_mut(sums);
            let error = absorb(&stream, &[model], first, sums).expect_err("does not fit");
            error.to_string()
        };
        let some = |from, to| model.slab(&(0..4), &(from..to));
        // A slab that is not a whole number of blocks must be the last.
        let mut ended = sums();
        absorb(&stream, &[some(0, 10)], 0, std::slice::from_mut(&mut ended)).expect("a slab");
        let mut begun = sums();
        absorb(
            &stream,
            &[some(0, VOCAB_BLOCK)],
            0,
            std::slice::from_mut(&mut begun),
        )
        .expect("a slab");
        let vector = stream.upload("a vector", &[1.0_f32; 9]).expect("memory");
        let vector = Some(vector.view());
        let capped = LogitTransform {
            soft_cap: Some(-1.0),
            ..LogitTransform::default()
        };
        let cases = [
            (
                refused(some(VOCAB_BLOCK, v), VOCAB_BLOCK, &mut sums()),
                "the first token is 1536, expected 0",
            ),
            (
                refused(some(0, VOCAB_BLOCK), 0, &mut begun),
                "the first token is 0, expected 1536",
            ),
            (
                refused(some(10, v), 10, &mut ended),
                "the first token's place in its block is 10",
            ),
            (
                refused(
                    DeviceHeadModel {
                        rows: odd.rows,
                        ..good
                    },
                    0,
                    &mut sums(),
                ),
                "the hidden size is 8, expected 16",
            ),
            (
                refused(model.slab(&(0..3), &(0..v)), 0, &mut sums()),
                "the number of rows is 3, expected 4",
            ),
            (
                refused(
                    DeviceHeadModel {
                        low: good.low.map(|(low, _)| (low, some(0, 9).weights)),
                        ..good
                    },
                    0,
                    &mut sums(),
                ),
                "the rows of the low-rank weights is 9",
            ),
            (
                refused(
                    DeviceHeadModel {
                        low: good.low.and_then(|(low, _)| odd.low.map(|(_, w)| (low, w))),
                        ..good
                    },
                    0,
                    &mut sums(),
                ),
                "the rank of the low-rank weights is 3, expected 4",
            ),
            (
                refused(
                    DeviceHeadModel {
                        scale: vector,
                        ..good
                    },
                    0,
                    &mut sums(),
                ),
                "the length of scale is 9",
            ),
            (
                refused(
                    DeviceHeadModel {
                        bias: vector,
                        ..good
                    },
                    0,
                    &mut sums(),
                ),
                "the length of bias is 9",
            ),
            (
                refused(
                    DeviceHeadModel {
                        transform: capped,
                        ..good
                    },
                    0,
                    &mut sums(),
                ),
                "the soft cap is -1",
            ),
        ];
        for (error, part) in cases {
            assert!(error.contains(part), "{error}: not {part:?}");
        }
        let several = absorb(&stream, &[good, good], 0, &mut [sums()]).expect_err("one sum of two");
        assert!(
            several
                .to_string()
                .contains("the number of sums is 1, expected 2"),
            "{several}"
        );
        let target = [Target { row: 4, token: 0 }];
        let row = DeviceHeadSums::new(&stream, 4, &target, false).expect_err("no such row");
        assert!(
            row.to_string().contains("the row of a target is 4"),
            "{row}"
        );
        let plain = DeviceHeadSums::new(&stream, 4, &[], false).expect("memory");
        let kl = plain.kl(&stream, &[0.0; 4]).expect_err("nothing summed");
        assert!(kl.to_string().contains("expected differences"), "{kl}");
        let short = sums().kl(&stream, &[0.0; 3]).expect_err("another base");
        assert!(
            short
                .to_string()
                .contains("the number of the base's rows is 3"),
            "{short}"
        );
    }
}
